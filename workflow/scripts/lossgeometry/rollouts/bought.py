"""What a teacher behind an endpoint was asked, what came, what was left out, and what it cost."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from lossgeometry.errors import InputError
from lossgeometry.files.atomic import atomic_file
from lossgeometry.generation.endpoint.limits import too_many_left_out

COUNTS = ("prompt_tokens", "cached_tokens", "billed_tokens", "reasoning_tokens")
COLUMNS = [
    ("reasoning", pa.string()),
    ("model", pa.string()),
    ("fingerprint", pa.string()),
    *((name, pa.int64()) for name in COUNTS),
]
"""Further columns of rollouts.parquet where an endpoint was sampled; see `generation.endpoint.answers.Answer`."""


class Bought:
    """Totals over all answers of an endpoint; of engines in this process it counts nothing.

    Parameters
    ----------
    told
        `asked`: what the answers depend on; `max_refused`; `prices` per million tokens, or None. Empty for other engines.
    """

    def __init__(self, told: dict[str, Any]):
        self.told = told
        self.requests = 0
        self.left_out: Counter[str] = Counter()
        self.example = ""
        self.models: Counter[str] = Counter()
        self.fingerprints: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()
        self.uncounted: Counter[str] = Counter()

    def has_completion(self, row: dict[str, Any]) -> bool:
        """Count a row of a shard, and return whether it holds a completion."""
        if not self.told:
            return True
        self.requests += 1
        for name in COUNTS:
            self.tokens[name] += row[name] or 0
            self.uncounted[name] += row[name] is None and not row["reason"]
        if row["reason"]:
            self.left_out[row["finish_reason"]] += 1
            self.example = (
                f"problem {row['problem_id']}, sample {row['sample']}: {row['finish_reason']}, {row['reason']}"
            )
            return False
        self.models[row["model"]] += 1
        self.fingerprints[row["fingerprint"]] += 1
        return True

    def check(self) -> None:
        """Refuse a data set that too many requests are missing from.

        Raises
        ------
        InputError
            If more than `max_refused` of them are.
        """
        lost = self.left_out.total()
        if self.told and lost > self.told["max_refused"] * self.requests:
            raise InputError(too_many_left_out(lost, self.requests, self.told["max_refused"], self.example))

    @property
    def price(self) -> float:
        """The cost of all answers in the currency of the price list; NaN without a list, or where a count is missing."""
        prices = self.told["prices"]
        if prices is None or self.uncounted["prompt_tokens"] or self.uncounted["billed_tokens"]:
            return float("nan")
        cached = self.tokens["cached_tokens"]
        cached_price = prices["prompt"] if prices["cached"] is None else prices["cached"]
        parts = (
            (self.tokens["prompt_tokens"] - cached) * prices["prompt"],
            cached * cached_price,
            self.tokens["billed_tokens"] * prices["completion"],
        )
        return sum(parts) / 1e6

    def columns(self) -> dict[str, Any]:
        """Return further columns of tables/rollouts.csv; none for engines in this process."""
        if not self.told:
            return {}
        left_out = {name: self.left_out[name] for name in ("refused", "failed")}
        return {
            "requests": self.requests,
            **left_out,
            **{name: self.tokens[name] for name in COUNTS},
            "price": self.price,
        }

    def write(self, path: Path) -> None:
        """Write what was asked and what came as JSON; it holds no date, and no key."""
        record = {
            "asked": self.told["asked"],
            "requests": self.requests,
            "left_out": dict(sorted(self.left_out.items())),
            "models": dict(sorted(self.models.items())),
            "fingerprints": dict(sorted(self.fingerprints.items())),
            "tokens": {name: self.tokens[name] for name in COUNTS},
            "answers_without_a_count": {name: self.uncounted[name] for name in COUNTS},
            "prices": self.told["prices"],
            "price": None if self.price != self.price else self.price,
        }
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
