"""Generation through an OpenAI-compatible endpoint."""

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import openai

from lossgeometry.errors import InputError
from lossgeometry.files.text import well_formed
from lossgeometry.generation.endpoint.access import mask_echoes, mask_key, read_key
from lossgeometry.generation.endpoint.answers import FAILED, REFUSED, Answer, BrokenAnswer, ErrorInside, read_answer
from lossgeometry.generation.endpoint.errors import AGAIN, BROKEN, CONTENT, PROBLEM, Verdict, judge, judge_inside
from lossgeometry.generation.endpoint.limits import too_many_left_out, unwanted_reasoning
from lossgeometry.generation.requests import SAMPLED, Request
from lossgeometry.generation.templating import prompt_messages
from lossgeometry.settings.rollouts import Engine, Sampling

ATTEMPTS = 10
BACKOFF_SECONDS = (1.0, 60.0)
"""First and longest pause between attempts at one request; a longer pause that the endpoint asks for is kept."""
LOOK_UP_SECONDS = 1.0
"""The caller gets a batch this often while it waits, if need be an empty one, so that it can stop."""
HOPELESS = 10
"""An endpoint that answered so many requests and none of them usefully is not asked again."""

Answered = tuple[Request, Answer]


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
        Address, requests in flight, deadline, further parameters. The key is read from the environment variable
        `engine.key_variable` when it is used, and never written.

    Raises
    ------
    InputError
        If there is no key, or if it stands in `engine.body`.
    """

    def __init__(self, model_name: str, prompt_suffix: str, engine: Engine):
        self.key = read_key(engine.key_variable)
        if mask_key(str(engine.body), self.key) != str(engine.body):
            raise InputError(
                f"rollouts.engine.body holds the key; leave it to the environment variable {engine.key_variable}"
            )
        self.model_name = model_name
        self.prompt_suffix = prompt_suffix
        self.settings = engine

    def generate(self, requests: Sequence[Request], sampling: Sampling, kept: int = 0) -> Iterator[list[Answered]]:
        """Yield (request, answer) as they come, not in the order of the requests.

        A request that the endpoint refuses for its content, or fails at in every attempt while it serves others, gets an
        answer that says so. `kept` requests of the same data set were answered before.

        Raises
        ------
        InputError
            If the endpoint serves no request any more, leaves more than `max_refused` of them without a usable answer, or
            returns reasoning that nobody asked for. Answers that were on their way are waited for and yielded before.
        """
        if not requests:
            return
        address = urlsplit(self.settings.base_url)
        print(
            f"asking {self.model_name} at {address.scheme}://{address.netloc} for {len(requests)} completions, "
            f"with the key in {self.settings.key_variable}"
        )
        # Leaving the block, for whatever reason, cancels the requests in flight.
        with asyncio.Runner() as runner:
            asking = _Asking(self, requests, sampling, kept)
            batches = asking.batches()

            async def following() -> list[Answered] | None:
                return await anext(batches, None)

            while (batch := runner.run(following())) is not None:
                yield batch


class _Asking:
    """One call of the engine: its workers, and what they found out together."""

    def __init__(self, engine: OpenAIEngine, requests: Sequence[Request], sampling: Sampling, kept: int):
        self.engine, self.settings, self.sampling = engine, engine.settings, sampling
        self.waiting = iter(requests)
        self.asked, self.total = len(requests), len(requests) + kept
        self.ready: list[Answered] = []
        self.served, self.lost = kept, 0
        self.sentence = ""
        """What ends the run, once something does."""
        self.stopped = asyncio.Event()

    async def batches(self) -> AsyncIterator[list[Answered]]:
        """Yield what came since the last batch."""
        async with openai.AsyncOpenAI(
            api_key=self.engine.key,
            base_url=self.settings.base_url,
            timeout=self.settings.timeout_seconds,
            max_retries=0,  # the client's own retries give up after seconds
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),  # the key goes to no other address
        ) as client:
            workers = [
                asyncio.create_task(self._work(client)) for _ in range(min(self.settings.batch_size, self.asked))
            ]
            try:
                while True:
                    done, pending = await asyncio.wait(workers, timeout=LOOK_UP_SECONDS)
                    ready, self.ready = self.ready, []
                    yield ready
                    for worker in done:
                        worker.result()
                    if not pending:
                        break
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
        if self.sentence:
            raise InputError(self.sentence)

    async def _work(self, client: openai.AsyncOpenAI) -> None:
        for request in self.waiting:
            answer = await self._answer(client, request)
            if answer is not None:
                self.ready.append((request, answer))
                self._weigh(request, answer)
            if self.stopped.is_set():
                return

    async def _answer(self, client: openai.AsyncOpenAI, request: Request) -> Answer | None:
        """Return the answer to one request; None where the run ends without it."""
        served = self.served
        for attempt in range(ATTEMPTS):
            verdict = await self._attempt(client, request)
            if isinstance(verdict, Answer):
                return verdict
            what, kind = mask_echoes(verdict.text, self.engine.key), verdict.kind
            if kind in (CONTENT, PROBLEM):
                return Answer("", "", REFUSED if kind == CONTENT else FAILED, what)
            if kind not in (AGAIN, BROKEN):
                self._stop(what)
            elif attempt + 1 < ATTEMPTS:
                pause = max(verdict.pause, _backoff(attempt))
                print(f"problem {request.problem_id}, sample {request.sample}: {what}; again in {pause:.1f} s")
                await self._pause(pause)
            if self.stopped.is_set():
                return None
        # An endpoint that answers, or that served others meanwhile, fails at this request alone.
        if kind == BROKEN or self.served > served:
            return Answer("", "", FAILED, f"{what} in the last of {ATTEMPTS} attempts")
        self._stop(
            f"the endpoint failed {ATTEMPTS} times at problem {request.problem_id}, at last with {what}; run again once it "
            "works, and the answers so far are kept"
        )
        return None

    async def _attempt(self, client: openai.AsyncOpenAI, request: Request) -> Answer | Verdict:
        names = self.engine.model_name, self.settings.key_variable
        try:
            # The client's own timeout is one of silence: a body that drips would never end.
            async with asyncio.timeout(self.settings.timeout_seconds):
                raw = await client.chat.completions.with_raw_response.create(**self._arguments(request))
            return self._without_key(read_answer(raw.http_response.content))
        except BrokenAnswer as broken:
            return Verdict(BROKEN, str(broken))
        except ErrorInside as inside:
            return judge_inside(inside.args[0], *names)
        except (TimeoutError, openai.APITimeoutError):
            return Verdict(AGAIN, "no answer in time")
        except openai.APIConnectionError:
            return Verdict(AGAIN, "a broken connection")
        except openai.APIStatusError as error:
            return judge(error.status_code, error.body, error.response.headers, *names)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stopped.wait(), seconds)
        except TimeoutError:
            return

    def _stop(self, sentence: str) -> None:
        """End the run with the first sentence that is given; requests in flight are still waited for."""
        self.sentence = self.sentence or sentence
        self.stopped.set()

    def _arguments(self, request: Request) -> dict[str, Any]:
        """Return the arguments of one call; `top_k` is no part of the protocol and is sent only where it is asked for."""
        sampling, sampled = self.sampling, request.decoding == SAMPLED
        parameters = {
            "temperature": sampling.temperature if sampled else 0.0,
            "top_p": sampling.top_p if sampled else 1.0,
            "max_tokens": sampling.max_new_tokens,
            "seed": request.seed >> 32,  # 31 bits, which every endpoint can hold
        }
        if sampled and sampling.top_k:
            parameters["top_k"] = sampling.top_k
        parameters |= self.settings.body
        return {
            "model": self.engine.model_name,
            "messages": prompt_messages(request.problem, self.engine.prompt_suffix),
            "extra_body": {name: value for name, value in parameters.items() if value is not None},
        }

    def _without_key(self, answer: Answer) -> Answer:
        key = self.engine.key
        texts = ("content", "reasoning", "reason", "model", "fingerprint")
        masked: dict[str, Any] = {name: mask_key(well_formed(getattr(answer, name)), key) for name in texts}
        return dataclasses.replace(answer, **masked)

    def _weigh(self, request: Request, answer: Answer) -> None:
        """Count an answer, and end the run where it says that going on is of no use."""
        if answer.usable:
            self.served += 1
            unwanted = unwanted_reasoning(answer, self.settings.reasoning)
            if unwanted:
                self._stop(unwanted)
            return
        self.lost += 1
        said = f"problem {request.problem_id}, sample {request.sample}: {answer.finish_reason}, {answer.reason}"
        print(f"left out: {said}")
        limit = self.settings.max_refused
        if self.lost > limit * self.total or (self.lost >= HOPELESS and not self.served):
            self._stop(too_many_left_out(self.lost, self.total, limit, said))


def _backoff(attempt: int) -> float:
    """Return a pause that doubles with each attempt, shortened at random by up to half, so that retries spread out."""
    first, longest = BACKOFF_SECONDS
    return min(longest, first * 2**attempt) * random.uniform(0.5, 1.0)
