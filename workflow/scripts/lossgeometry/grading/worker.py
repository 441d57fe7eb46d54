"""A process that judges answers with math-verify, one JSON line in, one out; it may be killed at any moment.

It is started by path, imports nothing of this project and never PyTorch, so a trainer that holds a GPU can start it.
Requests are `[gold, box, deadline]`, replies the outcome. The deadline is CPU time and is enforced by the kernel
(ITIMER_PROF at its default action, death): math-verify's own alarms do not fire inside big-integer arithmetic, and a
wall clock would let a busy machine change verdicts.
"""

import json
import logging
import os
import re
import resource
import signal
import sys
from functools import lru_cache

from math_verify import LatexExtractionConfig, parse, verify

MEMORY_BYTES = 2 << 30
# Gold answers are bare: everything between the dollars is the answer, and numbers inside unparsable text are not.
GOLD = (LatexExtractionConfig(),)
# Predictions: only the box, never a formula elsewhere (21 % fewer false rejections than with defaults and raw golds).
BOX = (LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False),)


@lru_cache(maxsize=1024)
def parse_gold(gold: str) -> list:
    """SymPy objects and fallback strings of a gold answer; empty when none of them is a SymPy object."""
    found = parse(f"${gold}$", GOLD, parsing_timeout=None)
    return found if any(not isinstance(one, str) for one in found) else []


def judge(gold: str, box: str) -> str:
    """`correct`, `wrong` or `unparsable_gold`.

    A percent sign on one side only may be left out, since "what percent" is answered by 12.5 and by 12.5 %; math-verify
    itself grants this to integers alone.
    """
    bare_gold, bare_box = _without_percent(gold), _without_percent(box)
    if not parse_gold(bare_gold):
        return "unparsable_gold"
    # Equal strings are equal: math-verify says so too, since it compares the normalised strings beside the expressions,
    # but it takes `June 20` for a product and `\\text{June 20}` for a word.
    if _letters(bare_gold) == _letters(bare_box) or equal(bare_gold, bare_box):
        return "correct"
    one_sided = (gold != bare_gold) != (box != bare_box)
    return "correct" if one_sided and equal(gold, box) else "wrong"


def equal(gold: str, box: str) -> bool:
    """Whether math-verify accepts the box; verify is asymmetric: gold first. Relations may stand for intervals."""
    prediction = parse(rf"\boxed{{{box}}}", BOX, parsing_timeout=None)
    return verify(parse_gold(gold), prediction, timeout_seconds=None, allow_set_relation_comp=True)


def _without_percent(text: str) -> str:
    return re.sub(r"\s*(?:\\?%|\\text\s*\{\s*(?:\\?%|percent)\s*\}|\bpercent)$", "", text)


def _letters(text: str) -> str:
    """The answer with single spaces, and without text commands where it is made of words."""
    if re.search(r"[A-Za-z]{3}", re.sub(r"\\[A-Za-z]+", "", text)):
        text = re.sub(r"\\(?:text|textbf|textit|mathrm|mbox)\s*\{([^{}]*)\}", r"\1", text)
    return " ".join(text.split())


def serve() -> None:
    """Answer requests until standard input ends."""
    # Parsers print to standard output: replies get a descriptor of their own.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii") as replies:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        logging.disable(logging.CRITICAL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent ends this process
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        print("ready", file=replies, flush=True)
        for line in sys.stdin:
            gold, box, deadline = json.loads(line)
            signal.setitimer(signal.ITIMER_PROF, deadline)
            outcome = judge(gold, box)
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(outcome, file=replies, flush=True)


if __name__ == "__main__":
    serve()
