"""Gathers stored objects into studies and keeps every deadline."""
