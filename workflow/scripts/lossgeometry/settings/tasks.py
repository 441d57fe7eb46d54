"""What a script hands to the library: the blocks of `lossgeometry.jobs` as types."""

from typing import Any, Literal

from pydantic import Field

from lossgeometry.settings.block import Block
from lossgeometry.settings.composition import Composition
from lossgeometry.settings.models import Problems
from lossgeometry.settings.rollouts import Sampling

COMPOSITION = Field(None, json_schema_extra={"neutral": None})
GRADER = Field("math_verify", json_schema_extra={"neutral": "math_verify"})


class ProblemSet(Problems):
    """One set of problems, and the source that it is a part of."""

    part: Literal["train", "heldout", "benchmark"]
    """`train`: the first `count` problems of the source. `heldout`: the next `heldout_count`, so that the two are disjoint.
    `benchmark`: `count` problems."""
    heldout_count: int = 0
    deadline_seconds: float = 0.0
    """What checking one gold answer may take; generated problems need none."""


class ImportedRollouts(Block):
    """Rollouts of a file."""

    heldout_prompts: int
    """Problems that are set apart."""
    seed: int
    """Decides which ones."""
    deadline_seconds: float
    """What checking one gold answer may take."""
    grader: str = GRADER


class SampledRollouts(Block):
    """The teacher's completions."""

    prompt_suffix: str
    samples_per_prompt: int
    sampling: Sampling
    engine: dict[str, Any]
    """The `Engine` without the keys that change the speed alone."""
    seed: int


class WrittenRollouts(Block):
    """Completions of the generated teacher."""

    samples_per_prompt: int
    right: float
    mixed: float
    seed: int


class TeacherAnswers(Block):
    """The answers of a teacher behind an endpoint, and what becomes of their reasoning."""

    model: str
    base_url: str
    prompt_suffix: str
    sampling: Sampling
    body: dict[str, Any]
    seed: int
    samples_per_prompt: int
    reasoning: Literal["refuse", "keep", "drop"]
    reasoning_template: str = ""
    """Told only where reasoning is kept."""


class Reward(Block):
    """How an on-policy method's completions are graded."""

    deadline_seconds: float
    grader: str = GRADER


class TrainedAdapter(Block):
    """One training run."""

    run: str
    method: str
    learning_rate: float
    init_seed: int
    order_seed: int
    options: dict[str, Any]
    """The method's own hyper-parameters."""
    training: dict[str, Any]
    """The `Training` block without the keys that change the speed alone."""
    prompt_suffix: str
    reward: Reward
    verdicts: Literal["graded", "shuffled"] = Field("graded", json_schema_extra={"neutral": "graded"})
    composition: Composition | None = COMPOSITION
    half: Literal["", "A", "B"] = Field("", json_schema_extra={"neutral": ""})


class Losses(Block):
    """The losses of some weights."""

    prompt_suffix: str
    losses: tuple[str, ...]
    sequences: int
    precision: Literal["float32", "bfloat16"]
    tokens_per_batch: int


class EndPointLosses(Losses):
    """The losses of one update."""

    shrink_points: tuple[float, ...]


class PathLosses(Losses):
    """The losses between two updates."""

    points: tuple[float, ...]


class PathAccuracy(Block):
    """The greedy accuracy between two updates."""

    points: tuple[float, ...]
    problems: int
    prompt_suffix: str
    batch_size: int
    max_new_tokens: int
    deadline_seconds: float
    grader: str = GRADER


class HiddenStates(Block):
    """The hidden states of one run."""

    prompt_suffix: str
    tokens: int
    sequence_tokens: int
    prompts: int
    prompt_pooling: Literal["last", "mean"]
    precision: Literal["float32", "bfloat16"]
    tokens_per_batch: int


class Divergences(Block):
    """What parts two models, token by token."""

    prompt_suffix: str
    decoding: Literal["sampled", "greedy"]
    """Which of a problem's answers is measured."""
    problems: int
    precision: Literal["float32", "bfloat16"]
    tokens_per_batch: int
    passage_tokens: int = Field(0, json_schema_extra={"neutral": 0})
    """Where text of another skill is passages: tokens of each that are read."""


class Answers(Block):
    """The answers of one run."""

    prompt_suffix: str
    greedy: bool
    samples: int
    sampling: Sampling
    engine: dict[str, Any]
    """The `Engine` without the keys that change the speed alone."""
    seed: int


class Summary(Block):
    """What the summary says of the experiment."""

    experiment: str
    student: str
    teacher: str
    tiny_student: bool
    trained: bool
    """Whether anything was trained here."""
    one_seed: bool
    """Whether every method was trained with one seed alone."""
    rank: int
    targets: tuple[str, ...]
    sampling: tuple[str, ...]
    """Methods that sample their own completions."""


class MethodInWords(Block):
    """A method as the page names it."""

    title: str
    objective: str
    citation: str


class Page(Block):
    """What the page shows beside the tables' numbers."""

    experiment: str
    reference: str
    facts: dict[str, str]
    """Name to text, for the head of the page."""
    methods: dict[str, MethodInWords]
    charts: tuple[str, ...]
    """Modules of the stages' charts."""
    tables: dict[str, tuple[str, ...] | None]
    """For every table of the page its columns, or None for all of them."""


class AuditedLoss(Block):
    """One loss whose gradient is measured."""

    label: str
    method: str
    options: dict[str, Any]
    """The method's own hyper-parameters."""
    verdicts: Literal["graded", "shuffled"] = Field("graded", json_schema_extra={"neutral": "graded"})
    composition: Composition | None = COMPOSITION


class AuditedLosses(Block):
    """The gradients of all offline losses at one point."""

    losses: tuple[AuditedLoss, ...]
    batch_size: int
    """Rows, or preference pairs, of an optimiser step."""
    max_length: int
    prompt_suffix: str
    order_seed: int
    """Draws the shuffled verdicts."""
    prompts: int
    """Most prompts that are measured; 0 for all."""
    folds: int
    precision: Literal["float32", "bfloat16"]
    tokens_per_batch: int
