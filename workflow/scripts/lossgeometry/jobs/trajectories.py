"""What the job of the trajectories is told."""

from lossgeometry.experiment.config import Config
from lossgeometry.experiment.runs import Run
from lossgeometry.experiment.snapshots import checkpoints_of
from lossgeometry.jobs.blocks import Told
from lossgeometry.trajectories.stage import followed_pairs


def table(config: Config) -> Told:
    """Return the paths that are followed, as steps and run ids, and the pairs of them."""
    return {
        "runs": {run: followed(config, run) for run in config.snapshots},
        "pairs": [
            {"run_a": a, "run_b": b, "replicate": differ_in(config.runs[a], config.runs[b])}
            for a, b in followed_pairs(config)
        ],
        "rank": config.geometry.fine_tune_rank,
    }


def followed(config: Config, run_id: str) -> list[tuple[int, str]]:
    """Return the steps of a run and the ids of its snapshots; the last is the run itself."""
    run = config.runs[run_id]
    given = checkpoints_of(config.adapters).get(run.label, {}) if run.origin == "given" else {}
    last = max(given) if given else config.methods[run.label].steps or config.training.steps
    kept = [(snapshot.step, snapshot.id) for snapshot in config.snapshots[run_id]]
    return [*kept, (last, run_id)]


def differ_in(a: Run, b: Run) -> str:
    """Return what alone two runs of one loss differ in: `order`, `initialisation`, `both` or `rate`; empty for two losses."""
    if a.origin != "trained" or a.label != b.label:
        return ""
    if a.learning_rate != b.learning_rate:
        return "rate"
    init, order = a.init_seed != b.init_seed, a.order_seed != b.order_seed
    return "both" if init and order else "initialisation" if init else "order"
