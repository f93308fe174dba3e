"""Messages that cross processes, generated from proto/."""
