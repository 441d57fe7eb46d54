"""What the choice of training loss does to the weights: the library behind the workflow's rules."""
