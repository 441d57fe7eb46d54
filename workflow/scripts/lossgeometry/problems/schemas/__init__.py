"""Schemas by name, one module each: which columns of a data set hold what, and how the gold answer is cleaned.

A module has ``ID`` (a column, or None: rows are numbered), ``PROBLEM``, ``ANSWER`` and ``clean(answer)``; where the problem is
made of several columns also ``compose(row)``.
"""

import importlib
from typing import Any


def schema_module(name: str) -> Any:
    """Return the module of a schema, loaded only where it is used."""
    return importlib.import_module(f"lossgeometry.problems.schemas.{name}")
