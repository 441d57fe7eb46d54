"""Configuration of sampling: the rollouts that every offline method trains on, and the engine that generates them."""

from typing import Literal

from pydantic import Field, model_validator

from lossgeometry.settings.block import Block


class Sampling(Block):
    """How completions are drawn."""

    temperature: float = Field(1.0, ge=0)
    """Softmax temperature; 0 is greedy decoding."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus: the smallest set of tokens with at least this probability is kept."""
    top_k: int = Field(0, ge=0)
    """Most probable tokens kept; 0 keeps all."""
    max_new_tokens: int = Field(96, ge=1)
    """Token budget of a completion. A completion that reaches it is recorded as truncated."""


class Engine(Block):
    """What generates text."""

    name: Literal["transformers", "vllm", "openai"] = "transformers"
    """`transformers`: batched generation in this process (CPU default). `vllm`: offline vLLM, adapters unmerged. `openai`:
    any OpenAI-compatible endpoint (rollouts only)."""
    batch_size: int = Field(256, ge=1)
    """Sequences generated together by `transformers`; requests in flight for `openai`; chunk between checkpoints for `vllm`."""
    base_url: str = ""
    """Address of the endpoint (`openai` only). The key is read from the environment variable OPENAI_API_KEY, nowhere else."""
    timeout_seconds: float = Field(600.0, gt=0)
    """Deadline of one request (`openai` only)."""
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    """Share of the device memory that vLLM may take."""

    @property
    def speed_keys(self) -> tuple[str, ...]:
        """The keys that change no completion. In a local engine even the batch size does: it changes rounding."""
        return ("batch_size", "timeout_seconds") if self.name == "openai" else ()


class Rollouts(Block):
    """The one fixed data set of every offline method."""

    samples_per_prompt: int = Field(8, ge=1)
    """Completions per prompt (K)."""
    sampling: Sampling = Sampling()
    """How the teacher is sampled."""
    engine: Engine = Engine()
    """What samples the teacher."""
    heldout_prompts: int = Field(64, ge=0)
    """Further prompts, never trained on, whose correct completions serve as held-out reference solutions."""
    shards: int = Field(1, ge=1)
    """File-level jobs that the generation is split into; the result does not depend on it."""
    seed: int = Field(0, ge=0)
    """Seed of sampling: sample s of prompt p has a seed of its own, whatever batch or shard it falls into."""
    file: str = ""
    """Import these rollouts (JSONL or parquet with problem, answer, completion, and where known sample and finish_reason)
    instead of sampling any; their problems are the prompts, so `prompts` stays away."""

    @model_validator(mode="after")
    def _complete(self) -> "Rollouts":
        if self.engine.name == "openai" and not self.engine.base_url:
            raise ValueError("engine: openai needs base_url, the address of the endpoint")
        return self


class Grading(Block):
    """How completions are verified."""

    workers: int = Field(1, ge=1)
    """Worker processes per job."""
    deadline_seconds: float = Field(5.0, gt=0)
    """A worker that needs longer for one answer is killed and the answer recorded as `timeout`."""
