"""The door: C-STORE in, durable objects out."""
