"""What DAPO makes of rewards and groups (arXiv 2503.14476)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossgeometry.errors import InputError
from lossgeometry.on_policy.groups import Batch


@dataclass(frozen=True)
class Dapo:
    """The settings of its reward and of its dynamic sampling; see `methods.online_dapo.Options`."""

    overlong_cache: int
    oversampling: float
    max_rounds: int
    max_empty_batches: int

    def rewards(self, correct: Sequence[bool], lengths: Sequence[int], budget: int) -> list[float]:
        """Return the reward of each completion: 1 or -1 (equation 7) and the length term (equation 13)."""
        return [
            (1.0 if right else -1.0) + overlong_penalty(length, budget, self.overlong_cache)
            for right, length in zip(correct, lengths, strict=True)
        ]

    def require_progress(self, batch: Batch, history: Sequence[Mapping[str, Any]]) -> None:
        """Refuse to go on after too many batches in a row without a mixed group; one alone is a step without a gradient.

        Parameters
        ----------
        history
            The trainer's log so far, which a checkpoint keeps.

        Raises
        ------
        InputError
            With what the last batch was made of, and the cure.
        """
        if batch.sampled_mixed:
            return
        shares = [entry["groups_uniform"] for entry in history if "groups_uniform" in entry]
        empty = 1 + next((place for place, share in enumerate(reversed(shares)) if share < 1), len(shares))
        if empty >= self.max_empty_batches:
            solved = sum(group.correct[0] for group in batch.groups)
            raise InputError(
                f"{empty} batches in a row had no prompt with both right and wrong completions (of {len(batch.groups)} groups"
                f" of the last, {solved} are all right); raise options.temperature, options.generations or"
                " options.oversampling, or choose prompts of another difficulty"
            )


def overlong_penalty(length: int, budget: int, cache: int) -> float:
    """Return the length term of a completion of `length` tokens (equation 13): 0 down to -1.

    Within `budget - cache` tokens it is 0, then it falls linearly. A budget that ends generation makes -1 its last value.
    """
    if not cache or length <= budget - cache:
        return 0.0
    return max(-1.0, (budget - cache - length) / cache)
