"""What the jobs that train are told."""

from lossgeometry.experiment.config import Config
from lossgeometry.experiment.runs import Run
from lossgeometry.jobs.blocks import Told, engine_path, only
from lossgeometry.jobs.grading import module, verdicts
from lossgeometry.methods import method_module
from lossgeometry.settings.block import Block
from lossgeometry.settings.on_policy import OnPolicy


def is_offline(config: Config, run: str) -> bool:
    """Return whether a run is trained on the rollouts; an on-policy method samples for itself."""
    return method_module(config.runs[run].method).OFFLINE


def adapter(config: Config, run_id: str) -> Told:
    """Return what one run's training depends on: the shared settings, and its own method's, learning rate's and seeds'."""
    run = config.runs[run_id]
    shared = config.training.told()
    for key in ("threads", *config.training.speed_keys):
        shared.pop(key, None)
    method, options = config.methods[run.label], config.options_of(run)
    shared["steps"] = method.steps or shared["steps"]
    shared["schedule_steps"] = method.schedule_steps or shared["schedule_steps"]
    # Only where it is not the default: a run on graded verdicts is not told of a choice that it does not have.
    control = {"verdicts": method.verdicts} if method.verdicts != "graded" else {}
    return {
        "run": run.id,
        "method": run.method,
        "learning_rate": run.learning_rate,
        "init_seed": run.init_seed,
        "order_seed": run.order_seed,
        "options": {key: value for key, value in options.told().items() if key not in _speed_of(options)},
        "training": shared,
        "prompt_suffix": config.prompt_suffix,
        "reward": verdicts(config, "train"),
        **control,
        **composed(config, run),
        **({"half": run.half} if run.half else {}),
    }


def composed(config: Config, run: Run) -> Told:
    """Return the composition of a run's rollouts; nothing for all of them."""
    return {"composition": config.rollouts.compose[run.composition].told()} if run.composition else {}


def modules(config: Config, run_id: str) -> list[str]:
    """Return what a run's training loads by name: its method, and where that samples its engine and its grader."""
    run = config.runs[run_id]
    options = config.options_of(run)
    sampling = [engine_path(options.engine), module(config, "train")] if isinstance(options, OnPolicy) else []
    return [f"lossgeometry/methods/{run.method}.py", *sampling]


def processes(config: Config, run: str) -> int:
    """Return the processes that train a run together; an on-policy method takes one."""
    return config.training.processes if is_offline(config, run) else 1


def speed(config: Config, run: str) -> Told:
    """Return what the speed of one run's training depends on."""
    options = config.options_of(config.runs[run])
    own = only(options, *_speed_of(options))
    shared = only(config.training, *config.training.speed_keys) | {"processes": processes(config, run)}
    kept = {"snapshots": list(config.snapshot_steps)} if config.snapshot_steps else {}
    return shared | kept | ({"options": own} if own else {})


def _speed_of(options: Block) -> tuple[str, ...]:
    """Return the keys of a method that change no result: how much memory its sampler may take."""
    return ("gpu_memory_utilization",) if isinstance(options, OnPolicy) else ()
