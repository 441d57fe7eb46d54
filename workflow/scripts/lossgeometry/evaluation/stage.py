"""The stage of evaluation: what it measures, costs and shows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lossgeometry.planning.estimates import (
    CHARACTER_BYTES,
    DECODED_TOGETHER,
    LOAD_HOURS,
    Cost,
    Work,
    completion_tokens,
    decode_hours,
)
from lossgeometry.stage import RUN_PAIR, SMOKE_PROMPTS, SMOKE_TOKENS, Column, Figure, Stage, Table, cut

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config


def _asked(config: "Config") -> bool:
    return bool(config.evaluation.benchmarks)


def _on_gpu(config: "Config") -> bool:
    return config.evaluation.engine.name == "vllm"


def _shrink(block: dict[str, Any]) -> dict[str, Any]:
    return cut(block, samples=1, bootstrap=100) | {
        "benchmarks": {
            name: benchmark | {"count": min(benchmark["count"] or SMOKE_PROMPTS, SMOKE_PROMPTS)}
            for name, benchmark in block["benchmarks"].items()
        },
        "sampling": cut(block["sampling"], max_new_tokens=SMOKE_TOKENS),
    }


def _costs(config: "Config", work: Work) -> Sequence[Cost]:
    stage = config.evaluation
    if not _asked(config):
        return ()
    runs = len(config.runs) + 1  # the base
    count = sum(work.problems(name) for name in stage.benchmarks) * (stage.greedy + stage.samples)
    tokens = completion_tokens(stage.sampling.max_new_tokens)
    loads = 1 if stage.loads == "per_run" else len(stage.benchmarks)
    hours = decode_hours(work.shape, count, tokens, DECODED_TOGETHER, work.device) + loads * LOAD_HOURS
    return [Cost("evaluation", runs * loads, runs * hours, runs * 2 * CHARACTER_BYTES * count * tokens)]


def _figures(config: "Config") -> Iterator[Figure]:
    for name in config.evaluation.benchmarks:
        title = f"greedy accuracy on {name}"
        yield Figure(f"accuracy_{name}", "accuracy", "Accuracy", "accuracy", title, name, {"benchmark": name})


ACCURACY = Table(
    "accuracy",
    "One run on one benchmark under one decoding",
    (
        Column("run", "run, or `base`"),
        Column("benchmark", "key of `evaluation.benchmarks`"),
        Column("decoding", "`greedy` or `sampled`"),
        Column("problems", "problems asked"),
        Column("samples", "completions per problem"),
        Column("accuracy", "share of correct completions, mean over problems", "share"),
        Column("low", "lower end of its 95 % interval", "share"),
        Column("high", "upper end of its 95 % interval", "share"),
        Column("interval", "`wilson` for greedy answers, `clustered` (by problem) for sampled ones"),
        Column("standard_error", "of the accuracy, clustered by problem", "share"),
        Column("pass_at_k", "chance that at least one of the samples is right; sampled decoding only", "share"),
        Column("truncation_rate", "completions cut by the token budget", "share"),
        Column("truncation_flag", "whether more than 1 % were cut, so that the accuracy reads too low"),
        Column("no_answer_rate", "completions without an answer", "share"),
        Column("timeout_rate", "completions that could not be graded in time", "share"),
        Column("tokens_mean", "mean length of a completion", "tokens"),
        Column(
            "minimum_detectable_difference",
            "smallest true difference that this benchmark reveals four times out of five",
            "share",
        ),
        Column("difference_to_base", "accuracy less the base's, on the same problems", "share"),
        Column("difference_low", "lower end of its 95 % bootstrap interval over problems", "share"),
        Column("difference_high", "upper end of that interval", "share"),
        Column("note", "what to beware of"),
    ),
    _asked,
    None,
)
MCNEMAR = Table(
    "mcnemar",
    "One exact McNemar test of two runs on the greedy answers to one benchmark",
    (
        *RUN_PAIR,
        Column("benchmark", "key of `evaluation.benchmarks`"),
        Column("problems", "problems that both answered"),
        Column("b", "problems that only the first run solves"),
        Column("c", "problems that only the second run solves"),
        Column("p", "two-sided p of b among b + c"),
        Column("p_holm", "the same, Holm-corrected over all tests on this benchmark"),
    ),
    _asked,
    None,
)
STAGE = Stage(
    block="evaluation",
    tables=(ACCURACY, MCNEMAR),
    on_gpu=_on_gpu,
    shrink=_shrink,
    costs=_costs,
    figures=_figures,
    section="evaluation.section",
    charts="evaluation.charts",
)
