"""What an experiment on GPUs costs, stage by stage, before anything is known but its configuration and the student's shape.

Formulas with assumed efficiencies, no measurement; `lossgeometry.planning.plan` goes
by recorded run times where there are any. Light.
"""

from lossgeometry.experiment.config import Config
from lossgeometry.planning.estimates import Cost, Device, Work
from lossgeometry.stages import STAGES


def budget(config: Config, work: Work) -> list[Cost]:
    """Return what the models and every stage cost; a stage that does not run is absent."""
    fetched = (config.student.source == "hub") + (config.teacher.source == "hub")
    models = [Cost("models", fetched, 0.0, fetched * 2.0 * work.shape.parameters)] if fetched else []
    return models + [cost for stage in STAGES for cost in stage.costs(config, work)]


def format_budget(costs: list[Cost], device: Device) -> str:
    """Return the budget as a Markdown table; every number in it comes from a formula."""
    lines = [
        f"| stage | GPU jobs | GPU-hours ({device.name}, formula) | disk, GB (formula) |",
        "| --- | ---: | ---: | ---: |",
    ]
    for cost in costs:
        jobs = cost.jobs if cost.gpu_hours else 0
        lines.append(f"| {cost.name} | {jobs} | {cost.gpu_hours:.1f} | {cost.disk_bytes / 1e9:.1f} |")
    hours, disk = sum(cost.gpu_hours for cost in costs), sum(cost.disk_bytes for cost in costs)
    jobs = sum(cost.jobs for cost in costs if cost.gpu_hours)
    return "\n".join([*lines, f"| all | {jobs} | {hours:.1f} | {disk / 1e9:.1f} |"])
