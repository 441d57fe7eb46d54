"""The stage of the rollouts: what it writes down and costs."""

from collections.abc import Sequence
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
from lossgeometry.stage import SMOKE_PROMPTS, SMOKE_TOKENS, Column, Stage, Table, cut

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config


def _asked(config: "Config") -> bool:
    return bool(config.trained)


def _on_gpu(config: "Config") -> bool:
    return config.rollouts.engine.name == "vllm"


def _shrink(block: dict[str, Any]) -> dict[str, Any]:
    return block | {
        "heldout_prompts": min(block["heldout_prompts"], SMOKE_PROMPTS),
        "shards": 1,
        "sampling": cut(block["sampling"], max_new_tokens=SMOKE_TOKENS),
    }


def _costs(config: "Config", work: Work) -> Sequence[Cost]:
    stage = config.rollouts
    if not _asked(config) or stage.file:
        return ()
    count = (work.problems("train") + stage.heldout_prompts) * stage.samples_per_prompt
    tokens = completion_tokens(stage.sampling.max_new_tokens)
    hours = 0.0
    if _on_gpu(config):
        decoding = decode_hours(work.shape, count, tokens, DECODED_TOGETHER, work.device)
        hours = decoding + stage.shards * LOAD_HOURS
    return [Cost("rollouts", stage.shards + 1, hours, 2 * CHARACTER_BYTES * count * tokens)]


ROLLOUTS = Table(
    "rollouts",
    "The rollouts of the training prompts, in one line",
    (
        Column("prompts", "training prompts with completions"),
        Column("rollouts", "completions"),
        Column("correct", "correct completions", "share"),
        Column("groups_mixed", "prompts with both correct and wrong completions", "share"),
        Column("groups_all_correct", "prompts with correct completions only", "share"),
        Column("groups_all_wrong", "prompts with wrong completions only", "share"),
        Column("truncated", "completions cut by the token budget", "share"),
        Column("no_answer", "completions without an answer", "share"),
        Column("tokens", "tokens of all completions", "tokens"),
        Column("tokens_mean", "mean length of a completion", "tokens"),
        Column("tokens_mean_correct", "mean length of a correct completion", "tokens"),
        Column("tokens_mean_wrong", "mean length of a wrong completion", "tokens"),
        Column("empty", "completions without text, which no method trains on"),
        Column("duplicates", "completions that another of the same prompt repeats word for word"),
    ),
    _asked,
    None,
)
STAGE = Stage(
    block="rollouts",
    tables=(ROLLOUTS,),
    on_gpu=_on_gpu,
    shrink=_shrink,
    costs=_costs,
    section="rollouts.section",
)
