"""Linear mode connectivity: the loss along the straight line between two weight updates."""
