"""Models as they are served: manifest, engine, batcher."""
