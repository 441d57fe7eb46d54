"""The one interface of every engine that generates text."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from lossgeometry.settings.rollouts import Sampling

GREEDY = "greedy"
SAMPLED = "sampled"


@dataclass(frozen=True)
class Request:
    """One completion to generate."""

    problem_id: str
    sample: int
    """Number of the completion of this problem; greedy decoding is sample 0."""
    problem: str
    """The problem's text, without template and suffix."""
    decoding: str
    """`greedy` or `sampled`."""
    seed: int
    """Seed of this completion, a function of the experiment's seed, the problem and the sample."""


@dataclass(frozen=True)
class Completion:
    """What an engine made of a request."""

    problem_id: str
    sample: int
    decoding: str
    seed: int
    completion: str
    """The text, without the end token."""
    finish_reason: str
    """`stop` if the model ended the completion, `length` if it was cut by the token budget."""
    n_tokens: int
    """Generated tokens, the end token included."""


class Engine(Protocol):
    """Generates completions with one model and at most one adapter, of which rounding to the model's type may lose nothing."""

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Yield the completions in the order of the requests, in batches as they are done.

        A batch is the unit that is checkpointed; an empty one only lets the caller look up. A completion depends on its own
        request only, not on the batch.

        Raises
        ------
        InputError
            If a prompt and the token budget exceed what the model can take together.
        """
        ...


def sample_seed(seed: int, problem_id: str, sample: int) -> int:
    """Return the seed of one completion: 63 bits that no batching or sharding changes."""
    digest = hashlib.sha256(f"{seed}/{problem_id}/{sample}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def rollout_requests(problems: Sequence[dict], samples: int, seed: int) -> list[Request]:
    """Return the requests of `samples` sampled completions of every problem, numbered from 0."""
    return [
        Request(row["id"], sample, row["problem"], SAMPLED, sample_seed(seed, row["id"], sample))
        for row in problems
        for sample in range(samples)
    ]


def evaluation_requests(problems: Sequence[dict], greedy: bool, samples: int, seed: int) -> list[Request]:
    """Return the requests of one benchmark: a greedy completion as sample 0, sampled ones as samples 1 and up."""
    requests = []
    for row in problems:
        if greedy:
            requests.append(Request(row["id"], 0, row["problem"], GREEDY, sample_seed(seed, row["id"], 0)))
        requests += [
            Request(row["id"], sample, row["problem"], SAMPLED, sample_seed(seed, row["id"], sample))
            for sample in range(1, samples + 1)
        ]
    return requests
