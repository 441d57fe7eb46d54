"""What each kind of job is told: pure functions of the configuration to a block of built-in types."""
