"""How updates move through training, alone and in pairs: at equal step, equal size and equal effect."""
