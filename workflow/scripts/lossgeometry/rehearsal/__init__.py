"""One real step of every method, measured, before GPU-days are spent."""
