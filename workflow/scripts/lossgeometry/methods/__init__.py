"""One module per training method: what it takes from the rollouts, its loss, its trainer, its citation."""

import importlib
import pkgutil
from typing import Any


def method_names() -> list[str]:
    """The methods there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def method_module(name: str) -> Any:
    """Return the module of a training method, imported only now: methods share no code path but the shared modules."""
    return importlib.import_module(f"lossgeometry.methods.{name}")
