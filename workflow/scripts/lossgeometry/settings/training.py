"""Configuration of training: what all methods share, and what one method sets for itself."""

from typing import Any, Literal

from pydantic import Field

from lossgeometry.settings.block import Block


class Lora(Block):
    """The adapter that every method trains."""

    rank: int = Field(8, ge=1)
    """Rank r of the update."""
    alpha: float = Field(16, gt=0)
    """Scale: dW = alpha / rank * B A."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout on the adapter's input."""
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    """Linear modules that carry an adapter."""


class Training(Block):
    """What all methods share."""

    steps: int = Field(128, ge=1)
    """Optimiser steps; results are taken here."""
    schedule_steps: int = Field(0, ge=0)
    """Length of the cosine schedule; 0 is `steps`. The paper stops a 1,500-step schedule at step 1,000."""
    batch_size: int = Field(32, ge=1)
    """Rows (or preference pairs) per optimiser step."""
    micro_batch_size: int = Field(32, ge=1)
    """Most rows (or pairs) per forward pass; must divide `batch_size`. The result does not depend on it, up to rounding."""
    tokens_per_micro_batch: int = Field(0, ge=0)
    """Most padded tokens per forward pass; 0 sets no limit. Rows of one optimiser batch are put together by length, so that
    little is padding. A row that is longer is a micro-batch of its own. On-policy methods go by `micro_batch_size` alone."""
    warmup_ratio: float = Field(0.05, ge=0, lt=1)
    """Share of the schedule spent in linear warm-up."""
    weight_decay: float = Field(0.01, ge=0)
    """Weight decay of AdamW."""
    optimiser: Literal["adamw", "sgd"] = Field("adamw", json_schema_extra={"neutral": "adamw"})
    """`adamw`, or `sgd` without momentum."""
    betas: tuple[float, float] = Field((0.9, 0.999), json_schema_extra={"neutral": (0.9, 0.999)})  # type: ignore[dict-item]
    """Decay of the two moments of AdamW."""
    scheduler: Literal["cosine", "linear", "constant"] = Field("cosine", json_schema_extra={"neutral": "cosine"})
    """What the learning rate does after the warm-up."""
    mean_over: Literal["tokens", "rows"] = Field("tokens", json_schema_extra={"neutral": "tokens"})
    """What the loss of SFT, RFT, DFT, RIFT and Offline GRPO is a mean over: all tokens of an optimiser batch, or each row's tokens
    and then the rows, by which a long row counts no more than a short one. The audit knows the mean over tokens alone."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradient norm above which the gradient is scaled down."""
    max_length: int = Field(256, ge=8)
    """Longest prompt plus completion, in tokens. Longer rows are dropped and counted, never cut."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the frozen base weights and of the forward pass; the LoRA factors are always float32. In `bfloat16`,
    training.csv also tells the seconds and the arithmetic of each step, and runs.csv the tokens per second and the MFU."""
    gradient_checkpointing: Literal["auto", "on", "off"] = "auto"
    """Whether activations are computed again in the backward pass, a third more arithmetic for a fraction of the memory.
    `auto`: only where the memory formula of lossgeometry/costs.py says that they do not fit the GPU."""
    processes: int = Field(1, ge=1)
    """Processes, and on a GPU machine GPUs, of one training job: data parallel on one node; must divide `batch_size`. The
    result does not depend on it, up to rounding. On-policy methods take one."""
    checkpoint_every: int = Field(50, ge=1)
    """Most steps between checkpoints, from which a killed job resumes; they are also saved every ten minutes."""
    threads: int = Field(1, ge=1)
    """Cores of one training job."""
    snapshots: tuple[int, ...] | Literal["log"] = Field((), json_schema_extra={"neutral": ()})  # type: ignore[dict-item]
    """Steps after which every run's adapter is also kept, as the run `<run>.t<step>`: all before the last step of every method.
    `log` takes 2, 4, 8 and so on. `tables/trajectories.csv` follows all of them; any other stage takes those that it names.
    A step that is added trains again; one that is removed does not."""

    @property
    def speed_keys(self) -> tuple[str, ...]:
        """The keys that change no result but for rounding, which bfloat16 on a GPU does not repeat anyway.

        In float32 results are compared byte for byte, and there fewer are among them.
        """
        if self.precision == "float32":
            return ("processes", "checkpoint_every", "snapshots")
        rounding = ("micro_batch_size", "tokens_per_micro_batch", "gradient_checkpointing")
        return (*rounding, "processes", "checkpoint_every", "snapshots")


class Seeds(Block):
    """Separate seeds for what a training run draws at random."""

    init: int = Field(ge=0)
    """Seed of the LoRA initialisation; methods that share it start from the same adapter."""
    order: int = Field(ge=0)
    """Seed of the order of the data, and of on-policy sampling."""
    half: Literal["", "A", "B"] = Field("", json_schema_extra={"neutral": ""})
    """Train on half of the prompts: `A` and `B`, told apart by a hash of their ids, have none in common. Such a run says what the
    sample does to an update; it stands in `tables/replicates.csv`, is compared where it is named, and answers no benchmark."""


class Method(Block):
    """One entry of `methods`; its name is `<method>` or `<method>@<variant>`."""

    learning_rate: float = Field(gt=0)
    """The method's default learning rate."""
    learning_rates: tuple[float, ...] = ()
    """Further learning rates, each run at the first seed."""
    rates_at_all_seeds: bool = Field(False, json_schema_extra={"neutral": False})
    """Run the further learning rates at every seed: what is said at learning rates that methods share needs two seeds."""
    seeds: tuple[int | Seeds, ...] = ()
    """Seeds of this method; empty takes the experiment's."""
    further_seeds: tuple[int | Seeds, ...] = Field((), json_schema_extra={"neutral": ()})  # type: ignore[dict-item]
    """Seeds of this method beside those, such as `{init: 42, order: 123}` for the same start with the data in another order."""
    steps: int = Field(0, ge=0)
    """Optimiser steps of this method; 0 takes `training.steps`."""
    schedule_steps: int = Field(0, ge=0, json_schema_extra={"neutral": 0})
    """Length of this method's schedule; 0 takes `training.schedule_steps`. A method that stops earlier on the same schedule ends at
    a higher rate: `learning_rate_sum` in runs.csv tells how far its steps could lead in all."""
    verdicts: Literal["graded", "shuffled"] = "graded"
    """`shuffled` makes a control: the rewards are permuted among the rollouts of each prompt (by the seed of the order), so
    that groups, pairs and advantages are as many and as large, and only which rollout is right is lost. What its update
    shares with others is what training on this base and these texts gives by itself. Offline methods only."""
    composition: str = ""
    """Key of `rollouts.compose`: the subsample that this entry trains on; empty for all rollouts. Offline methods only. Methods are
    compared within one composition."""
    options: dict[str, Any] = {}
    """The method's own hyper-parameters; its module declares and checks them."""
