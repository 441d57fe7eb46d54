"""What an endpoint's answer says, from the bytes that came: all shapes that OpenAI-compatible endpoints are known to give.

Reasoning comes as `reasoning_content` (DeepSeek, and servers that follow it), as `reasoning` (OpenRouter, vLLM), as parts of
the type `thinking` in a list (Mistral), or inside the answer between `<think>` tags (servers without a parser for it).
"""

import json
from dataclasses import dataclass
from typing import Any, TypeGuard

STOP, LENGTH, REFUSED, FAILED = "stop", "length", "refused", "failed"
ENDED = frozenset(("stop", "eos", "eos_token", "end_turn", "stop_sequence"))
CUT = frozenset(("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"))
INTERRUPTED = frozenset(
    ("insufficient_system_resource", "error", "abort", "aborted", "cancelled", "timeout", "network_error")
)
"""The endpoint gave up, not the model: worth another attempt."""
LONGEST_NAME = 200


class BrokenAnswer(Exception):
    """An answer that cannot be used, though another attempt may bring one that can; the message says what it was."""


class ErrorInside(Exception):
    """An error that came as an answer; the argument is the error as the endpoint wrote it."""


@dataclass(frozen=True)
class Answer:
    """What the endpoint answered to one request; token counts are the endpoint's own, None where it gives none."""

    content: str
    reasoning: str
    """Empty where there is none."""
    finish_reason: str
    """`stop`, `length`, `refused` (by its content), or `failed` (no attempt brought a usable answer)."""
    reason: str = ""
    """Why it was refused, or failed."""
    model: str = ""
    """The model as the endpoint names it."""
    fingerprint: str = ""
    """What the endpoint says of its configuration."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """Of the prompt's, those that were in the endpoint's cache."""
    billed_tokens: int | None = None
    """Generated tokens, reasoning included."""
    reasoning_tokens: int | None = None

    @property
    def usable(self) -> bool:
        """Whether there is a completion."""
        return self.finish_reason in (STOP, LENGTH)


def read_answer(body: bytes) -> Answer:
    """Return the answer that a body holds.

    Raises
    ------
    BrokenAnswer
        If it holds none that can be used.
    ErrorInside
        If it holds an error.
    """
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        raise BrokenAnswer("an answer that is not JSON") from None
    if not isinstance(reply, dict):
        raise BrokenAnswer("an answer that is not a chat completion")
    if reply.get("error"):
        raise ErrorInside(reply["error"])
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise BrokenAnswer("an answer without a choice")
    if choice.get("error"):
        raise ErrorInside(choice["error"])
    message = choice.get("message")
    if not isinstance(message, dict):
        raise BrokenAnswer("an answer without a message")
    content, reasoning = _texts(message)
    finish_reason, reason = _ending(choice.get("finish_reason"), message)
    usage = reply.get("usage")
    return Answer(
        content,
        reasoning,
        finish_reason,
        reason,
        _name(reply.get("model")),
        _name(reply.get("system_fingerprint")),
        _count(usage, "prompt_tokens"),
        _count(usage, "prompt_tokens_details", "cached_tokens", other="prompt_cache_hit_tokens"),
        _count(usage, "completion_tokens"),
        _count(usage, "completion_tokens_details", "reasoning_tokens", other="reasoning_tokens"),
    )


def _ending(name: object, message: dict[str, Any]) -> tuple[str, str]:
    """Return (finish reason, why the answer was refused)."""
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        return REFUSED, f"refusal: {message['refusal'][:LONGEST_NAME]}"
    if not isinstance(name, str) or not name:
        raise BrokenAnswer("an answer without a finish_reason")
    if name.lower() in ENDED:
        return STOP, ""
    if name.lower() in CUT:
        return LENGTH, ""
    if name.lower() in INTERRUPTED:
        raise BrokenAnswer(f"an answer that ended with {name}")
    # content_filter, safety and their like; a call of a tool that was not offered; what nobody has documented yet.
    return REFUSED, f"finish_reason {name[:LONGEST_NAME]}"


def _texts(message: dict[str, Any]) -> tuple[str, str]:
    """Return (answer, reasoning)."""
    content = message.get("content")
    said = message.get("reasoning_content") or message.get("reasoning") or ""
    if not isinstance(said, str):
        raise BrokenAnswer("an answer whose reasoning is not text")
    if isinstance(content, list):
        said += "".join(_part(part.get("thinking")) for part in content if _is(part, "thinking"))
        content = "".join(_part(part.get("text")) for part in content if _is(part, "text"))
    if content is not None and not isinstance(content, str):
        raise BrokenAnswer("an answer whose content is not text")
    content = content or ""
    inside, closed, answer = content.partition("</think>")
    opened = inside.lstrip().startswith("<think>")
    if not said.strip() and (closed or opened):
        return answer.lstrip(), inside.lstrip().removeprefix("<think>").strip()
    return content, said.strip()


def _is(part: object, kind: str) -> bool:
    return isinstance(part, dict) and part.get("type") == kind


def _part(text: object) -> str:
    if isinstance(text, list):
        return "".join(_part(part.get("text")) for part in text if _is(part, "text"))
    return text if isinstance(text, str) else ""


def _name(value: object) -> str:
    return value[:LONGEST_NAME] if isinstance(value, str) else ""


def _count(usage: object, *path: str, other: str = "") -> int | None:
    """Return the number at a path of the usage, or under another name of it; None where there is none."""
    found = usage
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if other and not _is_count(found):
        found = usage.get(other) if isinstance(usage, dict) else None
    return found if _is_count(found) else None


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
