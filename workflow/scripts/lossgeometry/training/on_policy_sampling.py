"""Sampling from the policy that is being trained, with transformers in this process or with vLLM beside it."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel
from transformers import LogitsProcessorList, PreTrainedTokenizerBase

from lossgeometry.rollouts.generation import Request
from lossgeometry.rollouts.transformers_engine import GumbelSampling
from lossgeometry.settings.rollouts import Sampling
from lossgeometry.training.job import TrainingJob
from lossgeometry.training.results import save_adapter


@dataclass(frozen=True)
class Sample:
    """One completion as token ids, the end token included where the model wrote it."""

    completion_ids: list[int]
    finished: bool
    log_probs: list[float] | None = None


class TransformersSampler:
    """Samples from the trainer's own model. A completion is a function of the weights, its prompt and its seed.

    Parameters
    ----------
    chunk
        Completions generated together.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, sampling: Sampling, chunk: int):
        self.tokenizer, self.sampling, self.chunk = tokenizer, sampling, chunk

    def sample(self, model: PeftModel, requests: Sequence[Request], prompts: Sequence[list[int]]) -> list[Sample]:
        """Return one completion per request; `prompts` are the token ids of each."""
        was_training = model.training
        model.eval()
        samples = []
        for start in range(0, len(requests), self.chunk):
            samples += self._sample(model, requests[start : start + self.chunk], prompts[start : start + self.chunk])
        model.train(was_training)
        return samples

    @torch.no_grad()
    def _sample(self, model: PeftModel, requests: Sequence[Request], prompts: Sequence[list[int]]) -> list[Sample]:
        pad, end = self.tokenizer.pad_token_id, self.tokenizer.eos_token_id
        width = max(map(len, prompts))
        tokens = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])  # (rows, width)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        generated = model.generate(
            input_ids=tokens.to(model.device),
            attention_mask=mask.to(model.device),
            logits_processor=LogitsProcessorList([GumbelSampling(requests, self.sampling, width)]),
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=self.sampling.max_new_tokens,
            pad_token_id=pad,
            eos_token_id=end,
        )[:, width:].tolist()
        return [Sample(row[: row.index(end) + 1], True) if end in row else Sample(row, False) for row in generated]


class VllmSampler:
    """Samples with vLLM, which applies the current adapter unmerged.

    TRL's own coupling merges the update into the base in the model's type, and in bfloat16 most of a small update is
    lost to rounding: vLLM would sample from nearly the base. Reading the adapter's factors avoids that.
    """

    def __init__(self, job: TrainingJob, tokenizer: PreTrainedTokenizerBase, sampling: Sampling, memory: float):
        from vllm import LLM

        self.tokenizer, self.sampling = tokenizer, sampling
        rank = PeftConfig.from_pretrained(job.initialisation).r
        self.engine = LLM(
            str(job.student),
            dtype=job.training.precision,
            enable_lora=True,
            max_lora_rank=next(size for size in (8, 16, 32, 64, 128, 256, 512) if size >= rank),
            max_model_len=job.training.max_length,
            gpu_memory_utilization=memory,
            logprobs_mode="processed_logprobs",
        )
        self.calls = 0

    def sample(self, model: PeftModel, requests: Sequence[Request], prompts: Sequence[list[int]]) -> list[Sample]:
        """Return one completion per request, with the log-probabilities it was sampled at."""
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest

        self.calls += 1
        parameters = [
            SamplingParams(
                temperature=self.sampling.temperature,
                max_tokens=self.sampling.max_new_tokens,
                seed=request.seed,
                logprobs=0,
            )
            for request in requests
        ]
        with tempfile.TemporaryDirectory() as folder:
            save_adapter(Path(folder), model)
            outputs = self.engine.generate(
                [{"prompt_token_ids": prompt} for prompt in prompts],
                parameters,
                use_tqdm=False,
                lora_request=LoRARequest(f"policy-{self.calls}", self.calls, folder),
            )
        samples = []
        for output in outputs:
            completion = output.outputs[0]
            ids = list(completion.token_ids)
            log_probs = [entry[token].logprob for token, entry in zip(ids, completion.logprobs, strict=True)]
            samples.append(Sample(ids, completion.finish_reason == "stop", log_probs))
        return samples
