"""The audit: what a loss will do to the weights, from gradients at a point, before anything is trained."""
