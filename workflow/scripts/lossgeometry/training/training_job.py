"""What a training method is given."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossgeometry.errors import InputError
from lossgeometry.settings.composition import Composition
from lossgeometry.settings.training import Training


@dataclass(frozen=True)
class TrainingJob:
    """One run's inputs, and where its checkpoints and results go.

    Everything that the result depends on is in `digest`, by which a checkpoint is recognised.
    """

    run: str
    learning_rate: float
    order_seed: int
    training: Training
    prompt_suffix: str
    student: Path
    initialisation: Path
    prompts: dict[str, dict[str, str]]
    """Problems by id: {"id", "problem", "answer"}."""
    rollouts: Path | None
    output: Path
    checkpoints: Path
    digest: str
    tokens: Path | None = None
    """The rollouts as token ids, made once for all runs; None where they are made here."""
    rank: int = 0
    """Number of this process among those that train the run together; only the first writes."""
    reward: dict[str, Any] = field(default_factory=dict)
    verdicts: str = "graded"
    """`graded`, or `shuffled` for a control: see `Method.verdicts`."""
    composition: Composition | None = None
    """Which of the rollouts it trains on; None for all."""
    half: str = ""
    """Half of the prompts that it trains on; empty for all. `prompts` holds no others."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Why rows were left out, and how many: each method adds to it, and run.json lists it."""
    counted: dict[str, int] = field(default_factory=dict)
    """What a reader should know of the rows that were kept; run.json lists it too."""

    @property
    def row_count(self) -> int:
        """Rows, or preference pairs, that the run trains on in all."""
        return self.training.steps * self.training.batch_size

    @property
    def schedule_steps(self) -> int:
        """Length of the learning-rate schedule in optimiser steps."""
        return self.training.schedule_steps or self.training.steps

    def problem_of(self, prompt_id: str) -> str:
        """Return the text of a problem."""
        return self.prompts[prompt_id]["problem"]

    def skip(self, reason: str, count: int) -> None:
        """Record that rows were left out."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count
            print(f"left out {count} rows: {reason}")

    def count(self, what: str, count: int) -> None:
        """Record a property of rows that were kept."""
        self.counted[what] = self.counted.get(what, 0) + count

    def require(self, rows: int, cure: str) -> None:
        """Refuse to train without data.

        Raises
        ------
        InputError
            If there are no rows; the sentence ends with the cure.
        """
        if not rows:
            raise InputError(f"{self.run} has nothing to train on; {cure}")
