"""What the jobs that train are told."""

from lossgeometry.experiment.config import Config
from lossgeometry.jobs.blocks import Told, engine_path, only
from lossgeometry.methods import method_module
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
    shared["steps"] = config.methods[run.label].steps or shared["steps"]
    return {
        "run": run.id,
        "method": run.method,
        "learning_rate": run.learning_rate,
        "init_seed": run.init_seed,
        "order_seed": run.order_seed,
        "options": config.options_of(run).told(),
        "training": shared,
        "prompt_suffix": config.prompt_suffix,
        "reward": {"deadline_seconds": config.grading.deadline_seconds},
    }


def modules(config: Config, run_id: str) -> list[str]:
    """Return the method of a run, and the engine that samples where it is an on-policy one."""
    run = config.runs[run_id]
    options = config.options_of(run)
    engines = [engine_path(options.engine)] if isinstance(options, OnPolicy) else []
    return [f"lossgeometry/methods/{run.method}.py", *engines]


def processes(config: Config, run: str) -> int:
    """Return the processes that train a run together; an on-policy method takes one."""
    return config.training.processes if is_offline(config, run) else 1


def speed(config: Config, run: str) -> Told:
    """Return what the speed of one run's training depends on."""
    return only(config.training, *config.training.speed_keys) | {"processes": processes(config, run)}
