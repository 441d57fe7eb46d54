"""The command `lossgeometry`: any adapters in one call, without a configuration."""
