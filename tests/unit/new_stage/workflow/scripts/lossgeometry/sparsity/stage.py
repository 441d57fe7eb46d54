"""The stage of sparsity: what it measures, costs and shows."""

from lossgeometry.planning.estimates import Cost
from lossgeometry.stage import Column, Figure, Stage, Table, cut


def _asked(config):
    return config.sparsity.entries > 0


def _costs(config, work):
    return [Cost("sparsity", len(config.runs), 0.5, 8.0 * config.sparsity.entries)] if _asked(config) else ()


def _figures(config):
    return [Figure("sparsity", "norm", "Weights", "sparsity", "small entries")] if _asked(config) else ()


SPARSITY = Table(
    "sparsity",
    "One run",
    (Column("run", "run"), Column("small", "entries below a tenth of the largest", "share")),
    _asked,
    None,
)
STAGE = Stage(
    block="sparsity",
    tables=(SPARSITY,),
    on_gpu=_asked,
    shrink=lambda block: cut(block, entries=8),
    costs=_costs,
    figures=_figures,
    section="sparsity.section",
    statements="sparsity.statements",
    charts="sparsity.charts",
)
