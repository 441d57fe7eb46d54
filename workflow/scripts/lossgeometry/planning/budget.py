"""What an experiment on GPUs costs, stage by stage, before anything is known but its configuration and the student's shape.

Formulas with assumed efficiencies, no measurement; `lossgeometry.planning.plan` goes
by recorded run times where there are any. Light.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lossgeometry.costs import Shape, lora_parameters, step_flops
from lossgeometry.experiment.config import Config
from lossgeometry.experiment.runs import BASE, Run
from lossgeometry.methods import method_module
from lossgeometry.settings.rollouts import Sampling

TRAINING_MFU = 0.35
FORWARD_MFU = 0.4
DECODE_EFFICIENCY = 0.4
"""Share of the memory bandwidth that decoding reaches, which is what bounds it."""
LOAD_HOURS = 1.5 / 60
"""A job's imports, and the model read and placed."""
PROMPT_TOKENS = 150
MEAN_SHARE = 0.35
"""Mean length of a completion as a share of its token budget, at most `LONGEST_MEAN`."""
LONGEST_MEAN = 1500
DECODED_TOGETHER = 256
CHARACTER_BYTES = 4
"""Bytes of text per token, in each of the two files that hold a completion."""


@dataclass(frozen=True)
class Device:
    """A GPU by its data sheet."""

    name: str
    tflops: float
    """Dense bfloat16."""
    bandwidth: float
    """Bytes per second."""


REFERENCE_DEVICE = Device("H100 or H200", 989.0, 3.35e12)


@dataclass(frozen=True)
class Stage:
    """The cost of one stage."""

    name: str
    jobs: int
    gpu_hours: float
    disk_bytes: float


def completion_tokens(sampling_budget: int) -> float:
    """Return the assumed mean length of completions with this token budget."""
    return min(MEAN_SHARE * sampling_budget, LONGEST_MEAN)


def decode_hours(shape: Shape, completions: float, tokens: float, together: int, device: Device) -> float:
    """Return the hours to decode completions: every step reads all weights and the keys and values of what is in flight."""
    if not completions:
        return 0.0
    together = min(together, completions)
    cached = 4 * shape.layers * shape.key_value * (PROMPT_TOKENS + tokens / 2)
    step_seconds = (2 * shape.parameters + together * cached) / (DECODE_EFFICIENCY * device.bandwidth)
    return completions * tokens / together * step_seconds / 3600


def forward_hours(shape: Shape, tokens: float, device: Device) -> float:
    """Return the hours of forward passes over tokens."""
    return 2 * shape.parameters * tokens / (FORWARD_MFU * device.tflops * 1e12) / 3600


def budget(
    config: Config, shape: Shape, problems: Callable[[str], int], device: Device = REFERENCE_DEVICE
) -> list[Stage]:
    """Return the stages of an experiment.

    Parameters
    ----------
    problems
        The number of problems of a benchmark, and of `train`.
    """
    rollout_tokens = completion_tokens(config.rollouts.sampling.max_new_tokens)
    return [
        stage
        for stage in (
            _models(config, shape),
            _rollouts(config, shape, problems, rollout_tokens, device),
            _training(config, shape, rollout_tokens, device),
            _updates(config, shape),
            _evaluation(config, shape, problems, config.evaluation.sampling, device),
            _connectivity(config, shape, rollout_tokens, device),
            _representations(config, shape, device),
        )
        if stage.jobs
    ]


def _models(config: Config, shape: Shape) -> Stage:
    fetched = (config.student.source == "hub") + (config.teacher.source == "hub")
    return Stage("models", fetched, 0.0, fetched * 2.0 * shape.parameters)


def _rollouts(config: Config, shape: Shape, problems: Callable[[str], int], tokens: float, device: Device) -> Stage:
    trained = any(not run.external for run in config.runs.values())
    if not trained or config.rollouts.file:
        return Stage("rollouts", 0, 0.0, 0.0)
    count = (problems("train") + config.rollouts.heldout_prompts) * config.rollouts.samples_per_prompt
    hours = 0.0
    if config.rollouts.engine.name == "vllm":
        hours = decode_hours(shape, count, tokens, DECODED_TOGETHER, device) + config.rollouts.shards * LOAD_HOURS
    return Stage("rollouts", config.rollouts.shards + 1, hours, 2 * CHARACTER_BYTES * count * tokens)


def _training(config: Config, shape: Shape, tokens: float, device: Device) -> Stage:
    runs = [run for run in config.runs.values() if not run.external]
    hours = sum(_training_hours(config, run, shape, tokens, device) for run in runs)
    factors = 4.0 * lora_parameters(shape, config.lora)
    # Two checkpoints of factors and both moments stand beside the adapter while a run lasts; take one run at a time.
    return Stage("training", len(runs), hours, len(runs) * factors + (2 * 3 * factors if runs else 0))


def _training_hours(config: Config, run: Run, shape: Shape, tokens: float, device: Device) -> float:
    method = config.methods[run.label]
    steps, rows = method.steps or config.training.steps, config.training.batch_size
    sampling = 0.0
    if not method_module(run.method).OFFLINE:
        tokens = completion_tokens(config.options_of(run).max_new_tokens)
        # The slowest completion of a batch keeps it waiting: decode at its budget, with the batch in flight.
        sampling = steps * decode_hours(shape, rows, config.options_of(run).max_new_tokens, rows, device)
    pairs = 2 if run.method in ("dpo", "ipo", "simpo") else 1
    arithmetic = steps * step_flops(shape, config.lora, [int(PROMPT_TOKENS + tokens)] * rows * pairs)
    return sampling + arithmetic / (TRAINING_MFU * device.tflops * 1e12) / 3600 + LOAD_HOURS


def _updates(config: Config, shape: Shape) -> Stage:
    # Singular vectors of a rank-r update take as much as its two factors.
    return Stage("weight updates", len(config.runs), 0.0, len(config.runs) * 4.0 * lora_parameters(shape, config.lora))


def _evaluation(
    config: Config, shape: Shape, problems: Callable[[str], int], sampling: Sampling, device: Device
) -> Stage:
    runs = len({BASE, *config.runs}) if config.evaluation.benchmarks else 0
    each = config.evaluation.greedy + config.evaluation.samples
    count = sum(problems(name) for name in config.evaluation.benchmarks) * each
    tokens = completion_tokens(sampling.max_new_tokens)
    loads = 1 if config.evaluation.loads == "per_run" else len(config.evaluation.benchmarks)
    hours = decode_hours(shape, count, tokens, DECODED_TOGETHER, device) + loads * LOAD_HOURS
    return Stage("evaluation", runs * loads, runs * hours, runs * 2 * CHARACTER_BYTES * count * tokens)


def _connectivity(config: Config, shape: Shape, tokens: float, device: Device) -> Stage:
    stage, pairs = config.connectivity, config.connectivity_pairs
    runs = {run for pair in pairs for run in pair}
    per_point = stage.sequences * (PROMPT_TOKENS * len(stage.losses) + tokens * ("reference_solution" in stage.losses))
    # The base is an end point too, with one measurement; a stage without pairs does not run.
    points = len(pairs) * len(stage.points) + len(runs) * (1 + len(stage.shrink_points)) + 1
    jobs = len(pairs) + len(runs) + 1 if pairs else 0
    return Stage("connectivity", jobs, forward_hours(shape, points * per_point, device) + jobs * LOAD_HOURS, 0.0)


def _representations(config: Config, shape: Shape, device: Device) -> Stage:
    stage, pairs = config.representations, config.representation_pairs
    runs = len({BASE, *(run for pair in pairs for run in pair)}) if pairs else 0
    width = 2 if stage.precision == "bfloat16" else 4
    stored = runs * (shape.layers + 1) * shape.hidden * (stage.tokens + stage.prompts) * width
    tokens = runs * (stage.tokens + stage.prompts * PROMPT_TOKENS)
    return Stage("hidden states", runs, forward_hours(shape, tokens, device) + runs * LOAD_HOURS, stored)


def format_budget(stages: list[Stage], device: Device) -> str:
    """Return the budget as a Markdown table; every number in it comes from a formula."""
    lines = [
        f"| stage | GPU jobs | GPU-hours ({device.name}, formula) | disk, GB (formula) |",
        "| --- | ---: | ---: | ---: |",
    ]
    for stage in stages:
        jobs = stage.jobs if stage.gpu_hours else 0
        lines.append(f"| {stage.name} | {jobs} | {stage.gpu_hours:.1f} | {stage.disk_bytes / 1e9:.1f} |")
    hours, disk = sum(stage.gpu_hours for stage in stages), sum(stage.disk_bytes for stage in stages)
    jobs = sum(stage.jobs for stage in stages if stage.gpu_hours)
    return "\n".join([*lines, f"| all | {jobs} | {hours:.1f} | {disk / 1e9:.1f} |"])
