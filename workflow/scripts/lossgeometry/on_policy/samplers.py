"""Sampling from the policy that is being trained, with transformers in this process or with vLLM beside it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from lossgeometry.generation.engines import engine_module
from lossgeometry.generation.requests import Request
from lossgeometry.generation.tokenization import Tokenization
from lossgeometry.settings.rollouts import Engine, Sampling
from lossgeometry.training.results import save_adapter
from lossgeometry.training.training_job import TrainingJob


@dataclass(frozen=True)
class Sample:
    """One completion as token ids, the end token included where the model wrote it."""

    completion_ids: list[int]
    log_probs: list[float] | None = None
    """Of each token, under the sampler; None where it is the trainer's own model."""


class TransformersSampler:
    """Samples from the trainer's own model. A completion is a function of the weights, its prompt and its seed.

    Parameters
    ----------
    chunk
        Completions generated together.
    """

    def __init__(self, job: TrainingJob, sampling: Sampling, chunk: int):
        self.tokens, self.sampling, self.chunk = Tokenization(job.student, job.prompt_suffix), sampling, chunk

    def sample(self, model: PeftModel, requests: Sequence[Request], prompts: Sequence[list[int]]) -> list[Sample]:
        """Return one completion per request; `prompts` are the token ids of each."""
        was_training = model.training
        model.eval()
        engine = engine_module("transformers")
        samples: list[Sample] = []
        with _merged(model) if engine.mergeable(model.get_base_model()) else nullcontext():
            for start in range(0, len(requests), self.chunk):
                chunk = slice(start, start + self.chunk)
                ids = engine.generate_ids(
                    model.get_base_model(), self.tokens, requests[chunk], prompts[chunk], self.sampling
                )
                samples += map(Sample, ids)
        model.train(was_training)
        return samples


@contextmanager
def _merged(model: PeftModel) -> Iterator[None]:
    """Add the policy's update to the frozen weights, and put these back as they were, bit by bit."""
    layers = [layer for layer in model.modules() if isinstance(layer, BaseTunerLayer)]
    frozen = [layer.get_base_layer().weight for layer in layers]
    before = [weight.detach().clone() for weight in frozen]
    model.merge_adapter(adapter_names=["default"])
    try:
        yield
    finally:
        model.unmerge_adapter()
        for weight, value in zip(frozen, before, strict=True):
            weight.data.copy_(value)  # subtracting the update leaves rounding behind


class VllmSampler:
    """Samples with vLLM, which applies the current adapter unmerged.

    TRL's own coupling merges the update into the base in the model's type, and in bfloat16 most of a small update is
    lost to rounding: vLLM would sample from nearly the base. Reading the adapter's factors avoids that.

    Parameters
    ----------
    memory
        Share of the device memory that vLLM may take.
    """

    def __init__(self, job: TrainingJob, sampling: Sampling, memory: float):
        settings = Engine(name="vllm", gpu_memory_utilization=memory)
        self.engine = engine_module("vllm").load(
            job.student, job.initialisation, job.prompt_suffix, settings, sampling.max_new_tokens
        )
        self.tokens, self.sampling = self.engine.tokens, sampling

    def sample(self, model: PeftModel, requests: Sequence[Request], prompts: Sequence[list[int]]) -> list[Sample]:
        """Return one completion per request, with the log-probabilities it was sampled at."""
        with tempfile.TemporaryDirectory() as folder:
            save_adapter(Path(folder), model)
            self.engine.attach(Path(folder))
            return [Sample(*pair) for pair in self.engine.sample(requests, prompts, self.sampling)]
