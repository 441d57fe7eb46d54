"""A key at its neutral value is not in what a job is told, and is read back from there whatever the default has become."""

from pydantic import Field

from lossgeometry.settings.block import Block


class Inner(Block):
    smoothing: float = Field(0.5, json_schema_extra={"neutral": 0.0})
    """Off at 0; on by default."""


class Outer(Block):
    inner: Inner = Inner()
    steps: int = 3


def test_only_the_neutral_value_is_left_out():
    assert Outer(inner={"smoothing": 0.0}).told() == {"inner": {}, "steps": 3}
    assert Outer().told() == {"inner": {"smoothing": 0.5}, "steps": 3}
    assert Outer(inner={"smoothing": 0.0}).model_dump() == {"inner": {"smoothing": 0.0}, "steps": 3}


def test_what_was_left_out_is_read_back_as_neutral_and_not_as_the_default():
    for smoothing in (0.0, 0.5, 0.7):
        block = Outer(inner={"smoothing": smoothing})
        assert Outer.from_told(block.told()) == block
    assert Outer.from_told({"inner": {}}).inner.smoothing == 0.0 and Outer(inner={}).inner.smoothing == 0.5
