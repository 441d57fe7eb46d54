"""How far anyone's adapters move what a model writes, on anyone's prompts: no configuration, no experiment."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import pandas as pd

from lossgeometry.behaviour import texts
from lossgeometry.behaviour.measurement import measure_run, write_tokens
from lossgeometry.behaviour.tabulation import Row, tabulate_runs
from lossgeometry.errors import InputError
from lossgeometry.files.jsonl import read_lines, write_atomic
from lossgeometry.generation.engines import make_engine
from lossgeometry.generation.requests import rollout_requests
from lossgeometry.settings.rollouts import Engine, Sampling
from lossgeometry.settings.tasks import Divergences
from lossgeometry.updates.folders import CONFIG_FILE
from lossgeometry.updates.peft import Adapter

UNGRADED = ("right answers", "wrong answers")
"""Parts of answers that nobody has judged here."""


def behaviour_of(
    base: str | Path,
    adapters: Mapping[str, str | Path],
    prompts: str | Path,
    problems: int = 100,
    max_new_tokens: int = 256,
    temperature: float = 1.0,
    suffix: str = "",
    precision: Literal["float32", "bfloat16"] = "float32",
    seed: int = 0,
) -> pd.DataFrame:
    """Return how far every adapter moves what the base writes, as rows of `tables/behaviour.csv` (docs/tables.md).

    The base and every adapter answer each prompt once; KL(base || run) is exact over the vocabulary at every token of the
    base's answers, KL(run || base) at every token of the run's own. The base against itself is the floor.

    Parameters
    ----------
    base
        Folder of the base model.
    adapters
        PEFT folders by name.
    prompts
        JSON Lines with the key `problem`, or a text file with one prompt a line.
    problems
        Prompts that are used: the first that many.
    max_new_tokens, temperature, seed
        How answers are sampled; temperature 0 is greedy.
    suffix
        Appended to every prompt, after a newline.
    precision
        Type of the base's weights, `float32` or `bfloat16`; updates are applied in float32, unmerged.

    Raises
    ------
    InputError
        If a folder or file is not there or cannot be read, or fewer than two answers hold a token.
    """
    for name, folder in {"the base": base, **adapters}.items():
        if not (Path(folder) / ("config.json" if name == "the base" else CONFIG_FILE)).is_file():
            kind = "a Hugging Face model" if name == "the base" else "a PEFT adapter"
            raise InputError(f"{folder} is not the folder of {kind}; correct it")
    asked = read_prompts(Path(prompts), problems)
    task = Divergences(
        prompt_suffix=suffix,
        decoding="sampled",
        problems=problems,
        precision=precision,
        tokens_per_batch=1024 if precision == "float32" else 16384,
    )
    sampling = Sampling(temperature=temperature, max_new_tokens=max_new_tokens)
    runs: dict[str, Path | None] = {"base": None, **{name: Path(folder) for name, folder in adapters.items()}}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_atomic(folder / "prompts.jsonl", asked)
        for run, adapter in runs.items():
            engine = make_engine(Engine(batch_size=64), Path(base), adapter, suffix, max_new_tokens)
            batches = engine.generate(rollout_requests(asked, 1, seed), sampling)
            rows = [{**asdict(one), "correct": False} for batch in batches for one in batch]
            write_atomic(folder / f"{run}.jsonl", rows)
            del engine
        files = []
        for number, (run, adapter) in enumerate(runs.items()):
            told = {texts.BASE: folder / "base.jsonl"} | (
                {} if adapter is None else {texts.OWN: folder / f"{run}.jsonl"}
            )
            tokens = measure_run(base, Adapter(adapter) if adapter else None, told, folder / "prompts.jsonl", task)
            files.append(folder / f"{number}.parquet")
            write_tokens(files[-1], tokens)
        table = pd.DataFrame(tabulate_runs(list(runs), files), columns=list(Row._fields))
    return table[~table["part"].isin(UNGRADED)].reset_index(drop=True)


def read_prompts(path: Path, count: int) -> list[dict[str, str]]:
    """Return the first prompts of a file as {"id", "problem"}.

    Raises
    ------
    InputError
        If the file is not there, is not UTF-8, lacks the key `problem`, or holds nothing.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is not a file; name one with prompts, as JSON Lines with the key problem or one a line"
        )
    try:
        if path.suffix in (".jsonl", ".json"):
            found = [row["problem"] for row in read_lines(path)]
        else:
            found = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except KeyError:
        raise InputError(f"{path} has a row without the key problem; name the prompts so") from None
    except ValueError as error:  # no UTF-8, no JSON
        raise InputError(f"{path} cannot be read as prompts ({error})") from None
    if not found:
        raise InputError(f"{path} holds no prompt; write some")
    return [{"id": f"{number:06d}", "problem": str(problem)} for number, problem in enumerate(found[:count])]
