"""Configuration of evaluation."""

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from lossgeometry.settings.block import Block
from lossgeometry.settings.models import Problems
from lossgeometry.settings.rollouts import Engine, Sampling

BENCHMARK = re.compile(r"[A-Za-z0-9_-]+")
RESERVED = ("train", "heldout", "probe")
"""Problem sets that are not benchmarks, and lie beside theirs."""


class Evaluation(Block):
    """How the base and every adapter are tested."""

    benchmarks: dict[str, Problems] = {}
    """Benchmarks by name; none skips the evaluation."""
    greedy: bool = True
    """Decode each problem greedily once."""
    samples: int = Field(0, ge=0)
    """Sampled completions per problem, for avg@k and pass@k."""
    sampling: Sampling = Sampling()
    """How the samples are drawn; `max_new_tokens` also limits greedy decoding."""
    engine: Engine = Engine()
    """What generates the answers."""
    loads: Literal["per_benchmark", "per_run"] = "per_benchmark"
    """Jobs of one run: `per_benchmark`, so that a changed benchmark re-runs alone, or `per_run`, so that an engine that takes
    minutes to load is loaded once."""
    seed: int = Field(0, ge=0)
    """Seed of sampling, the same for every run, so that runs are compared on the same noise."""
    margin: float = Field(0.02, gt=0, lt=1)
    """Accuracies are called equal where the 95 % interval of their paired difference lies within this margin of 0 on both
    sides; 0.02 is two points."""

    controls: bool = True
    """Also test two controls that cost no training, where methods are trained: the untrained adapter, whose update is zero (what
    the arithmetic alone changes), and random directions with the singular values of the first run of `geometry.reference`."""

    snapshots: tuple[str, ...] = Field((), json_schema_extra={"neutral": ()})  # type: ignore[dict-item]
    """Snapshots that answer the benchmarks too, such as `sft.lr0.001.s42.t32`, and whose distance from the base is then
    measured where that of runs is."""

    @field_validator("benchmarks")
    @classmethod
    def _names(cls, benchmarks: dict[str, Problems]) -> dict[str, Problems]:
        for name in benchmarks:
            if not BENCHMARK.fullmatch(name):
                raise ValueError(
                    f"the name {name!r} is also a file's: use letters, digits, underscores and hyphens only"
                )
            if name in RESERVED:
                raise ValueError(f"the name {name} is taken by other problems than a benchmark's; choose another")
        return benchmarks

    @model_validator(mode="after")
    def _decodes(self) -> "Evaluation":
        if self.benchmarks and not self.greedy and not self.samples:
            raise ValueError("nothing is decoded; set greedy to true or samples to at least 1")
        if self.engine.name == "openai":
            raise ValueError("an endpoint cannot serve the adapters trained here; choose transformers or vllm")
        if self.engine.name == "generated":
            raise ValueError("generated solutions are the teacher's, not the runs'; choose transformers or vllm")
        return self
