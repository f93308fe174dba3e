"""The workshop: makes the models that scintiflow serves. The only place with torch."""
