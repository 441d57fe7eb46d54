"""The base class of every configuration block."""

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A configuration block: immutable, and closed to keys that it does not declare."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, strict=False)
