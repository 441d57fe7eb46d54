"""What an experiment on GPUs costs, stage by stage, before anything is known but its configuration and the student's shape.

Formulas with assumed efficiencies, and what `make rehearse` measured where it was run; `lossgeometry.planning.plan` goes by
recorded run times where there are any. Light.
"""

from pathlib import Path

from lossgeometry.experiment.config import Config
from lossgeometry.files.jsonl import read_lines
from lossgeometry.planning.estimates import Cost, Device, Work
from lossgeometry.stages import STAGES

PUBLISHED = {
    "openai/gsm8k": 1319,
    "MathArena/aime_2026": 30,
    "HuggingFaceH4/MATH-500": 500,
    "agentica-org/DeepScaleR-Preview-Dataset": 40315,
}
"""Problems of data sets that are not here yet."""


def problems_in(config: Config, results: Path, name: str) -> int:
    """Return the problems of a set: what the configuration asks for, what lies there, or the published size of the data set."""
    problems = config.prompts if name == "train" else config.evaluation.benchmarks[name]
    written = results / "prompts" / f"{name}.jsonl"
    if problems is None or not problems.count:
        if written.is_file():
            return sum(1 for _ in read_lines(written))
        return PUBLISHED.get(problems.name, 1000) if problems else 0
    return problems.count


def budget(config: Config, work: Work) -> list[Cost]:
    """Return what the models and every stage cost; a stage that does not run is absent."""
    fetched = (config.student.source == "hub") + (config.teacher.source == "hub")
    models = [Cost("models", fetched, 0.0, fetched * 2.0 * work.shape.parameters)] if fetched else []
    return models + [cost for stage in STAGES for cost in stage.costs(config, work)]


def format_budget(costs: list[Cost], device: Device) -> str:
    """Return the budget as a Markdown table; each line says where its hours come from."""
    lines = [
        f"| stage | GPU jobs | GPU-hours ({device.name}) | hours are from | disk, GB (formula) |",
        "| --- | ---: | ---: | --- | ---: |",
    ]
    for cost in costs:
        jobs = cost.jobs if cost.gpu_hours else 0
        source = cost.source if cost.gpu_hours else ""
        lines.append(f"| {cost.name} | {jobs} | {cost.gpu_hours:.1f} | {source} | {cost.disk_bytes / 1e9:.1f} |")
    hours, disk = sum(cost.gpu_hours for cost in costs), sum(cost.disk_bytes for cost in costs)
    jobs = sum(cost.jobs for cost in costs if cost.gpu_hours)
    return "\n".join([*lines, f"| all | {jobs} | {hours:.1f} | | {disk / 1e9:.1f} |"])
