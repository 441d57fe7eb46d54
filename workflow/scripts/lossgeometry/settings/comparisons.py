"""Configuration of which pairs of runs are compared."""

from pydantic import Field

from lossgeometry.settings.block import Block


class Comparisons(Block):
    """Which pairs are compared; a pair is named in the order of the configuration."""

    methods: bool = True
    """All methods at their default learning rate, within each seed that two of them share."""
    seeds: bool = True
    """The seeds of one method, at its default learning rate."""
    learning_rates: bool = True
    """The learning rates of one method, at its first seed."""
    matched: tuple[float, ...] = ()
    """Learning rates at which all methods that have a run there are compared with each other."""
    adapters: bool = True
    """The user's adapters with each other and with every run at its default learning rate."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Further pairs, each of two methods (`sft`, at its default learning rate), rates (`sft.lr0.001`), adapters or run ids: at the
    first seed that both have."""
    exclude: tuple[str, ...] = Field(())
    """Run ids, rates or adapters, or keys of `methods` for all runs of a method, that take part in no pair."""
