"""Serves the models over HTTP."""
