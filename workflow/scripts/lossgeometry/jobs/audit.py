"""What the jobs of the audit are told."""

from lossgeometry.audit.losses import audited
from lossgeometry.experiment.config import Config
from lossgeometry.experiment.runs import Run
from lossgeometry.jobs.blocks import Told, only
from lossgeometry.jobs.training import composed


def gradients(config: Config) -> Told:
    """Return what the gradients of all offline losses depend on; of training only what decides which rows a loss takes."""
    return {
        "losses": [_loss(config, run) for run in audited(config)],
        "prompt_suffix": config.prompt_suffix,
        "order_seed": audited(config)[0].order_seed,
        **only(config.training, "batch_size", "max_length"),
        **only(config.audit, "prompts", "folds", "precision", "tokens_per_batch"),
    }


def _loss(config: Config, run: Run) -> Told:
    verdicts = config.methods[run.label].verdicts
    control = {"verdicts": verdicts} if verdicts != "graded" else {}
    return {
        "label": run.label,
        "method": run.method,
        "options": config.options_of(run).told(),
        **control,
        **composed(config, run),
    }


def modules(config: Config) -> list[str]:
    """Return the methods, which are loaded by name."""
    return sorted({f"lossgeometry/methods/{run.method}.py" for run in audited(config)})


def tables(config: Config) -> Told:
    """Return what the tables of the gradients depend on beside them; curves are drawn through the compositions, too."""
    training = config.training
    drawn = {run.label: (config.methods[run.label].steps or training.steps) for run in audited(config)}
    composed = [config.rollouts.compose[run.composition].right for run in audited(config) if run.composition]
    return {
        "points": list(config.audit.points),
        "shares": sorted({*config.audit.shares, *(share for share in composed if 0 < share < 1)}),
        "drawn": {label: steps * training.batch_size for label, steps in drawn.items()},
    }


def predictions(config: Config) -> Told:
    """Return the pairs of runs that a prediction is made for: two losses on the same rollouts, with the same seeds."""
    first = {run.label: run for run in reversed(audited(config))}
    known = {run.id: run for run in config.trained if run.label in first}
    pairs = [(known[a], known[b]) for a, b in config.pairs if a in known and b in known]
    return {
        "pairs": [
            {"run_a": a.id, "run_b": b.id, "loss_a": a.label, "loss_b": b.label, "kind": _kind(config, a, b)}
            | _composition(config, a, b)
            for a, b in pairs
            if a.label != b.label and a.composition == b.composition and a.seed == b.seed
        ],
        "largest_miss": config.audit.largest_miss,
    }


def _kind(config: Config, a: Run, b: Run) -> str:
    """Return what sort of pair two runs are; runs at another rate than their methods' own are compared at one they share."""
    kind = a.composition or ("own rates" if a.default and b.default else "matched rates")
    if a.control or b.control:
        kind = "control"
    return kind if a.init_seed == audited(config)[0].init_seed else f"{kind}, other seeds"


def _composition(config: Config, a: Run, b: Run) -> Told:
    """Return the share of right rollouts of a pair's composition, and the losses whose curves go through it."""
    if not a.composition:
        return {}
    whole = {run.method: run.label for run in reversed(audited(config)) if not (run.composition or run.control)}
    curves = {f"curve_{side}": whole.get(run.method, "") for side, run in (("a", a), ("b", b))}
    return {"share": config.rollouts.compose[a.composition].right, **curves}
