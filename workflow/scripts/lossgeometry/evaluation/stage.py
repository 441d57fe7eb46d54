"""The stage of evaluation: what it measures, costs and shows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lossgeometry.evaluation.tables import TABLES, asked
from lossgeometry.planning.estimates import (
    CHARACTER_BYTES,
    DECODED_TOGETHER,
    LOAD_HOURS,
    Cost,
    Work,
    completion_tokens,
    decode_hours,
)
from lossgeometry.stage import SMOKE_PROMPTS, SMOKE_TOKENS, Figure, Stage, cut

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config


def _on_gpu(config: "Config") -> bool:
    return config.evaluation.engine.name == "vllm"


def _shrink(block: dict[str, Any]) -> dict[str, Any]:
    return cut(block, samples=1) | {
        "snapshots": (),
        "benchmarks": {
            name: benchmark | {"count": min(benchmark["count"] or SMOKE_PROMPTS, SMOKE_PROMPTS)}
            for name, benchmark in block["benchmarks"].items()
        },
        "sampling": cut(block["sampling"], max_new_tokens=SMOKE_TOKENS),
    }


def _costs(config: "Config", work: Work) -> Sequence[Cost]:
    stage = config.evaluation
    if not asked(config):
        return ()
    runs = len(config.evaluated)
    count = sum(work.problems(name) for name in stage.benchmarks) * (stage.greedy + stage.samples)
    tokens = completion_tokens(stage.sampling.max_new_tokens)
    loads = 1 if stage.loads == "per_run" else len(stage.benchmarks)
    hours = decode_hours(work.shape, count, tokens, DECODED_TOGETHER, work.device) + loads * LOAD_HOURS
    return [Cost("evaluation", runs * loads, runs * hours, runs * 2 * CHARACTER_BYTES * count * tokens)]


def _figures(config: "Config") -> Iterator[Figure]:
    for name in config.evaluation.benchmarks:
        title = f"accuracy on {name}"
        yield Figure(f"accuracy_{name}", "accuracy", "Accuracy", "accuracy", title, name, {"benchmark": name})
        title = f"difference to the base on {name}, points"
        yield Figure(f"differences_{name}", "differences", "Accuracy", "forest", title, name, {"benchmark": name})


STAGE = Stage(
    block="evaluation",
    tables=TABLES,
    on_gpu=_on_gpu,
    shrink=_shrink,
    costs=_costs,
    figures=_figures,
    section="evaluation.section",
    statements="evaluation.statements",
    charts="evaluation.charts",
)
