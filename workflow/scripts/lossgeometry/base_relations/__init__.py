"""Updates beside the weights that they change."""
