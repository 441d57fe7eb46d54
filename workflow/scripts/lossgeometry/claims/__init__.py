"""The claims of a paper, put to the tables of an experiment."""
