"""Configuration of the pairwise measurements on the weight updates."""

from pydantic import Field

from lossgeometry.settings.block import Block


class Geometry(Block):
    """Pairwise measurements on the weight updates."""

    k: int = Field(10, ge=1)
    """Leading singular directions that angles and subspace similarities compare; the paper takes 10. Where a module's update has
    a lower rank, they are undefined there and given again at the largest number that nine in ten modules have."""
    reference: str = "sft"
    """Method label (or adapter name) that the orthogonal fraction is measured against; in a pair without it, the pair's first."""
    relation_to_base: bool = False
    """Also relate every update to the weights that it changes: one singular value decomposition per base weight and per update."""
    fine_tune_rank: int = Field(64, ge=1)
    """Rank that is kept of a full fine-tune under `adapters`; its delta file records the share of the norm that this leaves out."""
