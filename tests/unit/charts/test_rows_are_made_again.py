"""Transforms run again when a control is turned: none may overwrite what it, or one before it, reads."""

import re
from importlib import import_module

import pytest

from lossgeometry.stages import STAGES

PIPELINES = {
    name: chart.pipeline
    for stage in STAGES
    if stage.charts
    for name, chart in import_module(f"lossgeometry.{stage.charts}").CHARTS.items()
}


@pytest.mark.parametrize("name", PIPELINES)
def test_no_formula_overwrites_what_was_read(name):
    read: set[str] = set()
    for transform in PIPELINES[name].transform:
        if transform["type"] != "formula":
            continue
        target, text = transform["as"], transform["expr"]
        # What falls back to something else where it is missing gives itself again.
        if text.startswith(f"isValid(datum.{target}) ? datum.{target} : "):
            continue
        read |= set(re.findall(r"datum\.(\w+)", text))
        assert target not in read, (target, text)
