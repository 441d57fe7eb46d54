"""Whose texts divergences are measured on."""

BASE, OWN = "base", "own"
"""The answers of the base, and of the run itself."""
OTHER = "other"
"""Text of another skill, which neither wrote."""
