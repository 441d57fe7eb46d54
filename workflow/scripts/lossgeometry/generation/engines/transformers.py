"""Batched generation with transformers, each completion on random numbers of its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from lossgeometry.generation.requests import SAMPLED, Completion, Request
from lossgeometry.generation.tokenization import Tokenization
from lossgeometry.settings.rollouts import Engine, Sampling


class TransformersEngine:
    """A Hugging Face model in this process, with a PEFT adapter on top where one is given.

    Parameters
    ----------
    model_folder, adapter_folder
        Folders on disk; the adapter is applied unmerged.
    prompt_suffix
        Appended to every problem.
    batch_size
        Sequences generated together.
    """

    def __init__(self, model_folder: Path, adapter_folder: Path | None, prompt_suffix: str, batch_size: int):
        self.tokens = Tokenization(model_folder, prompt_suffix)
        self.model = AutoModelForCausalLM.from_pretrained(model_folder, dtype="auto").eval()
        # A model's own generation settings may penalise repetitions or sample; here only the request decides.
        self.model.generation_config = GenerationConfig(
            eos_token_id=self.tokens.end_ids, pad_token_id=self.tokens.pad_id
        )
        if adapter_folder is not None:
            from peft import PeftModel

            self.model = PeftModel.from_pretrained(self.model, adapter_folder)
        if torch.cuda.is_available():
            self.model.to("cuda")
        self.batch_size = batch_size

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Yield batches of completions in the order of the requests; see `generation.Engine`."""
        self.tokens.check(requests, sampling.max_new_tokens)
        for start in range(0, len(requests), self.batch_size):
            yield self._generate_batch(requests[start : start + self.batch_size], sampling)

    @torch.no_grad()
    def _generate_batch(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        prompts = self.tokens.prompts(requests)
        width = max(map(len, prompts))
        padding = [width - len(prompt) for prompt in prompts]
        tokens = torch.tensor(
            [[self.tokens.pad_id] * pad + prompt for pad, prompt in zip(padding, prompts, strict=True)]
        )
        mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding])  # (batch, width), as the tokens
        generated = self.model.generate(
            input_ids=tokens.to(self.model.device),
            attention_mask=mask.to(self.model.device),
            logits_processor=LogitsProcessorList([GumbelSampling(requests, sampling, width)]),
            max_new_tokens=sampling.max_new_tokens,
        )[:, width:].tolist()
        return [self.tokens.completion(request, ids) for request, ids in zip(requests, generated, strict=True)]


class GumbelSampling(LogitsProcessor):
    """Turn greedy decoding into sampling: the argmax of log-probabilities plus Gumbel noise is a draw from the softmax.

    The noise of a completion is a hash of its own seed, the position and the token, so a draw does not depend on what else is
    in the batch; greedy requests in the same batch get none.
    """

    def __init__(self, requests: Sequence[Request], sampling: Sampling, prompt_width: int):
        self.seeds = torch.tensor([request.seed for request in requests])  # (batch,)
        self.sampled = torch.tensor([request.decoding == SAMPLED and sampling.temperature > 0 for request in requests])
        self.prompt_width = prompt_width
        self.filters = LogitsProcessorList()
        if sampling.temperature > 0:
            self.filters.append(TemperatureLogitsWarper(float(sampling.temperature)))
        if sampling.top_k:
            self.filters.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1:
            self.filters.append(TopPLogitsWarper(sampling.top_p))

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores, (batch, vocabulary), with the noise added in the rows that are sampled."""
        if not self.sampled.any():
            return scores
        step = input_ids.shape[1] - self.prompt_width
        uniform = counter_uniform(self.seeds.to(scores.device), step, scores.shape[1])
        noisy = self.filters(input_ids, scores.float()) - torch.log(-torch.log(uniform)).float()
        return torch.where(self.sampled.to(scores.device)[:, None], noisy, scores.float())


def counter_uniform(seeds: torch.Tensor, step: int, width: int) -> torch.Tensor:
    """Return uniform numbers in (0, 1), float64 (batch, width), that are a function of (seed, step, column) alone.

    SplitMix64's finaliser (Steele, Lea and Flood 2014) on a counter; the integers wrap around as the generator wants.
    """
    counter = torch.arange(width, device=seeds.device)[None, :] + step * width  # (1, width)
    state = _mix(seeds[:, None] + _wrap(0x9E3779B97F4A7C15) * (counter + 1))
    return ((state >> 11) & ((1 << 53) - 1)).double().add_(0.5) / float(1 << 53)


def _mix(state: torch.Tensor) -> torch.Tensor:
    state = (state ^ _shift(state, 30)) * _wrap(0xBF58476D1CE4E5B9)
    state = (state ^ _shift(state, 27)) * _wrap(0x94D049BB133111EB)
    return state ^ _shift(state, 31)


def _shift(state: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift right without the sign: torch has no unsigned 64-bit arithmetic."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)


def _wrap(constant: int) -> int:
    return constant - (1 << 64) if constant >= 1 << 63 else constant


def load(
    model: Path | str, adapter: Path | None, prompt_suffix: str, engine: Engine, max_new_tokens: int
) -> TransformersEngine:
    """Return the engine with its model loaded; see `engines.make_engine`."""
    return TransformersEngine(Path(model), adapter, prompt_suffix, engine.batch_size)
