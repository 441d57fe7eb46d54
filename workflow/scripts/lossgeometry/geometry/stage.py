"""The stage of the weight updates and their pairwise geometry: what it costs and shows; its tables are in `tables`."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lossgeometry.costs import lora_parameters
from lossgeometry.explorer.metrics import METRICS, RUN_METRICS
from lossgeometry.geometry.tables import TABLES
from lossgeometry.planning.estimates import Cost, Work
from lossgeometry.stage import Figure, Stage

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config

WEIGHTS = "Weights"
BY_LAYER = {
    "cosine_by_layer": "cosine",
    "alignment_by_layer": "gram_alignment.output",
    "orthogonal_by_layer": "orthogonal_fraction",
}


def _costs(config: "Config", work: Work) -> Sequence[Cost]:
    # Singular vectors of a rank-r update take as much as its two factors.
    stored = len(config.runs) * 4.0 * lora_parameters(work.shape, config.lora)
    return [Cost("weight updates", len(config.runs), 0.0, stored)]


def _figures(config: "Config") -> Iterator[Figure]:
    if not config.pairs:
        return
    yield Figure("cosine_map", "cosine_map", WEIGHTS, "map")
    yield Figure("matrices", "matrices", WEIGHTS, "where_all", width=560)
    for name, metric in BY_LAYER.items():
        yield Figure(name, name, WEIGHTS, "depth", METRICS[metric].title, state={"depth": metric})
    outputs = METRICS["top_direction.output"].title
    yield Figure("output_directions", "output_directions", WEIGHTS, "basis", outputs)
    angles = "first to last of {k} principal angles, output side (°)"
    yield Figure("principal_angles", "principal_angles", WEIGHTS, "angles", angles)
    yield Figure("norm", "norm", WEIGHTS, "norm", RUN_METRICS["norm"])
    yield Figure("effective_rank", "effective_rank", WEIGHTS, "rank", RUN_METRICS["effective_rank"])
    if any(config.runs[a].label == config.runs[b].label for a, b in config.pairs):
        name, title = "seeds_and_learning_rates", "similarity of two runs of one method"
        yield Figure(name, name, WEIGHTS, "robustness", title)


STAGE = Stage(
    block="geometry",
    tables=TABLES,
    costs=_costs,
    figures=_figures,
    section="geometry.section",
    statements="geometry.statements",
    charts="geometry.charts",
)
