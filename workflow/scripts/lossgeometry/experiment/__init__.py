"""One experiment: its configuration, its runs and pairs, its small variant."""
