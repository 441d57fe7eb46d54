"""How many entries of an update are small: a stage that only the tests know."""
