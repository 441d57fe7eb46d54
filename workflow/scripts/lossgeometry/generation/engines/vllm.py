"""Generation with vLLM, offline, in this process."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

# One process: requests are scheduled in one fixed order, cores stay those that the job was given, nothing outlives a kill.
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")

import torch  # noqa: E402
from transformers import AutoConfig  # noqa: E402
from vllm import LLM, RequestOutput, SamplingParams, TokensPrompt  # noqa: E402
from vllm.lora.request import LoRARequest  # noqa: E402

from lossgeometry.errors import InputError  # noqa: E402
from lossgeometry.generation.requests import SAMPLED, Completion, Request  # noqa: E402
from lossgeometry.generation.tokenization import Tokenization  # noqa: E402
from lossgeometry.generation.uniform_adapter import has_patterns, write_uniform  # noqa: E402
from lossgeometry.settings.rollouts import Engine, Sampling  # noqa: E402

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The sizes that vLLM allots to adapters; an adapter takes the next one that holds it."""
CPU_CACHE_BYTES = 1 << 30
"""Key-value cache of the CPU build, whose default is a share of all memory; VLLM_CPU_KVCACHE_SPACE overrides it."""


class VllmEngine:
    """A model under vLLM, with a PEFT adapter applied unmerged where one is given: by kernels that a model alone does not
    pass through. A base whose answers are compared with those of adapters is given `zero_adapter`'s.

    Prompts reach vLLM as the token ids that the transformers engine would see, and its token ids are decoded here.

    Parameters
    ----------
    model, adapter
        Folders on disk.
    prompt_suffix
        Appended to every problem.
    engine
        Requests per batch, the unit that is checkpointed, and vLLM's share of the device memory.
    max_new_tokens
        Largest token budget that will be asked for.
    """

    def __init__(self, model: Path, adapter: Path | None, prompt_suffix: str, engine: Engine, max_new_tokens: int):
        on_gpu = torch.cuda.is_available()
        self.tokens = Tokenization(model, prompt_suffix)
        self.batch_size = engine.batch_size
        self.adapter: LoRARequest | None = None
        self.attached = 0
        if adapter is not None:
            adapter = self.attach(adapter)
        self.llm = LLM(
            model=str(model),
            # Left alone, vLLM would round a float32 model to bfloat16.
            dtype=str(AutoConfig.from_pretrained(model).get_text_config().dtype or torch.float32).removeprefix(
                "torch."
            ),
            enable_prefix_caching=True,
            gpu_memory_utilization=engine.gpu_memory_utilization,
            kv_cache_memory_bytes=None if on_gpu else CPU_CACHE_BYTES,
            max_model_len=-1,  # as much of the model's context as the cache holds
            enable_chunked_prefill=None
            if on_gpu
            else False,  # the CPU build cannot chunk a request with a seed of its own
            enforce_eager=not on_gpu,  # compiling for a CPU takes longer than what the CPU build is used for
            enable_lora=adapter is not None,
            max_lora_rank=LORA_RANKS[0] if adapter is None else _allotted_rank(adapter),
            disable_log_stats=True,
            logprobs_mode="processed_logprobs",  # where on-policy training asks for them: those that were sampled from
        )
        self.tokens.context = self.llm.llm_engine.model_config.max_model_len

    def attach(self, adapter: Path) -> Path:
        """Apply another adapter from the next call on, and return the folder that it is read from at that call."""
        if has_patterns(adapter):
            # vLLM reads one rank and one alpha, and would serve another adapter than the one that is measured.
            self.rewritten = tempfile.TemporaryDirectory()
            adapter = write_uniform(adapter, Path(self.rewritten.name))
        self.attached += 1  # vLLM keeps adapters by their number
        self.adapter = LoRARequest(f"adapter-{self.attached}", self.attached, str(adapter.resolve()))
        return adapter

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Yield batches of completions in the order of the requests; see `generation.Engine`."""
        self.tokens.check(requests, sampling.max_new_tokens)
        for start in range(0, len(requests), self.batch_size):
            batch = requests[start : start + self.batch_size]
            outputs = self._outputs(batch, self.tokens.prompts(batch), sampling, None)
            yield [self._completion(request, output) for request, output in zip(batch, outputs, strict=True)]

    def sample(
        self, requests: Sequence[Request], prompts: Sequence[list[int]], sampling: Sampling
    ) -> Iterator[tuple[list[int], list[float]]]:
        """Yield token ids and the log-probabilities that they were sampled at, of all requests at once; `prompts` are token ids."""
        for output in self._outputs(requests, prompts, sampling, 0):
            (completion,) = output.outputs
            ids = list(completion.token_ids)
            yield ids, [entry[token].logprob for token, entry in zip(ids, completion.logprobs, strict=True)]

    def _outputs(
        self, requests: Sequence[Request], prompts: Sequence[list[int]], sampling: Sampling, logprobs: int | None
    ) -> list[RequestOutput]:
        return self.llm.generate(
            [TokensPrompt(prompt_token_ids=prompt) for prompt in prompts],
            [self._parameters(request, sampling, logprobs) for request in requests],
            lora_request=self.adapter,
            use_tqdm=False,
        )

    def _parameters(self, request: Request, sampling: Sampling, logprobs: int | None) -> SamplingParams:
        """Return the decoding of one request; `logprobs` 0 asks for those of the sampled tokens alone.

        Nothing is taken from the model's own generation settings.
        """
        return SamplingParams(
            temperature=sampling.temperature if request.decoding == SAMPLED else 0.0,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            seed=request.seed,
            max_tokens=sampling.max_new_tokens,
            stop_token_ids=self.tokens.end_ids,
            detokenize=False,
            logprobs=logprobs,
        )

    def _completion(self, request: Request, output: RequestOutput) -> Completion:
        """Return what vLLM made of a request.

        Raises
        ------
        RuntimeError
            If vLLM ended it for another reason than an end token or the budget.
        """
        (result,) = output.outputs
        completion = self.tokens.completion(request, result.token_ids)
        if completion.finish_reason != result.finish_reason:
            raise RuntimeError(
                f"vLLM ended the completion of problem {request.problem_id} with {result.finish_reason!r}"
            )
        return completion


def _allotted_rank(adapter: Path) -> int:
    """Return the size that vLLM must allot to an adapter.

    Raises
    ------
    InputError
        If its rank is larger than vLLM can take.
    """
    rank = json.loads((adapter / "adapter_config.json").read_text())["r"]
    allotted = next((size for size in LORA_RANKS if size >= rank), None)
    if allotted is None:
        raise InputError(
            f"the adapter {adapter} has rank {rank}, and vLLM takes {LORA_RANKS[-1]} at most; use transformers"
        )
    return allotted


def load(
    model: Path | str, adapter: Path | None, prompt_suffix: str, engine: Engine, max_new_tokens: int
) -> VllmEngine:
    """Return the engine with its model loaded; see `engines.make_engine`."""
    return VllmEngine(Path(model), adapter, prompt_suffix, engine, max_new_tokens)
