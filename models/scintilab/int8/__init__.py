"""Classifiers in eight bits: quantised after training, and shipped only where they see what the graph itself sees."""
