"""Before anything runs: what would run, what it would cost, and whether this machine can."""
