"""Configuration of the sparsity of the updates."""

from pydantic import Field

from lossgeometry.settings.block import Block


class Sparsity(Block):
    """Share of small entries of every update."""

    entries: int = Field(0, ge=0)
    """Entries looked at; 0 skips the stage."""
