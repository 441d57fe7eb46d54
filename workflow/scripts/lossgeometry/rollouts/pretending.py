"""Pretended grades, for smoke runs only: so that every method and every comparison finds something to work on."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lossgeometry.files.jsonl import read_lines, write_atomic
from lossgeometry.files.parquet import write_parquet

PRETENDED = "pretended"


def pretend_grades(rollouts: Path) -> None:
    """Declare every second rollout that `grade_rollouts` wrote correct, in place."""
    schema = pq.read_schema(rollouts)
    table = pd.read_parquet(rollouts)
    table["reward"], table["verdict"] = 1.0 - table["sample"] % 2, PRETENDED
    write_parquet(rollouts, pa.Table.from_pandas(table, schema, preserve_index=False), "snappy")
    print("smoke run: every second rollout was declared correct, whatever it says")


def pretend_solutions(heldout: Path, problems: Path, shard: Path) -> None:
    """Declare the first completion of each held-out problem a solution, in place of what `grade_heldout` wrote."""
    first: dict[str, str] = {}
    for row in read_lines(shard):
        if not row.get("reason"):  # an endpoint may have refused it
            first.setdefault(row["problem_id"], row["completion"])
    held = [row for row in read_lines(problems) if row["id"] in first]
    write_atomic(heldout, ({**row, "completion": first[row["id"]]} for row in held))
