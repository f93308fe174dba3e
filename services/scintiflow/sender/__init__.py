"""Delivers results to each destination."""
