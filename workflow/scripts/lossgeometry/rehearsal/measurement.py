"""One run's first steps on rows as long as the configuration admits, in a process of its own, which ends with its memory."""

import json
import math
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from lossgeometry.devices import peak_flops
from lossgeometry.files.csv_rows import read_frame
from lossgeometry.files.jsonl import read_lines
from lossgeometry.files.parquet import write_parquet
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids
from lossgeometry.methods import method_module
from lossgeometry.planning.rehearsed import Rehearsed
from lossgeometry.settings.tasks import TrainedAdapter
from lossgeometry.training.device import device
from lossgeometry.training.run import train

PHRASE = " 7 + 5 = 12 and"
ANSWER = " \\boxed{12}."


def longest_rows(
    tokenizer: PreTrainedTokenizerBase, problems: Sequence[dict[str, str]], suffix: str, max_length: int, count: int
) -> pd.DataFrame:
    """Return a right and a wrong rollout for each of `count` prompts, as long as `max_length` admits, to a phrase."""
    rows = []
    for number in range(count):
        problem = problems[number % len(problems)]
        room = max_length - len(prompt_token_ids(tokenizer, problem["problem"], suffix))
        low, high = 0, max(room, 1)
        while low < high:  # the most phrases that fit
            middle = (low + high + 1) // 2
            if len(completion_token_ids(tokenizer, PHRASE * middle + ANSWER, True)) <= room:
                low = middle
            else:
                high = middle - 1
        for sample, reward in enumerate((1.0, 0.0)):
            rows.append((problem["id"], 2 * (number // len(problems)) + sample, PHRASE * low + ANSWER, "stop", reward))
    return pd.DataFrame(rows, columns=["prompt_id", "sample", "completion", "finish_reason", "reward"])


def measure(
    task: TrainedAdapter, speed: dict[str, Any], student: Path, initialisation: Path, prompts: Path
) -> Rehearsed:
    """Train the steps that a task asks for, and return what the last of them took; on-policy the mean of all of them."""
    offline = method_module(task.method).OFFLINE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rollouts = None
        if offline:
            problems = [row for _, row in zip(range(task.training["batch_size"]), read_lines(prompts), strict=False)]
            rows = longest_rows(
                AutoTokenizer.from_pretrained(student),
                problems,
                task.prompt_suffix,
                task.training["max_length"],
                task.training["batch_size"],
            )
            rollouts = folder / "rollouts.parquet"
            write_parquet(rollouts, pa.Table.from_pandas(rows, preserve_index=False))

        def seconds_of(steps: int) -> float:
            start = time.perf_counter()
            longer = task.model_copy(update={"training": task.training | {"steps": steps}})
            train(longer, speed, {}, student, initialisation, prompts, rollouts, folder / "adapter", folder)
            return time.perf_counter() - start

        steps = task.training["steps"]
        wall = seconds_of(steps)
        curve = read_frame(folder / "adapter" / "training.csv")
        if (
            "seconds" not in curve
        ):  # float32 times no steps, and these are short: twice as many, less what loading takes
            more = (seconds_of(2 * steps) - wall) / steps
            curve = curve.assign(seconds=more if more > 0 else math.nan, flop=math.nan)
    tokens = curve.tokens.diff().fillna(curve.tokens.iloc[0])
    taken = curve.tail(1).index if offline else curve.index
    seconds = float(curve.seconds[taken].mean())
    of = {name: float(curve[name].mean()) for name in ("groups_uniform_sampled", "mismatch_mean") if name in curve}
    return Rehearsed(
        seconds=seconds,
        tokens=float(tokens[taken].mean()),
        peak_bytes=_peak_bytes(),
        mfu=float(curve.flop[taken].mean()) / seconds / peak_flops(device(1)["name"]),
        mixed_share=1 - of.get("groups_uniform_sampled", math.nan),
        mismatch=of.get("mismatch_mean", math.nan),
    )


def _peak_bytes() -> float:
    """Return the most memory of the GPU that was in use, vLLM's share included; without a GPU that of the process."""
    if not torch.cuda.is_available():
        return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    free, total = torch.cuda.mem_get_info()
    return float(max(total - free, torch.cuda.max_memory_reserved()))


def main() -> None:
    """Measure what the command line describes; the result goes into the file that it names."""
    told, speed, output, *paths = json.loads(sys.argv[1])
    measured = measure(TrainedAdapter.from_told(told), speed, *map(Path, paths))
    facts = {"device": device(1)["name"], "measured": vars(measured)}
    Path(output).write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
