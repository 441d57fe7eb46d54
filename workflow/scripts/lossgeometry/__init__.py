"""What the choice of training loss does to the weights: the library behind the workflow's rules.

In a notebook: `from lossgeometry import load, compare`, then `print(compare(load("a"), load("b")))`.
"""

import importlib

_ROOMS = {
    "load": "updates.loading",
    "compare": "geometry.comparison",
    "Update": "updates.update",
    "behaviour_of": "behaviour.own_adapters",
    "audit_method": "audit.own_loss",
}


# Loaded when asked for, by name: the code digests of a job follow import statements, and a job that uses none of these
# would otherwise depend on all of them.
def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
