"""What the jobs that judge answers are told, and by which module: each set of problems names its grader."""

from lossgeometry.experiment.config import Config
from lossgeometry.grading.graders import DEFAULT
from lossgeometry.jobs.blocks import Told
from lossgeometry.settings.models import Problems

ROLLOUT_SETS = ("train", "heldout")
"""The sets of problems that the teacher answers: `train` is what is trained on, `heldout` only serves as reference."""


def problem_source(config: Config, name: str) -> Problems | None:
    """Return where a set of problems comes from; None where it comes with imported rollouts."""
    if name == "probe":
        return config.probes
    return config.prompts if name in ROLLOUT_SETS else config.evaluation.benchmarks[name]


def grader(config: Config, name: str) -> str:
    """Return the grader of a set of problems."""
    source = problem_source(config, name)
    return source.grader if source else DEFAULT


def verdicts(config: Config, name: str) -> Told:
    """Return what the verdicts on answers to a set of problems depend on; a grader only where it is not the default."""
    named = {} if grader(config, name) == DEFAULT else {"grader": grader(config, name)}
    return {"deadline_seconds": config.grading.deadline_seconds, **named}


def module(config: Config, name: str) -> str:
    """Return the path of the module that grades a set of problems: no import statement shows it to the code's digest."""
    return f"lossgeometry/grading/graders/{grader(config, name)}.py"
