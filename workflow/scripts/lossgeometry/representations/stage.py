"""The stage of hidden states: what it measures, costs and shows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lossgeometry.planning.estimates import LOAD_HOURS, PROMPT_TOKENS, Cost, Work, forward_hours
from lossgeometry.stage import RUN_PAIR, SMOKE_PROMPTS, SMOKE_TOKENS, Column, Figure, Stage, Table, cut

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config

ESTIMATORS = {
    "debiased": "CKA, debiased",
    "debiased_standardised": "CKA, debiased, dimensions standardised",
    "biased_prompts": "CKA, biased, on prompts (as in the paper)",
    "relative_residual": "Relative residual of the hidden states",
    "shift_cosine": "Cosine of the shifts away from the base",
}


def _asked(config: "Config") -> bool:
    return bool(config.representation_pairs)


def _on_gpu(config: "Config") -> bool:
    return _asked(config) and config.representations.precision == "bfloat16"


def _shrink(block: dict[str, Any]) -> dict[str, Any]:
    return cut(block, tokens=2 * SMOKE_TOKENS, prompts=SMOKE_PROMPTS, bootstrap=40)


def _costs(config: "Config", work: Work) -> Sequence[Cost]:
    stage, pairs, shape = config.representations, config.representation_pairs, work.shape
    if not pairs:
        return ()
    runs = len({run for pair in pairs for run in pair}) + 1  # the base
    width = 2 if stage.precision == "bfloat16" else 4
    stored = runs * (shape.layers + 1) * shape.hidden * (stage.tokens + stage.prompts) * width
    tokens = runs * (stage.tokens + stage.prompts * PROMPT_TOKENS)
    return [Cost("hidden states", runs, forward_hours(shape, tokens, work.device) + runs * LOAD_HOURS, stored)]


def _figures(config: "Config") -> Iterator[Figure]:
    if _asked(config):
        for name in config.representations.estimators:
            title = ESTIMATORS[name]
            yield Figure(
                f"representations_{name}",
                "representations",
                "Function space",
                "similarity",
                title,
                name,
                {"estimator": name},
            )


CKA = Table(
    "cka",
    "Similarity of the hidden states of two runs after one layer, by one estimator",
    (
        *RUN_PAIR,
        Column("layer", "its hidden states are taken after this block; counted from 0"),
        Column("estimator", "how similarity is estimated; see `representations.estimators`"),
        Column("value", "the estimate on all sequences"),
        Column("low", "lower end of the 95 % interval over sequences, from half-samples"),
        Column("high", "upper end of that interval"),
        Column(
            "null_mean",
            "what the estimator gives for unrelated states; for shifts of these sizes, if they are orthogonal as unrelated ones"
            " are on average",
        ),
        Column(
            "null_sd",
            "its standard deviation, of shifts alone: as measured between random directions and every run (of the relative"
            " residual an upper bound)",
        ),
        Column(
            "control",
            "the same between a control on shuffled verdicts and either run, whichever pair is more alike; empty without one",
            "as `value`",
        ),
        Column("replicate", "the same between two runs that differ in the order of the data alone, as in `geometry`"),
        Column("note", "why the value or its chance level is undefined"),
    ),
    _asked,
    ("pair", "layer", "estimator", "value", "low", "high"),
)
STAGE = Stage(
    block="representations",
    tables=(CKA,),
    on_gpu=_on_gpu,
    shrink=_shrink,
    costs=_costs,
    figures=_figures,
    section="representations.section",
    statements="representations.statements",
    charts="representations.charts",
)
