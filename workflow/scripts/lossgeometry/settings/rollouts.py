"""Configuration of sampling: the rollouts that every offline method trains on, and the engine that generates them."""

import ipaddress
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_serializer, model_validator

from lossgeometry.settings.block import Block
from lossgeometry.settings.composition import Composition

DECIDED = ("temperature", "top_p", "top_k", "max_tokens", "seed")
"""Parameters of a request that other keys decide; `engine.body` can only leave them out."""
ENDPOINT_KEYS = ("body", "reasoning", "reasoning_template", "max_refused", "prices", "key_variable")
"""Keys that only an endpoint knows."""
WRITTEN_KEYS = ("right", "mixed")
"""Keys that only solutions that are written here know."""
UNREAD = {
    "openai": (*WRITTEN_KEYS, "gpu_memory_utilization"),
    "vllm": (*WRITTEN_KEYS, *ENDPOINT_KEYS, "base_url", "timeout_seconds"),
    "transformers": (*WRITTEN_KEYS, *ENDPOINT_KEYS, "base_url", "timeout_seconds", "gpu_memory_utilization"),
    "generated": (*ENDPOINT_KEYS, "base_url", "timeout_seconds", "gpu_memory_utilization", "batch_size"),
}
"""Keys that say nothing to an engine, whose jobs are not told about them."""
SPEED = {
    "openai": ("batch_size", "timeout_seconds"),
    "vllm": ("batch_size", "gpu_memory_utilization"),
    "transformers": (),
    "generated": (),
}
"""Keys that change no completion. vLLM puts its batches together by itself, and its rounding repeats in no two runs; in
`transformers` the batch size changes the rounding."""


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


class Prices(Block):
    """What an endpoint asks per million tokens, in any one currency."""

    prompt: float = Field(ge=0)
    """Price of prompt tokens."""
    cached: float | None = Field(None, ge=0)
    """Price of prompt tokens that the endpoint had in its cache; without it they cost what others do."""
    completion: float = Field(ge=0)
    """Price of generated tokens, reasoning included."""


class Engine(Block):
    """What generates text."""

    name: Literal["transformers", "vllm", "generated", "openai"] = "transformers"
    """`transformers`: batched generation in this process (CPU default). `vllm`: offline vLLM, adapters unmerged. `openai`:
    any OpenAI-compatible endpoint (rollouts only). `generated` (rollouts only): no model; worked solutions of generated problems
    in several styles, right ones and wrong ones (a slipped operation, a dropped step, a wrong carry, right steps with a wrong
    box), of which `sampling` decides nothing."""
    batch_size: int = Field(256, ge=1)
    """Sequences generated together by `transformers`; requests in flight for `openai`, over all shards together; chunk between
    checkpoints for `vllm`."""
    base_url: str = ""
    """Address of the endpoint (`openai` only): https, or http to this machine; without user, password or query."""
    timeout_seconds: float = Field(600.0, gt=0)
    """Deadline of one request (`openai` only), from the first byte sent to the last byte received."""
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    """Share of the device memory that vLLM may take."""
    key_variable: str = Field("OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Environment variable that holds the endpoint's key (`openai` only). The key is read from there and nowhere else, and is
    written nowhere."""
    body: dict[str, Any] = {}
    """Further parameters of every request, as the endpoint documents them (`openai` only), such as
    `{thinking: {type: disabled}}`. Null leaves out one that is otherwise sent: temperature, top_p, top_k, max_tokens, seed."""
    reasoning: Literal["refuse", "keep", "drop"] = "refuse"
    """What becomes of reasoning that the endpoint returns beside its answer (`openai` only). `refuse`: the run stops at the
    first one. `keep`: it becomes part of the completion, by `reasoning_template`. `drop`: only the answer is trained on."""
    reasoning_template: str = "<think>\n{reasoning}\n</think>\n\n{answer}"
    """The completion where reasoning is kept; one that was cut in its reasoning ends there (`openai` only)."""
    max_refused: float = Field(0.05, ge=0, le=1)
    """Largest share of the requests that may stay without an answer, because the endpoint refuses them for their content or
    fails at them again and again; beyond it the run stops (`openai` only)."""
    prices: Prices | None = None
    """Price list, for the cost in tables/rollouts.csv (`openai` only)."""

    right: float = Field(0.7, ge=0, le=1)
    """Share of right completions that is expected (`generated` only)."""
    mixed: float = Field(0.8, ge=0, le=1)
    """Share of prompts that have both right and wrong completions, that is expected (`generated` only)."""

    @property
    def speed_keys(self) -> tuple[str, ...]:
        """The keys that change no completion."""
        return SPEED[self.name]

    @model_serializer(mode="wrap")
    def _without_what_is_not_read(self, serialize) -> dict[str, Any]:
        values = serialize(self)
        return {key: values[key] for key in values if key not in UNREAD[self.name]}

    @model_validator(mode="after")
    def _fits(self) -> "Engine":
        for keys, what, name in (
            (ENDPOINT_KEYS, "an endpoint", "openai"),
            (WRITTEN_KEYS, "solutions written here", "generated"),
        ):
            told = [key for key in keys if key in self.model_fields_set and self.name != name]
            if told:
                raise ValueError(f"{told[0]} is for {what}; remove it, or set name to {name}")
        if self.name != "openai":
            return self
        problem = address_problem(self.base_url) if self.base_url else ""
        if problem:
            raise ValueError(f"base_url {problem}")
        for key in self.body:
            if key in ("model", "messages", "stream", "n"):
                raise ValueError(f"body.{key} is set by the workflow; remove it")
            if key in DECIDED and self.body[key] is not None:
                raise ValueError(
                    f"body.{key} is decided by rollouts.sampling; set it there, or to null to leave it out"
                )
        parts = self.reasoning_template.split("{reasoning}")
        if len(parts) != 2 or parts[1].count("{answer}") != 1 or "{answer}" in parts[0]:
            raise ValueError("reasoning_template needs {reasoning} and, after it, {answer}, once each")
        return self


def address_problem(address: str) -> str:
    """Return what makes an address one that no key may be sent to, and the cure; empty if nothing does.

    What is returned does not repeat the address, which may hold a password.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not an address; write https://<host>/<path>"
    if parts.scheme not in ("http", "https") or not host:
        return "is not the address of a web service; write https://<host>/<path>"
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return (
            "must hold no user, password, query or fragment; give the key in the environment, see engine.key_variable"
        )
    if parts.scheme == "http" and not _is_loopback(host):
        return "would send the key and the data in the clear; use https, or a tunnel from a port of this machine"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
    """File-level jobs that the generation is split into; the result does not depend on it. Finished parts are kept as they are:
    another number counts once the folder rollouts/shards of the results is deleted."""
    seed: int = Field(0, ge=0)
    """Seed of sampling: sample s of prompt p has a seed of its own, whatever batch or shard it falls into."""
    compose: dict[str, Composition] = {}
    """Subsamples of the rollouts in other proportions, by name; `composition` of a method chooses one."""
    file: str = ""
    """Import these rollouts (JSONL or parquet with problem, answer, completion, and where known sample and finish_reason)
    instead of sampling any; their problems are the prompts, so `prompts` stays away."""

    @model_validator(mode="after")
    def _complete(self) -> "Rollouts":
        if self.engine.name == "openai" and not self.engine.base_url:
            raise ValueError("engine: openai needs base_url, the address of the endpoint")
        if self.engine.name == "generated":
            right_in_mixed(self.engine.right, self.engine.mixed, self.samples_per_prompt)
        if self.engine.name == "openai" and self.shards >= self.engine.batch_size:
            raise ValueError(
                "shards: every shard needs a request in flight, and so do the held-out problems; raise engine.batch_size "
                "or lower shards"
            )
        return self


def right_in_mixed(right: float, mixed: float, samples: int) -> tuple[float, float]:
    """Return the mean share of right completions in prompts with both kinds, and the share of the other prompts that are right.

    Mixed prompts take the overall share as far as they can, having one completion of each kind; the others make up for the rest.

    Raises
    ------
    ValueError
        If there are no such shares.
    """
    if mixed and samples < 2:
        raise ValueError("engine.mixed: one completion cannot be both right and wrong; raise samples_per_prompt")
    inside = min(max(right, 1 / samples), 1 - 1 / samples)
    missing = right - mixed * inside
    if not -1e-9 <= missing <= 1 - mixed + 1e-9:
        raise ValueError(
            f"engine.right {right:g} cannot be reached with both kinds in a share of {mixed:g} of the prompts; lower engine.mixed"
        )
    return inside, min(max(missing / (1 - mixed), 0.0), 1.0) if mixed < 1 else 0.0


class Grading(Block):
    """How completions are verified."""

    workers: int = Field(1, ge=1)
    """Worker processes per job."""
    deadline_seconds: float = Field(5.0, gt=0)
    """A worker that needs longer for one answer is killed and the answer recorded as `timeout`."""
