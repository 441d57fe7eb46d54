"""Which losses of an experiment are audited. Light."""

from typing import TYPE_CHECKING

from lossgeometry.methods import method_module

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config
    from lossgeometry.experiment.runs import Run


def audited(config: "Config") -> list["Run"]:
    """Return the first run of every loss that trains on the rollouts; none where the audit has no points."""
    first = {run.label: run for run in reversed(config.trained) if method_module(run.method).OFFLINE}
    return [first[label] for label in config.methods if label in first] if config.audit.points else []


def composed(config: "Config") -> bool:
    """Return whether any loss trains on another composition of the rollouts than all of them."""
    return any(run.composition for run in audited(config))
