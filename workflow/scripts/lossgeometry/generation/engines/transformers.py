"""Batched generation with transformers, each completion on random numbers of its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GenerationConfig, LogitsProcessorList, PreTrainedModel
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from lossgeometry.generation.decoding import can_decode, decode, padded
from lossgeometry.generation.requests import SAMPLED, Completion, Request
from lossgeometry.generation.tokenization import Tokenization
from lossgeometry.settings.rollouts import Engine, Sampling


class TransformersEngine:
    """A Hugging Face model in this process, with a PEFT adapter on top where one is given.

    Parameters
    ----------
    model_folder, adapter_folder
        Folders on disk; the adapter is merged where that rounds no more than adding its part to each output does.
    prompt_suffix
        Appended to every problem.
    batch_size
        Sequences generated together.
    """

    def __init__(self, model_folder: Path, adapter_folder: Path | None, prompt_suffix: str, batch_size: int):
        self.tokens = Tokenization(model_folder, prompt_suffix)
        self.model = AutoModelForCausalLM.from_pretrained(model_folder, dtype="auto").eval()
        if adapter_folder is not None:
            self.model = _attached(self.model, adapter_folder)
        if torch.cuda.is_available():
            self.model.to("cuda")
        self.batch_size = batch_size

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Yield batches of completions in the order of the requests; see `generation.Engine`."""
        self.tokens.check(requests, sampling.max_new_tokens)
        for start in range(0, len(requests), self.batch_size):
            yield self._generate_batch(requests[start : start + self.batch_size], sampling)

    def _generate_batch(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        generated = generate_ids(self.model, self.tokens, requests, self.tokens.prompts(requests), sampling)
        return [self.tokens.completion(request, ids) for request, ids in zip(requests, generated, strict=True)]


def _attached(model: PreTrainedModel, adapter_folder: Path) -> PreTrainedModel:
    """Return the model with an adapter: added to its weights where it is `mergeable`, in its layers otherwise."""
    from peft import PeftModel

    adapted = PeftModel.from_pretrained(model, adapter_folder)
    return adapted.merge_and_unload() if mergeable(model) else model


def mergeable(model: PreTrainedModel) -> bool:
    """Return whether the update of the adapter in a model's layers can be added to its weights.

    In a type shorter than float32 most of a small update would be lost to rounding. The embedding is left alone, which may be
    the output layer's weight as well.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    weights = [layer.get_base_layer().weight for layer in model.modules() if isinstance(layer, BaseTunerLayer)]
    embedding = model.get_input_embeddings().weight
    return model.dtype == torch.float32 and not any(weight is embedding for weight in weights)


@torch.no_grad()
def generate_ids(
    model: PreTrainedModel,
    tokens: Tokenization,
    requests: Sequence[Request],
    prompts: Sequence[list[int]],
    sampling: Sampling,
) -> list[list[int]]:
    """Return the token ids by which a model in evaluation mode completes each prompt, the end token included."""
    noise = GumbelSampling(requests, sampling, model.device)
    if can_decode(model):
        return decode(model, prompts, noise.choose, tokens.end_ids, tokens.pad_id, sampling.max_new_tokens)
    # A model's own generation settings may penalise repetitions or sample; here only the request decides.
    model.generation_config = GenerationConfig(eos_token_id=tokens.end_ids, pad_token_id=tokens.pad_id)
    input_ids, mask = padded(prompts, tokens.pad_id)
    width, rows = input_ids.shape[1], torch.arange(len(prompts), device=model.device)
    generated = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=mask.to(model.device),
        logits_processor=LogitsProcessorList([lambda ids, logits: noise.scores(ids.shape[1] - width, rows, logits)]),
        max_new_tokens=sampling.max_new_tokens,
    )[:, width:].tolist()
    return [tokens.until_end(ids) for ids in generated]


class GumbelSampling:
    """Turn greedy decoding into sampling: the argmax of log-probabilities plus Gumbel noise is a draw from the softmax.

    The noise of a completion is a hash of its own seed, the position and the token, so a draw does not depend on what else is
    in the batch; greedy requests in the same batch get none.
    """

    def __init__(self, requests: Sequence[Request], sampling: Sampling, device: torch.device | str = "cpu"):
        sampled = [request.decoding == SAMPLED and sampling.temperature > 0 for request in requests]
        self.seeds = torch.tensor([request.seed for request in requests], device=device)  # (batch,)
        self.sampled = torch.tensor(sampled, device=device)
        self.filters = LogitsProcessorList()
        if sampling.temperature > 0:
            self.filters.append(TemperatureLogitsWarper(float(sampling.temperature)))
        if sampling.top_k:
            self.filters.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1:
            self.filters.append(TopPLogitsWarper(sampling.top_p))

    def scores(self, step: int, rows: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits, float32 (rows, vocabulary), of these rows of the batch, with the noise where they are sampled."""
        sampled = self.sampled[rows]
        if not sampled.any():
            return logits
        uniform = counter_uniform(self.seeds[rows], step, logits.shape[1])
        noisy = self.filters(None, logits) - uniform.log_().neg_().log_().float()
        return torch.where(sampled[:, None], noisy, logits)

    def choose(self, step: int, rows: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Return the token that each of these rows is continued with; see `scores`."""
        return self.scores(step, rows, logits).argmax(dim=-1)


def counter_uniform(seeds: torch.Tensor, step: int, width: int) -> torch.Tensor:
    """Return uniform numbers in (0, 1), float64 (batch, width), that are a function of (seed, step, column) alone.

    SplitMix64's finaliser (Steele, Lea and Flood 2014) on a counter; the integers wrap around as the generator wants.
    """
    counter = torch.arange(width, device=seeds.device)[None, :] + step * width  # (1, width)
    # Changed in place: new memory would take half of the time.
    state = seeds[:, None] + _wrap(0x9E3779B97F4A7C15) * (counter + 1)
    state.bitwise_xor_(_shift(state, 30)).mul_(_wrap(0xBF58476D1CE4E5B9))
    state.bitwise_xor_(_shift(state, 27)).mul_(_wrap(0x94D049BB133111EB))
    state.bitwise_xor_(_shift(state, 31))
    return _shift(state, 11).double().add_(0.5).div_(float(1 << 53))


def _shift(state: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift right without the sign: torch has no unsigned 64-bit arithmetic."""
    return (state >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def _wrap(constant: int) -> int:
    return constant - (1 << 64) if constant >= 1 << 63 else constant


def load(
    model: Path | str, adapter: Path | None, prompt_suffix: str, engine: Engine, max_new_tokens: int
) -> TransformersEngine:
    """Return the engine with its model loaded; see `engines.make_engine`."""
    return TransformersEngine(Path(model), adapter, prompt_suffix, engine.batch_size)
