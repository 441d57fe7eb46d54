"""Sampling a teacher behind an endpoint: what it answered is bought once and kept, whatever becomes of the run."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer
from transformers import PreTrainedTokenizerBase as Tokenizer

from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import append, read_at, read_lines, read_positions, write_atomic
from lossgeometry.files.locks import WriterLock
from lossgeometry.files.stopping import StopSignals
from lossgeometry.generation.endpoint.answers import FAILED, Answer
from lossgeometry.generation.endpoint.limits import unwanted_reasoning, whole_completion
from lossgeometry.generation.engines.openai import OpenAIEngine
from lossgeometry.generation.generate import Progress
from lossgeometry.generation.requests import Request, rollout_requests
from lossgeometry.generation.templating import completion_token_ids
from lossgeometry.provenance import digest_of
from lossgeometry.settings.rollouts import Engine
from lossgeometry.settings.tasks import TeacherAnswers

ASKED = ("model", "base_url", "prompt_suffix", "sampling", "body", "seed")
"""What an answer depends on, beside its problem and the number of its sample."""


def ask_teacher(
    task: TeacherAnswers,
    speed: dict[str, Any],
    student: Path,
    prompts: Path,
    shard: tuple[int, int],
    output: Path,
) -> None:
    """Write the completions of one shard of the prompts: every prompt whose number is `shard[0]` modulo `shard[1]`.

    Answers are kept below `answers/` beside the shards for good, and an answer that is there is not asked for again: not
    after a kill, not where prompts or samples were added or removed, nor where other keys decide what becomes of reasoning.

    Parameters
    ----------
    speed
        Keys of the engine on which no answer depends: requests in flight from this job, deadline, the key's variable, the
        share that may be refused.
    student
        Model folder whose tokenizer counts the tokens.
    prompts
        File of problems.
    """
    problems = list(read_lines(prompts))[shard[0] :: shard[1]]
    requests = rollout_requests(problems, task.samples_per_prompt, task.seed)
    told = task.told()
    folder = output.parent.parent / "answers" / digest_of({key: told[key] for key in ASKED})
    engine = Engine(name="openai", **{key: told[key] for key in ("base_url", "body", "reasoning")}, **speed)
    failed = _ask(requests, engine, task, folder, output.name)
    write_atomic(output, _rows(requests, folder, failed, task, AutoTokenizer.from_pretrained(student)))


def identity(request: Request) -> str:
    """Return what an answer is recognised by: the problem's text and the sample's number, not the problem's place in a file."""
    return hashlib.sha256(f"{request.sample}\n{request.problem}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _ask(
    requests: Sequence[Request], engine: Engine, task: TeacherAnswers, folder: Path, name: str
) -> dict[str, Answer]:
    """Ask for every answer that is not kept yet, and keep it; return {identity: answer} of the requests without one."""
    failed: dict[str, Answer] = {}
    with WriterLock(folder / f"{name}.lock", folder.name), StopSignals() as stop:
        kept = _kept(folder)
        missing = [request for request in requests if identity(request) not in kept]
        if len(missing) < len(requests):
            print(f"{len(requests) - len(missing)} of {len(requests)} answers are there already, in {folder.name}")
        client = OpenAIEngine(task.model, task.prompt_suffix, engine) if missing else None
        progress = Progress(0, len(missing))
        for batch in client.generate(missing, task.sampling, len(requests) - len(missing)) if client else ():
            failed |= {identity(request): answer for request, answer in batch if answer.finish_reason == FAILED}
            came = [(request, answer) for request, answer in batch if answer.finish_reason != FAILED]
            append(folder / name, ({"identity": identity(request), **asdict(answer)} for request, answer in came))
            progress.add(len(batch), sum(answer.billed_tokens or 0 for _, answer in batch))
            if stop.requested and progress.done < progress.total:
                stop.leave(f"{progress.done} of {progress.total} answers")
    return failed


def _kept(folder: Path) -> dict[str, tuple[Path, int]]:
    """Return {identity: where the answer lies} of the answers of earlier calls, of whatever shard."""
    places: dict[str, tuple[Path, int]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        try:
            places |= {row["identity"]: (path, start) for start, row in read_positions(path)}
        except (ValueError, KeyError) as error:
            raise InputError(
                f"cannot read the answers in {path} ({error}); repair it, or delete it to ask again"
            ) from None
    return places


def _rows(
    requests: Sequence[Request], folder: Path, failed: dict[str, Answer], task: TeacherAnswers, tokenizer: Tokenizer
) -> Iterator[dict[str, Any]]:
    """Yield the completions in the order of the requests; the answers are read where they lie."""
    kept = _kept(folder)
    with ExitStack() as stack:
        files = {path: stack.enter_context(open(path, "rb")) for path, _ in kept.values()}
        for request in requests:
            answer = failed.get(identity(request))
            if answer is None:
                path, start = kept[identity(request)]
                row = read_at(files[path], start)
                answer = Answer(**{name: row[name] for name in row if name != "identity"})
            yield _row(request, answer, task, tokenizer)


def _row(request: Request, answer: Answer, task: TeacherAnswers, tokenizer: Tokenizer) -> dict[str, Any]:
    """Return a completion as grading reads it, its tokens counted with the student's tokenizer.

    Raises
    ------
    InputError
        If the answer has reasoning that the task says nothing about.
    """
    unwanted = unwanted_reasoning(answer, task.reasoning) if answer.usable else ""
    if unwanted:
        raise InputError(unwanted)
    text = whole_completion(answer, task.reasoning, task.reasoning_template) if answer.usable else ""
    tokens = completion_token_ids(tokenizer, text, answer.finish_reason == "stop")
    came = asdict(answer) | ({} if task.reasoning == "keep" else {"reasoning": ""})
    del came["content"]
    return {
        "problem_id": request.problem_id,
        "sample": request.sample,
        "decoding": request.decoding,
        "seed": request.seed,
        "completion": text,
        "n_tokens": len(tokens) if answer.usable else 0,
        **came,
    }
