"""The identity of runs and pairs, and their expansion from the configuration."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from lossgeometry.settings.comparisons import Comparisons
from lossgeometry.settings.training import Method, Seeds
from lossgeometry.updates.folders import is_checkpoint

BASE = "base"
"""The run without an adapter, in evaluation."""


@dataclass(frozen=True)
class Run:
    """One update: a method at one learning rate and seed, or one that the user supplied."""

    id: str
    label: str
    """Key of `methods`, or the name of the user's adapter."""
    method: str
    """Module that trains it; empty for a run that is not trained here."""
    learning_rate: float = 0.0
    init_seed: int = 0
    order_seed: int = 0
    default: bool = True
    """Whether it runs at its method's default learning rate."""
    folder: str = ""
    """Where a given update lies: a folder or a hub id."""
    origin: Literal["trained", "given"] = "trained"
    """Where the update comes from: trained here, or given by the user."""

    @property
    def external(self) -> bool:
        """Whether the user supplied the update."""
        return self.origin == "given"

    @property
    def whole_model(self) -> bool:
        """Whether it is a full fine-tune, which is compared in its weights alone: it cannot be attached to the student."""
        return bool(self.folder) and is_checkpoint(self.folder)

    @property
    def seed(self) -> str:
        """The seed as it is written in the run id."""
        return _seed_name(self.init_seed, self.order_seed)


def _seed_name(init: int, order: int) -> str:
    return f"{init}" if init == order else f"{init}-o{order}"


def _training_run(label: str, learning_rate: float, seed: int | Seeds, default: bool) -> Run:
    init, order = (seed.init, seed.order) if isinstance(seed, Seeds) else (seed, seed)
    run_id = f"{label}.lr{learning_rate:g}.s{_seed_name(init, order)}"
    return Run(run_id, label, label.partition("@")[0], learning_rate, init, order, default)


def expand_runs(methods: dict[str, Method], seeds: Iterable[int | Seeds], adapters: dict[str, str]) -> list[Run]:
    """Return every run, in the order of the configuration.

    A method runs at its default learning rate with each of its seeds, and at each further learning rate with its first seed: a
    star around the default, not the full grid, because each arm answers one question.
    """
    runs = []
    for label, method in methods.items():
        method_seeds = method.seeds or tuple(seeds)
        runs += [_training_run(label, method.learning_rate, seed, default=True) for seed in method_seeds]
        runs += [_training_run(label, rate, method_seeds[0], default=False) for rate in method.learning_rates]
    runs += [Run(f"external.{name}", name, "", folder=str(folder), origin="given") for name, folder in adapters.items()]
    return runs


def expand_pairs(runs: list[Run], comparisons: Comparisons) -> list[tuple[str, str]]:
    """Return the pairs of run ids that the comparisons ask for, without duplicates, each in the order of the runs.

    Raises
    ------
    KeyError
        If an explicit pair or an exclusion names a run that does not exist; the message is that run id.
    """
    position = {run.id: index for index, run in enumerate(runs)}
    for run_id in [*sum(comparisons.pairs, ()), *comparisons.exclude]:
        if run_id not in position:
            raise KeyError(run_id)
    explicit = {tuple(sorted(pair, key=position.__getitem__)) for pair in comparisons.pairs}
    return [
        (a.id, b.id)
        for a, b in combinations(runs, 2)
        if not {a.id, b.id} & set(comparisons.exclude) and (_compared(a, b, comparisons) or (a.id, b.id) in explicit)
    ]


def _compared(a: Run, b: Run, comparisons: Comparisons) -> bool:
    if a.external or b.external:
        return comparisons.adapters and a.default and b.default
    if a.label == b.label:
        if a.learning_rate == b.learning_rate:
            return comparisons.seeds
        return comparisons.learning_rates and a.seed == b.seed
    if a.seed != b.seed:
        return False
    if comparisons.methods and a.default and b.default:
        return True
    return a.learning_rate == b.learning_rate and a.learning_rate in comparisons.matched
