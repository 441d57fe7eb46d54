"""One module per training method: what it takes from the rollouts, its loss, its trainer, its citation."""
