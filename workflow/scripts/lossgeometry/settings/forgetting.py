"""Configuration of what training on the rollouts costs elsewhere."""

from pydantic import Field

from lossgeometry.settings.block import Block


class Forgetting(Block):
    """What every run forgets of a skill that no rollout is about, and what of an update predicts it. Needs `behaviour`, whose
    precision, batches and number of texts it shares."""

    benchmark: str = ""
    """Benchmark of `evaluation` that asks for the skill; empty skips the stage."""
    text: str = ""
    """UTF-8 text whose cross-entropy is measured under the base and every run, one passage per line. Empty takes the
    benchmark's solutions, where they are written with its problems (generated `ordering`); without either, accuracies alone
    say what was forgotten."""
    passage_tokens: int = Field(512, ge=2)
    """Tokens of a passage that are read; the first is not predicted."""
