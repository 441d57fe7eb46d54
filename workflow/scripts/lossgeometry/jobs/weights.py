"""What the jobs that compare weights are told."""

from itertools import combinations

from lossgeometry.experiment.config import Config
from lossgeometry.experiment.runs import RANDOM, Run, first_of_each_start
from lossgeometry.jobs.blocks import Told
from lossgeometry.jobs.pairs import rows
from lossgeometry.settings.edits import Edit
from lossgeometry.updates.folders import saves_modules


def update(config: Config, run: str) -> Told:
    """Return what the decomposition of a run's update depends on: what has no low rank is cut at one."""
    return {"rank": config.geometry.fine_tune_rank} if beside_base(config, run) else {}


def beside_base(config: Config, run: str) -> bool:
    """Return whether a run's update is read beside the student: where it must be, and where a student that the user named knows
    the modules which the adapter trained whole."""
    update = config.runs[run]
    named = update.origin == "given" and config.student.source != "tiny"
    return update.needs_base or (named and saves_modules(update.folder))


def base_spectra(config: Config) -> Told:
    """Return which weights of the base are decomposed: the user's adapters may target any matrix, those trained here do not."""
    return {"targets": [] if config.adapters else sorted(config.lora.target_modules)}


def pair(config: Config, run_a: str, run_b: str) -> Told:
    """Return what one pair's geometry depends on beside the two updates."""
    a, b = config.runs[run_a], config.runs[run_b]
    reference = config.geometry.reference
    return {"k": config.geometry.k, "reference": int(b.label == reference != a.label)}


def row(config: Config, run: str) -> Told:
    """Return what the geometry of each pair in a run's row depends on, by the other run."""
    return {other: pair(config, other, run) for other in rows(config.pairs)[run]}


def pairs_table(config: Config) -> Told:
    """Return what the tables of the pairs depend on beside their files."""
    pairs = [{"a": a, "b": b, "reference": pair(config, a, b)["reference"]} for a, b in config.pairs]
    return {"pairs": pairs, "runs": {run.id: _identity(run) for run in config.runs.values()}}


def representations_table(config: Config) -> Told:
    """Return what the table of hidden states depends on beside the pairs' files."""
    pairs = config.representation_pairs
    return {
        "pairs": [list(pair) for pair in pairs],
        "runs": {run: _identity(config.runs[run]) for run in config.runs},
        "random": [run.id for run in config.runs.values() if run.control == RANDOM],
    }


def _identity(run: Run) -> Told:
    """Return what tells a run apart in the tables; one that was not trained here has no learning rate or seed."""
    learning_rate, seed = (run.learning_rate, run.seed) if run.origin == "trained" else (None, "")
    init, order = (run.init_seed, run.order_seed) if run.origin == "trained" else (None, None)
    identity = {"method": run.label, "learning_rate": learning_rate, "seed": seed}
    return identity | {"init": init, "order": order, "control": bool(run.control)}


def swept_runs(config: Config) -> list[Run]:
    """Return the trained runs of methods that have several seeds or learning rates; a control is no method."""
    runs = [run for run in config.trained if not run.control]
    return [run for run in runs if sum(other.label == run.label for other in runs) > 1]


def sweeps(config: Config) -> Told:
    """Return what the tables of seeds and learning rates depend on beside the updates."""
    keys = ("learning_rate", "init_seed", "seed", "default", "order_seed", "half")
    first = {run.id for run in first_of_each_start(swept_runs(config))}
    return {
        "runs": [
            {"run": run.id, "method": run.label, "first": run.id in first} | {key: getattr(run, key) for key in keys}
            for run in swept_runs(config)
        ]
    }


def derived(config: Config, run_id: str) -> Told:
    """Return what a derived update depends on beside those that it is computed from."""
    run = config.runs[run_id]
    if run.control:  # random directions
        (source,) = run.sources
        edit = Edit(of=source, randomise=run.init_seed)
        return {"edit": edit.told(), "names": [source], "sources": [source]}
    edit = config.edits[run_id.removeprefix("edit.")]
    return {"edit": edit.told(), "names": list(edit.sources), "sources": list(run.sources)}


def scaled_to_kl(config: Config) -> list[str]:
    """Return the run ids of the edits that are scaled to a divergence, for which the model runs."""
    return [f"edit.{name}" for name, edit in config.edits.items() if edit.to_kl]


def overlapped(config: Config) -> list[tuple[str, str]]:
    """Return the pairs whose changed entries are compared: those of the geometry, and edits to one divergence."""
    to_one = (
        (f"edit.{a}", f"edit.{b}")
        for (a, first), (b, second) in combinations(config.edits.items(), 2)
        if first.to_kl and first.to_kl == second.to_kl
    )
    return list(dict.fromkeys([*config.pairs, *to_one]))


def edits(config: Config) -> Told:
    """Return what the tables of the edits depend on beside their files."""
    return {
        "edits": {
            f"edit.{name}": {
                "operation": edit.words(),
                "parent": config.runs[f"edit.{name}"].sources[0],
                "control": f"edit.{name}.random" if edit.random_control else "",
                "norm_of": config.runs[f"edit.{name}"].sources[-1] if edit.to_norm_of else "",
            }
            for name, edit in config.edits.items()
        },
        "benchmarks": list(config.evaluation.benchmarks),
        "margin": config.evaluation.margin,
    }
