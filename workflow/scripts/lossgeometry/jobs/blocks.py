"""Configuration blocks as built-in types, whole or in part."""

from typing import Any

from lossgeometry.settings.block import Block

Told = dict[str, Any]


def plain(block: Block) -> Told:
    """Return a configuration block as built-in types, which Snakemake records and compares."""
    return block.model_dump(mode="json", by_alias=True)


def only(block: Block, *keys: str) -> Told:
    """Return some keys of a block."""
    values = plain(block)
    return {key: values[key] for key in keys}
