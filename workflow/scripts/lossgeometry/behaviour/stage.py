"""The stage of behaviour: what it measures, costs and shows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lossgeometry.planning.estimates import LOAD_HOURS, PROMPT_TOKENS, Cost, Work, completion_tokens, forward_hours
from lossgeometry.stage import RUN_PAIR, SMOKE_PROMPTS, Column, Figure, Stage, Table, cut

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config

MEASURES = {
    "kl_base_run": "KL from the base, on the base's answers",
    "kl_run_base": "KL from the base, on the run's own answers",
    "log_p_change": "Change of the log-probability of the base's answers",
    "entropy_change": "Change of entropy, on the base's answers",
    "top_share": "Share of the KL in the twentieth of tokens that move most",
}
TOKEN_BYTES = 40
"""Bytes of one token in the file of one run, compressed."""


def _asked(config: "Config") -> bool:
    return bool(config.behaving)


def _pairs_asked(config: "Config") -> bool:
    return bool(config.behaviour_pairs)


def _on_gpu(config: "Config") -> bool:
    return _asked(config) and config.behaviour.precision == "bfloat16"


def _shrink(block: dict[str, Any]) -> dict[str, Any]:
    return cut(block, problems=SMOKE_PROMPTS)


def _costs(config: "Config", work: Work) -> Sequence[Cost]:
    if not config.behaving:
        return ()
    answer = completion_tokens(config.evaluation.sampling.max_new_tokens)
    answers = config.behaviour.problems * (2 * len(config.behaving) - 1 + len(config.behaviour_pairs))
    jobs = len(config.behaving) + len(config.behaviour_pairs)
    # Both models read every answer.
    hours = forward_hours(work.shape, 2 * answers * (PROMPT_TOKENS + answer), work.device) + jobs * LOAD_HOURS
    return [Cost("behaviour", jobs, hours, answers * answer * TOKEN_BYTES)]


def _figures(config: "Config") -> Iterator[Figure]:
    if _asked(config):
        title, state = MEASURES["kl_base_run"] + " (nats per token)", {"measure": "kl_base_run"}
        yield Figure("size_and_effect", "size_and_effect", "Function space", "moves", title, height=300)
        yield Figure("behaviour", "behaviour", "Function space", "behaviour", title, state=state)


ERROR = (
    Column("standard_error", "with problems as clusters"),
    Column("low", "lower end of the 95 % interval"),
    Column("high", "upper end of that interval"),
    Column("problems", "answers measured, one for each problem"),
    Column("tokens", "tokens measured"),
)
BEHAVIOUR = Table(
    "behaviour",
    "How far one run moves what is written, by one measure, on the answers of the base or on its own; the base's own rows"
    " are the floor: the base against itself",
    (
        Column("run", "the run, or `base`"),
        Column(
            "text",
            "whose answers are read: `base` or the run's `own`; `other`: text of another skill, see `forgetting`",
        ),
        Column(
            "part",
            "which tokens: `all`, those of `right answers` or of `wrong answers`, or the first to the last `tenth` of every"
            " answer",
        ),
        Column(
            "measure",
            "`kl_base_run`: KL(base || run), over the whole vocabulary; `kl_run_base`: KL(run || base); `log_p_change`: of the"
            " text's tokens, run minus base; `entropy_change`: run minus base; `top_share`: share of KL(base || run) that"
            " the twentieth of tokens with the largest has",
        ),
        Column("value", "mean over tokens", "nats per token, but `top_share`"),
        *ERROR,
        Column("note", "why the value is undefined"),
    ),
    _asked,
    ("run", "text", "part", "measure", "value", "low", "high"),
)
PAIRS = Table(
    "behaviour_pairs",
    "How far apart two runs are in what they write, on the base's answers",
    (
        *RUN_PAIR,
        Column("jeffreys", "KL(a || b) + KL(b || a), mean over tokens", "nats per token"),
        *ERROR,
    ),
    _pairs_asked,
)
STAGE = Stage(
    block="behaviour",
    tables=(BEHAVIOUR, PAIRS),
    on_gpu=_on_gpu,
    shrink=_shrink,
    costs=_costs,
    figures=_figures,
    section="behaviour.section",
    statements="behaviour.statements",
    charts="behaviour.charts",
)
