"""The identity of runs and pairs, and their expansion from the configuration."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations, product
from typing import Any, Literal

from lossgeometry.settings.comparisons import Comparisons
from lossgeometry.settings.edits import Edit
from lossgeometry.settings.training import Method, Seeds
from lossgeometry.updates.folders import is_checkpoint, needs_base

BASE = "base"
"""The run without an adapter, in evaluation."""


SHUFFLED, UNTRAINED, RANDOM = "shuffled verdicts", "untrained", "random directions"
"""What a control is; an untrained adapter is an update of zero, and random directions keep a run's singular values."""


@dataclass(frozen=True)
class Run:
    """One update: a method at one learning rate and seed, one that the user supplied, or one made without training."""

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
    origin: Literal["trained", "given", "untrained", "derived", "snapshot"] = "trained"
    """Where the update comes from: trained here, given by the user, an initialisation as it was drawn, computed from
    another run's, or what another run was after some of its steps."""
    control: str = ""
    """What kind of control it is, such as `SHUFFLED`; empty for a run that is none."""
    composition: str = ""
    """Key of `rollouts.compose` that it trains on; empty for all rollouts."""
    sources: tuple[str, ...] = ()
    """Runs that a derived update is computed from, its parent first; of a snapshot its run."""
    step: int = 0
    """Steps taken until a snapshot; 0 for a run that is none."""
    half: str = ""
    """Half of the prompts that it trains on, `A` or `B`; empty for all."""

    def told(self) -> dict[str, Any]:
        """Return the run as built-in types, from which `Run(**told)` makes it again; properties added later only where set."""
        told = {**asdict(self), "sources": list(self.sources)}
        return {key: value for key, value in told.items() if value or key not in ("step", "half")}

    @property
    def whole_model(self) -> bool:
        """Whether it is a full fine-tune, which is compared in its weights alone: it cannot be attached to the student."""
        return bool(self.folder) and is_checkpoint(self.folder)

    @property
    def needs_base(self) -> bool:
        """Whether its update can be read only beside the student: a full fine-tune, or DoRA."""
        return bool(self.folder) and needs_base(self.folder)

    @property
    def seed(self) -> str:
        """The seed as it is written in the run id."""
        return _seed_name(self.init_seed, self.order_seed, self.half)


def snapshot_id(run: str, step: int) -> str:
    """Return the id of what a run was after a step."""
    return f"{run}.t{step}"


def _seed_name(init: int, order: int, half: str) -> str:
    return f"{init}" + (f"-o{order}" if init != order else "") + (f"-half{half}" if half else "")


def _training_run(label: str, method: Method, learning_rate: float, seed: int | Seeds, default: bool) -> Run:
    init, order, half = (seed.init, seed.order, seed.half) if isinstance(seed, Seeds) else (seed, seed, "")
    run_id = f"{label}.lr{learning_rate:g}.s{_seed_name(init, order, half)}"
    control = SHUFFLED if method.verdicts == "shuffled" else ""
    return Run(
        run_id,
        label,
        label.partition("@")[0],
        learning_rate,
        init,
        order,
        default,
        control=control,
        composition=method.composition,
        half=half,
    )


def expand_runs(methods: dict[str, Method], seeds: Iterable[int | Seeds], adapters: dict[str, str]) -> list[Run]:
    """Return every run, in the order of the configuration.

    A method runs at its default learning rate with each of its seeds, and at each further learning rate with its first seed: a
    star around the default, not the full grid, because each arm answers one question. `rates_at_all_seeds` asks for the grid.
    """
    runs = []
    for label, method in methods.items():
        own = method.seeds or tuple(seeds)
        for seed in own + method.further_seeds:
            runs.append(_training_run(label, method, method.learning_rate, seed, default=True))
        for rate, seed in product(method.learning_rates, own if method.rates_at_all_seeds else own[:1]):
            runs.append(_training_run(label, method, rate, seed, default=False))
    runs += [Run(f"external.{name}", name, "", folder=str(folder), origin="given") for name, folder in adapters.items()]
    return runs


def control_runs(runs: list[Run], reference: str) -> list[Run]:
    """Return the controls that need no training: the first trained run's initialisation as it was drawn, and random
    directions with the singular values of the first run of the reference method, or of the first run where it has none."""
    trained = [run for run in runs if run.origin == "trained"]
    if not trained:
        return []
    source = next((run for run in trained if run.label == reference), trained[0])
    seeds = source.init_seed, source.order_seed
    untrained = Run(
        "control.untrained", f"control: {UNTRAINED}", "", 0.0, *seeds, origin="untrained", control=UNTRAINED
    )
    named = f"control: {RANDOM}"
    return [
        untrained,
        Run("control.random", named, "", 0.0, *seeds, origin="derived", control=RANDOM, sources=(source.id,)),
    ]


def edit_runs(runs: list[Run], edits: Mapping[str, Edit]) -> list[Run]:
    """Return the run of every edit, and of its random control where it has one.

    Raises
    ------
    ValueError
        With one sentence, if an edit refers to itself, to no run, or to a whole model.
    """
    known = {run.id: run for run in runs}
    first = {run.label: run.id for run in reversed(runs) if run.default}
    found = []
    for name, edit in edits.items():
        sources = []
        for source in edit.sources:
            run_id = source if source in known or source in edits else first.get(source, "")
            if not run_id:
                raise ValueError(f"edits.{name}: there is no run {source}; the runs are {', '.join([*known, *edits])}")
            if run_id in known and known[run_id].whole_model:
                raise ValueError(f"edits.{name}: {source} is a whole model and no adapter; edit a run with factors")
            sources.append(run_id if run_id in known else f"edit.{run_id}")
        _check_nesting(name, edits)
        found.append(Run(f"edit.{name}", f"edit: {name}", "", origin="derived", sources=tuple(sources)))
        if edit.random_control:
            label = f"edit: {name}, {RANDOM}"
            own = Run(f"edit.{name}.random", label, "", origin="derived", control=RANDOM, sources=(f"edit.{name}",))
            found.append(own)
    return found


def _check_nesting(name: str, edits: Mapping[str, Edit]) -> None:
    """Raise ValueError if an edit is computed from itself."""
    seen, waiting = set(), [name]
    while waiting:
        for source in edits[waiting.pop()].sources:
            if source == name:
                raise ValueError(f"edits.{name}: it is computed from itself; name another run")
            if source in edits and source not in seen:
                seen.add(source)
                waiting.append(source)


def first_of_each_start(runs: Iterable[Run]) -> list[Run]:
    """Return the runs without replicates: of one method at one rate from one initialisation, the first alone.

    A replicate shares its initialisation, and so is no further independent seed; one on half of the prompts is none at all.
    """
    first: dict[tuple[str, float, int, str], Run] = {}
    for run in runs:
        if run.half:
            continue
        start = "" if run.origin == "trained" else run.id
        first.setdefault((run.label, run.learning_rate, run.init_seed, start), run)
    return list(first.values())


def expand_pairs(runs: list[Run], comparisons: Comparisons) -> list[tuple[str, str]]:
    """Return the pairs of run ids that the comparisons ask for, without duplicates, each in the order of the runs.

    Raises
    ------
    ValueError
        If an explicit pair or an exclusion names nothing that there is.
    """
    position = {run.id: index for index, run in enumerate(runs)}
    excluded = {
        run.id for name in comparisons.exclude for run in runs if run in _named(name, runs) or run.label == name
    }
    explicit = {tuple(sorted(_pair_of(names, runs), key=position.__getitem__)) for names in comparisons.pairs}
    return [
        (a.id, b.id)
        for a, b in combinations(runs, 2)
        if not {a.id, b.id} & excluded and (_compared(a, b, comparisons) or (a.id, b.id) in explicit)
    ]


def _named(name: str, runs: list[Run]) -> list[Run]:
    """Return the runs that a name stands for: a label (at its default learning rate), `<label>.lr<rate>`, or a run id."""
    found = [run for run in runs if name == run.id or (name == run.label and run.default)]
    found = found or [run for run in runs if run.origin == "trained" and name == run.id.rpartition(".s")[0]]
    if not found:
        labels = ", ".join(dict.fromkeys(run.label for run in runs))
        raise ValueError(f"there is no {name}; name one of {labels}, at another rate as <method>.lr<rate>, or a run id")
    return found


def _pair_of(names: tuple[str, str], runs: list[Run]) -> tuple[str, str]:
    """Return the pair of run ids that two names stand for: at the first seed that both have."""
    first, second = (_named(name, runs) for name in names)
    for a in first:
        for b in second:
            apart = len(first) == len(second) == 1 or a.seed == b.seed or "given" in (a.origin, b.origin)
            if apart and a.id != b.id:
                return a.id, b.id
    seeds = (", ".join(dict.fromkeys(run.seed for run in runs)) for runs in (first, second))
    listed = " and ".join(f"{name} (seed {numbers})" for name, numbers in zip(names, seeds, strict=True))
    raise ValueError(f"pairs: {listed} are no two runs of one seed; let their seeds agree, or name two run ids")


def _compared(a: Run, b: Run, comparisons: Comparisons) -> bool:
    if {a.origin, b.origin} & {"untrained", "derived", "snapshot"} or a.half or b.half:
        return False
    if "given" in (a.origin, b.origin):
        return comparisons.adapters and a.default and b.default
    if a.composition != b.composition:
        return False
    if a.label == b.label:
        if a.learning_rate == b.learning_rate:
            return comparisons.seeds
        return comparisons.learning_rates and a.seed == b.seed
    if a.seed != b.seed:
        return False
    if comparisons.methods and a.default and b.default:
        return True
    return a.learning_rate == b.learning_rate and a.learning_rate in comparisons.matched
