"""The teacher-forced sequences that losses and hidden states are measured on, the same for every model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids


@dataclass(frozen=True)
class TokenSequence:
    """One teacher-forced sequence."""

    id: str
    prompt: tuple[int, ...]
    """Token ids that are given."""
    completion: tuple[int, ...]
    """Token ids that are predicted."""

    @property
    def tokens(self) -> tuple[int, ...]:
        """The whole sequence."""
        return self.prompt + self.completion


def reference_solutions(path: str | Path, tokenizer, suffix: str) -> Iterator[TokenSequence]:
    """Yield held-out solutions with their end token, one per problem, so that sequences are independent.

    Parameters
    ----------
    path
        JSONL with the keys id, problem and completion; of several completions of one problem the first counts.
    tokenizer, suffix
        The model's tokenizer, and what is appended to every problem.
    """
    seen = set()
    for row in read_lines(path):
        if row["id"] not in seen:
            seen.add(row["id"])
            yield _sequence(row, tokenizer, suffix, completion_token_ids(tokenizer, row["completion"], finished=True))


def boxed_answers(path: str | Path, tokenizer, suffix: str) -> Iterator[TokenSequence]:
    r"""Yield the gold ``\boxed{answer}`` of every problem, straight after the prompt and without an end token.

    Parameters
    ----------
    path
        JSONL with the keys id, problem and answer.
    tokenizer, suffix
        As for `reference_solutions`.
    """
    for row in read_lines(path):
        answer = rf"\boxed{{{row['answer']}}}"
        yield _sequence(row, tokenizer, suffix, completion_token_ids(tokenizer, answer, finished=False))


def _sequence(row: dict, tokenizer, suffix: str, completion: Sequence[int]) -> TokenSequence:
    prompt = prompt_token_ids(tokenizer, row["problem"], suffix)
    return TokenSequence(str(row["id"]), tuple(prompt), tuple(completion))


def at_least_two(sequences: Sequence[TokenSequence], path: str | Path) -> Sequence[TokenSequence]:
    """Return the sequences, or refuse fewer than two: no standard error follows from one."""
    if len(sequences) < 2:
        raise InputError(
            f"{path} holds {len(sequences)} usable sequence(s), but standard errors need two; provide more problems"
        )
    return sequences
