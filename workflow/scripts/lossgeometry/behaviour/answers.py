"""The answers that models are compared on, as teacher-forced sequences."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids


@dataclass(frozen=True)
class Answer:
    """One graded answer."""

    sequence: TokenSequence
    correct: bool


def first_answers(
    graded: str | Path, prompts: str | Path, decoding: str, problems: int, tokenizer, suffix: str
) -> list[Answer]:
    """Return one answer to each of the first problems of a benchmark, so that answers are independent.

    Parameters
    ----------
    graded
        JSONL with the keys problem_id, decoding, completion, finish_reason and correct; the first row of a problem with
        the decoding counts.
    prompts
        JSONL with the keys id and problem, in the benchmark's order.
    decoding
        `sampled` or `greedy`.
    problems
        How many problems.
    tokenizer, suffix
        The model's tokenizer, and what is appended to every problem.

    Raises
    ------
    InputError
        If fewer than two answers hold a token: no standard error follows from one.
    """
    chosen: dict[str, dict] = {}
    for row in read_lines(graded):
        if row["decoding"] == decoding:
            chosen.setdefault(row["problem_id"], row)
    answers = []
    for problem in islice(read_lines(prompts), problems):
        row = chosen[problem["id"]]
        completion = completion_token_ids(tokenizer, row["completion"], finished=row["finish_reason"] == "stop")
        if completion:
            prompt = prompt_token_ids(tokenizer, problem["problem"], suffix)
            sequence = TokenSequence(problem["id"], tuple(prompt), tuple(completion))
            answers.append(Answer(sequence, bool(row["correct"])))
    if len(answers) < 2:
        raise InputError(
            f"{graded} holds {len(answers)} {decoding} answer(s) with a token, but standard errors need two;"
            " raise behaviour.problems"
        )
    return answers
