"""What an endpoint's error means for the request, and for the run."""

import email.utils
import math
import time
from dataclasses import dataclass
from typing import Any

AGAIN, BROKEN, CONTENT, PROBLEM, STOP = "again", "broken", "content", "problem", "stop"
LONGEST_PAUSE_SECONDS = 3600.0
LONGEST_SAID = 300
BUSY = (408, 409, 425, 429)
CONTENT_CODES = frozenset(
    (
        "content_filter",
        "content_policy_violation",
        "data_inspection_failed",
        "moderation_blocked",
        "sensitive_content",
        "responsibleaipolicyviolation",
    )
)
"""Codes under which endpoints refuse a prompt for its content."""
CONTENT_WORDS = ("content exists risk", "content management policy", "input was flagged", "requires moderation")
"""The same in words, where the code does not tell."""


@dataclass(frozen=True)
class Verdict:
    """What is to be done after an error."""

    kind: str
    """`again`: another attempt, since the endpoint is in trouble; `broken`: another attempt, since what it answered is
    unusable; `content`: it refuses this request for its content; `problem`: for another reason; `stop`: it refuses all."""
    text: str
    """What happened, for `stop` as a sentence with the cure; it may repeat what the endpoint said."""
    pause: float = 0.0
    """Seconds that the endpoint asks to wait."""


def judge(status: int, error: object, headers: Any, model_name: str, key_variable: str) -> Verdict:
    """Return the verdict on an HTTP status and the error that came with it.

    Parameters
    ----------
    error
        The body's `error`, or the body: an object, a text, anything.
    headers
        Of the answer; of interest is `retry-after`.
    """
    said = f"HTTP {status}{': ' if _message(error) else ''}{_message(error)}"
    pause = retry_after(headers.get("retry-after", ""))
    kept = "run again, the answers so far are kept"
    if _is_about_content(error):
        return Verdict(CONTENT, said)
    if status == 402:
        return Verdict(STOP, f"the endpoint's account has no balance left ({said}); top it up and {kept}")
    if status in (401, 403):
        return Verdict(
            STOP, f"the endpoint refused the key in {key_variable} (HTTP {status}); correct it, or the account's rights"
        )
    if status == 404:
        cure = "correct teacher.name, or rollouts.engine.base_url"
        return Verdict(
            STOP, f"the endpoint does not know the model {model_name} or has no chat completions ({said}); {cure}"
        )
    if 300 <= status < 400:
        return Verdict(
            STOP,
            f"the endpoint sends requests elsewhere (HTTP {status}); set rollouts.engine.base_url to where it leads",
        )
    if status == 429 and (_code(error) == "insufficient_quota" or pause > LONGEST_PAUSE_SECONDS):
        return Verdict(STOP, f"the endpoint's quota is used up ({said}); raise it and {kept}")
    if status in BUSY or status >= 500:
        return Verdict(AGAIN, f"HTTP {status}", min(pause, LONGEST_PAUSE_SECONDS))
    return Verdict(PROBLEM, said)


def judge_inside(error: object, model_name: str, key_variable: str) -> Verdict:
    """Return the verdict on an error that came as an answer, whose code may be the status that it should have had."""
    code = _code(error)
    if code.isdecimal() and 300 <= int(code) < 600:
        return judge(int(code), error, {}, model_name, key_variable)
    if _is_about_content(error):
        return Verdict(CONTENT, f"error {code}: {_message(error)}")
    return Verdict(BROKEN, "an error in place of an answer")


def retry_after(value: str) -> float:
    """Return the seconds that a Retry-After header asks to wait, from a number or a date; 0 where it asks for nothing."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            seconds = 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _is_about_content(error: object) -> bool:
    inner = error.get("innererror") if isinstance(error, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    metadata = error.get("metadata") if isinstance(error, dict) else None
    names = {_code(error).lower(), str(kind).lower(), _code(inner).lower()}
    flagged = isinstance(metadata, dict) and ("flagged_input" in metadata or bool(metadata.get("reasons")))
    said = _message(error).lower()
    return flagged or bool(names & CONTENT_CODES) or any(words in said for words in CONTENT_WORDS)


def _code(error: object) -> str:
    code = error.get("code") if isinstance(error, dict) else None
    return str(code) if isinstance(code, str | int) else ""


def _message(error: object) -> str:
    said = error.get("message") if isinstance(error, dict) else error
    return " ".join(said.split())[:LONGEST_SAID] if isinstance(said, str) else ""
