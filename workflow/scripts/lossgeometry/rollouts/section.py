"""What the summary says about the rollouts."""

from collections.abc import Mapping

import pandas as pd


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    return _section(frames["rollouts"]) if "rollouts" in frames else ""


def _section(rollouts: pd.DataFrame) -> str:
    row = rollouts.iloc[0]
    return "\n".join(
        [
            "## The rollouts",
            "",
            f"{row.rollouts:.0f} completions of {row.prompts:.0f} prompts, {row.tokens:.0f} tokens. {row.correct:.1%} are correct;"
            f" {row.groups_mixed:.1%} of the prompts have both correct and wrong completions, {row.groups_all_correct:.1%} only"
            f" correct and {row.groups_all_wrong:.1%} only wrong ones. {row.truncated:.1%} were cut by the token budget.",
            "",
            "Read the geometry against these shares: RFT and RIFT differ from SFT in nothing but what they do with the wrong"
            " rollouts, and a preference loss learns from the mixed prompts alone.",
        ]
    )
