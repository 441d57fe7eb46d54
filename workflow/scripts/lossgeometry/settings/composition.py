"""Configuration of which rollouts a run trains on."""

from pydantic import Field

from lossgeometry.settings.block import Block


class Composition(Block):
    """A stratified subsample of the rollouts: the same texts, in other proportions."""

    rows: int = Field(ge=1)
    """Rollouts taken, without replacement; the same for all compositions that are to be compared."""
    right: float = Field(ge=0, le=1)
    """Share of right ones among them."""
    mixed: float | None = Field(None, ge=0, le=1)
    """Share, of the right and of the wrong ones alike, from prompts that have both; as it comes where it is not given."""
    flipped: float = Field(0.0, ge=0, le=1)
    """Share, of the right and of the wrong ones alike, whose verdict is then turned around: a verifier that errs."""
    seed: int = Field(0, ge=0)
    """Orders the rollouts. A composition takes the first ones of each kind, so that two of them share what they can."""
