"""Proves by traffic that the line works: sends a synthetic scan of its own round it, again and again."""
