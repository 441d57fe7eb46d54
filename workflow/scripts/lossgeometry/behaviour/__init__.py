"""How far updates move what a model writes: exact distances between distributions over the next token."""
