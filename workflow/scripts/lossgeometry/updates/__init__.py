"""Weight updates: read from adapters and checkpoints, kept as compact decompositions. Nothing here imports torch."""
