"""The texts that models are compared on, as teacher-forced sequences: answers, solutions, passages."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids


@dataclass(frozen=True)
class Answer:
    """One text: a graded answer, or one that is right as it was written."""

    sequence: TokenSequence
    correct: bool = True


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


def written_solutions(prompts: str | Path, problems: int, tokenizer, suffix: str) -> list[Answer]:
    """Return the solutions that the first problems of a benchmark were written with.

    Parameters
    ----------
    prompts
        JSONL with the keys id, problem and solution.
    problems, tokenizer, suffix
        As for `first_answers`.
    """
    answers = []
    for row in islice(read_lines(prompts), problems):
        prompt = prompt_token_ids(tokenizer, row["problem"], suffix)
        completion = completion_token_ids(tokenizer, row["solution"], finished=True)
        answers.append(Answer(TokenSequence(row["id"], tuple(prompt), tuple(completion))))
    return answers


def passages(text: str | Path, count: int, tokenizer, tokens: int) -> list[Answer]:
    """Return the first passages of a text, as plain text without a template, cut at a number of tokens.

    Parameters
    ----------
    text
        UTF-8, one passage per line; empty lines are none.

    Raises
    ------
    InputError
        If the file is not UTF-8, or holds fewer than two passages of two tokens: no standard error follows from one.
    """
    found: list[Answer] = []
    try:
        with open(text, encoding="utf-8") as file:
            for number, line in enumerate(file):
                ids = tokenizer(line.strip())["input_ids"][:tokens]
                if len(ids) > 1:
                    found.append(Answer(TokenSequence(f"{number:06d}", (ids[0],), tuple(ids[1:]))))
                if len(found) == count:
                    break
    except UnicodeDecodeError:
        raise InputError(f"{text} is not UTF-8 text; convert it, or name another file in forgetting.text") from None
    if len(found) < 2:
        raise InputError(f"{text} holds {len(found)} passage(s), but standard errors need two; write one per line")
    return found
