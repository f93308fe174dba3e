"""The `scintiflow` command, one file a verb group."""
