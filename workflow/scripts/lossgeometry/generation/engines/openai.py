"""Generation through an OpenAI-compatible endpoint."""

import asyncio
import email.utils
import os
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from pathlib import Path

import openai

from lossgeometry.errors import InputError
from lossgeometry.generation.requests import SAMPLED, Completion, Request
from lossgeometry.generation.templating import prompt_messages
from lossgeometry.settings.rollouts import Engine, Sampling

ATTEMPTS = 10
BACKOFF_SECONDS = (1.0, 60.0)
"""First and longest pause between attempts at one request; a longer pause that the endpoint asks for is kept."""
LONGEST_PAUSE_SECONDS = 3600.0
LOOK_UP_SECONDS = 1.0
"""The caller gets an empty batch this often while it waits, so that it can stop."""
AHEAD = 4
"""Completions held back by a slow one before them, per request in flight."""


class OpenAIEngine:
    """Chat completions of an endpoint, several at a time, each tried again until it is there.

    The prompt is the user's turn that every engine sees; the endpoint applies its model's own template. Its answers may differ
    from call to call: the seed is passed on, and only the endpoint knows whether it is used.

    Parameters
    ----------
    model_name
        Name that the endpoint knows the model by.
    prompt_suffix
        Appended to every problem.
    engine
        Address, requests in flight and deadline. The key is read from the environment variable OPENAI_API_KEY when it is
        used, and never written.

    Raises
    ------
    InputError
        If OPENAI_API_KEY is not set.
    """

    def __init__(self, model_name: str, prompt_suffix: str, engine: Engine):
        if not os.environ.get("OPENAI_API_KEY"):
            raise InputError(
                "the endpoint's key is missing; set the environment variable OPENAI_API_KEY, to any word if it needs none"
            )
        self.model_name = model_name
        self.prompt_suffix = prompt_suffix
        self.base_url = engine.base_url
        self.in_flight = engine.batch_size
        self.timeout_seconds = engine.timeout_seconds

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Yield the completions in the order of the requests, as soon as all before them are there.

        Raises
        ------
        InputError
            If the endpoint refuses a request, or still fails after the last attempt. Completions that came before are kept.
        """
        # Leaving the block, for whatever reason, cancels the requests in flight.
        with asyncio.Runner() as runner:
            batches = self._batches(requests, sampling)

            async def following() -> list[Completion] | None:
                return await anext(batches, None)

            while (batch := runner.run(following())) is not None:
                yield batch

    async def _batches(self, requests: Sequence[Request], sampling: Sampling) -> AsyncIterator[list[Completion]]:
        slots = asyncio.Semaphore(self.in_flight)
        waiting = iter(requests)
        tasks: deque[asyncio.Task[Completion]] = deque()
        async with openai.AsyncOpenAI(
            api_key=os.environ["OPENAI_API_KEY"],
            base_url=self.base_url,
            timeout=self.timeout_seconds,
            max_retries=0,  # the client's own retries give up after seconds
        ) as client:
            try:
                while True:
                    for request in islice(waiting, AHEAD * self.in_flight - len(tasks)):
                        tasks.append(asyncio.create_task(self._complete(client, slots, request, sampling)))
                    if not tasks:
                        return
                    await asyncio.wait([tasks[0]], timeout=LOOK_UP_SECONDS)
                    ready = []
                    while tasks and tasks[0].done() and (not ready or tasks[0].exception() is None):
                        ready.append(tasks.popleft().result())
                    yield ready
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _complete(
        self, client: openai.AsyncOpenAI, slots: asyncio.Semaphore, request: Request, sampling: Sampling
    ) -> Completion:
        """Return the completion of one request. It keeps its slot while it pauses, so that a busy endpoint gets less."""
        async with slots:
            for attempt in range(ATTEMPTS):
                try:
                    answer = await client.chat.completions.create(**self._arguments(request, sampling))
                    completion = _completion(request, answer)
                    if completion is not None:
                        return completion
                    what, asked = "an answer that is not a chat completion", None
                except openai.APIConnectionError as error:
                    timed_out = isinstance(error, openai.APITimeoutError)
                    what, asked = "no answer in time" if timed_out else "a broken connection", None
                except openai.APIStatusError as error:
                    what, asked = f"HTTP {error.status_code}", _retry_after(error)
                    if not _worth_another_attempt(error, asked):
                        raise InputError(_refusal(request, self.model_name, error)) from None
                if attempt + 1 < ATTEMPTS:
                    pause = max(asked or 0.0, _backoff(attempt))
                    print(f"problem {request.problem_id}, sample {request.sample}: {what}; again in {pause:.1f} s")
                    await asyncio.sleep(pause)
        raise InputError(
            f"the endpoint failed {ATTEMPTS} times at problem {request.problem_id}, at last with {what}; run again once it "
            "works, and the completions so far are kept"
        )

    def _arguments(self, request: Request, sampling: Sampling) -> dict:
        """Return the arguments of one call; `top_k` is no part of the protocol and is sent only where it is asked for."""
        sampled = request.decoding == SAMPLED
        return {
            "model": self.model_name,
            "messages": prompt_messages(request.problem, self.prompt_suffix),
            "temperature": sampling.temperature if sampled else 0.0,
            "top_p": sampling.top_p if sampled else 1.0,
            "max_tokens": sampling.max_new_tokens,
            "seed": request.seed >> 32,  # 31 bits, which every endpoint can hold
            "extra_body": {"top_k": sampling.top_k} if sampled and sampling.top_k else None,
        }


def _completion(request: Request, answer: object) -> Completion | None:
    """Return an endpoint's answer as a completion, or None if it is not one (an error page of something between, say).

    Raises
    ------
    InputError
        If the endpoint does not count tokens.
    """
    if not isinstance(answer, openai.types.chat.ChatCompletion) or not answer.choices or not answer.choices[0].message:
        return None
    if answer.usage is None:
        raise InputError("the endpoint does not report usage.completion_tokens; use one that counts its tokens")
    choice = answer.choices[0]
    return Completion(
        request.problem_id,
        request.sample,
        request.decoding,
        request.seed,
        choice.message.content or "",
        "stop" if choice.finish_reason == "stop" else "length",
        answer.usage.completion_tokens,
    )


def _backoff(attempt: int) -> float:
    """Return a pause that doubles with each attempt, shortened at random by up to half, so that retries spread out."""
    first, longest = BACKOFF_SECONDS
    return min(longest, first * 2**attempt) * random.uniform(0.5, 1.0)


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Return the seconds that the endpoint asks to wait, from a number or a date, or None."""
    value = error.response.headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        date = email.utils.parsedate_tz(value)
        return max(0.0, email.utils.mktime_tz(date) - time.time()) if date else None


def _worth_another_attempt(error: openai.APIStatusError, asked: float | None) -> bool:
    if error.code == "insufficient_quota" or (asked or 0.0) > LONGEST_PAUSE_SECONDS:
        return False
    return error.status_code in (408, 409, 425, 429) or error.status_code >= 500


def _refusal(request: Request, model_name: str, error: openai.APIStatusError) -> str:
    """Return the sentence for a request that the endpoint will not serve."""
    status = f"HTTP {error.status_code}"
    # What an endpoint says of a key may quote it.
    if error.status_code in (401, 403):
        return f"the endpoint refused the key in OPENAI_API_KEY ({status}); correct it, or the account's rights"
    said = error.message.replace(os.environ["OPENAI_API_KEY"], "***")[:300]
    if error.status_code == 404:
        return f"the endpoint does not know the model {model_name} or has no chat completions ({said}); correct teacher.name"
    if error.status_code == 429:
        return f"the endpoint's quota is used up ({said}); raise it and run again, the completions so far are kept"
    return f"the endpoint refused problem {request.problem_id} ({status}: {said}); change the sampling or remove the problem"


def load(
    model: Path | str, adapter: Path | None, prompt_suffix: str, engine: Engine, max_new_tokens: int
) -> OpenAIEngine:
    """Return the engine, which asks for the model by its name; see `engines.make_engine`."""
    return OpenAIEngine(str(model), prompt_suffix, engine)
