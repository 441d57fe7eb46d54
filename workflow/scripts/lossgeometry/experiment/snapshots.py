"""Snapshots: what a run was on its way, as runs; of a run that the user supplied, its checkpoints."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lossgeometry.experiment.runs import BASE, Run, snapshot_id
from lossgeometry.settings.models import Checkpoints
from lossgeometry.settings.training import Method, Training
from lossgeometry.updates.folders import checkpoints_in

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config

SNAPSHOT = re.compile(r"\.t[0-9]+$")


def snapshot_steps(training: Training, methods: Mapping[str, Method]) -> tuple[int, ...]:
    """Return the steps at which every trained run is kept, in order: the same for all, so that runs can be compared there.

    Raises
    ------
    ValueError
        If a step is not before the last of every method.
    """
    ends = {label: method.steps or training.steps for label, method in methods.items()}
    if not ends:
        return ()
    first = min(ends, key=ends.__getitem__)
    if training.snapshots == "log":
        # Not after one: a warm-up's first step has a learning rate of 0.
        return tuple(2**power for power in range(1, ends[first].bit_length()) if 2**power < ends[first])
    for step in training.snapshots:
        if not 0 < step < ends[first]:
            raise ValueError(
                f"training.snapshots: step {step} is not between the first and the last of {first}, {ends[first]}; name steps from"
                f" 1 to {ends[first] - 1}"
            )
    return tuple(sorted(set(training.snapshots)))


def checkpoints_of(adapters: Mapping[str, str | Checkpoints]) -> dict[str, dict[int, Path]]:
    """Return the folders of all updates that were given with their checkpoints, by name and step, in order."""
    given = {name: of.checkpoints for name, of in adapters.items() if isinstance(of, Checkpoints)}
    return {name: checkpoints_in(folder) for name, folder in given.items()}


def folders_of(adapters: Mapping[str, str | Checkpoints]) -> dict[str, str]:
    """Return the folder or hub id of every update that was given, by name; of those with checkpoints that of the last."""
    last = {name: str([*folders.values()][-1]) for name, folders in checkpoints_of(adapters).items()}
    return {name: last.get(name, str(given)) for name, given in adapters.items()}


def expand_snapshots(
    runs: Iterable[Run], steps: Sequence[int], checkpoints: Mapping[str, Mapping[int, Path]]
) -> dict[str, list[Run]]:
    """Return the snapshots of every run that has any, by its id, in order.

    Parameters
    ----------
    steps
        Of the runs that are trained here.
    checkpoints
        Folders of the runs that were given with theirs, by label and step; the last is the run itself.
    """
    found = {}
    for run in runs:
        folders = checkpoints.get(run.label, {}) if run.origin == "given" else {}
        kept = steps if run.origin == "trained" else list(folders)[:-1]
        found[run.id] = [
            replace(
                run,
                id=snapshot_id(run.id, step),
                label=f"{run.label} at step {step}",
                default=False,
                folder=str(folders.get(step, "")),
                origin="snapshot",
                sources=(run.id,),
                step=step,
            )
            for step in kept
        ]
    return {run: kept for run, kept in found.items() if kept}


def named_snapshots(config: "Config") -> list[Run]:
    """Return the snapshots that a stage names, in order: those are runs like any other."""
    named = {name for names in _names(config).values() for name in names}
    return [snapshot for kept in config.snapshots.values() for snapshot in kept if snapshot.id in named]


def answering(config: "Config") -> list[str]:
    """Return the base and the runs that are tested: of snapshots those that `evaluation.snapshots` or an edit names."""
    edited = {source for run in config.runs.values() if run.origin == "derived" for source in run.sources}
    named = {*edited, *config.evaluation.snapshots}
    runs = [run for run in config.runs.values() if not run.whole_model]
    return [BASE, *(run.id for run in runs if not (run.half or run.origin == "snapshot") or run.id in named)]


def check_snapshots(config: "Config", runs: Sequence[Run]) -> None:
    """Raise ValueError unless every snapshot that is named is kept."""
    known = {snapshot.id for kept in config.snapshots.values() for snapshot in kept}
    for key, names in _names(config).items():
        for name in names:
            if name not in known and (SNAPSHOT.search(name) or key == "evaluation.snapshots"):
                raise ValueError(f"{key}: {_no_snapshot(name, runs)}")


def _names(config: "Config") -> dict[str, list[str]]:
    """Return the names of runs that each key of a configuration holds."""
    compared = {
        "": config.comparisons,
        "connectivity.": config.connectivity.comparisons,
        "representations.": config.representations.comparisons,
        "behaviour.": config.behaviour.comparisons,
    }
    pairs = {
        f"{key}comparisons.pairs": [name for pair in of.pairs for name in pair] for key, of in compared.items() if of
    }
    edits = {f"edits.{name}": list(edit.sources) for name, edit in config.edits.items()}
    others = {"audit.points": list(config.audit.points), "evaluation.snapshots": list(config.evaluation.snapshots)}
    return pairs | edits | others


def _no_snapshot(name: str, runs: Sequence[Run]) -> str:
    """Return why there is no such snapshot, and the cure."""
    of = {run.id: run for run in runs}.get(name.rpartition(".t")[0])
    if of is None:
        return f"{name} is no snapshot; name one as <run>.t<step>"
    if of.origin == "given":
        key = f"adapters.{of.label}"
        return f"{of.id} was given and has no snapshot {name}; name its checkpoints as {key}: {{checkpoints: folder}}"
    if of.origin != "trained":
        return f"{of.id} is not trained here, and only what is trained has snapshots; name one of a trained run"
    return f"{name} is not kept; add its step to training.snapshots"
