"""The rollouts as token ids: once for all runs, in the order of their file."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from lossgeometry.files.jsonl import read_lines
from lossgeometry.files.parquet import growing_parquet
from lossgeometry.generation.templating import completion_token_ids, prompt_token_ids
from lossgeometry.training.training_job import TrainingJob

ROWS_AT_ONCE = 4096
TEXT = ["prompt_id", "sample", "completion", "finish_reason"]
IDS = pa.list_(pa.int32())
SCHEMA = pa.schema([("prompt_id", pa.string()), ("sample", pa.int64()), ("prompt_ids", IDS), ("completion_ids", IDS)])


def tokenize_rollouts(student: Path, prompts: Path, rollouts: Path, suffix: str, output: Path) -> None:
    """Write the token ids of every rollout: a completion that its budget did not cut ends with the end token."""
    tokenizer = AutoTokenizer.from_pretrained(student, local_files_only=True)
    problems = {row["id"]: row["problem"] for row in read_lines(prompts)}
    with growing_parquet(output, SCHEMA, "zstd") as parquet, pyarrow.parquet.ParquetFile(rollouts) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=TEXT):
            parquet.write_batch(tokenized(batch.to_pandas(), problems, tokenizer, suffix))


def tokenized(
    rollouts: pd.DataFrame, problems: Mapping[str, str], tokenizer: PreTrainedTokenizerBase, suffix: str
) -> pa.RecordBatch:
    """Return the token ids of some rollouts; `problems` are texts by id."""
    prompts = {name: prompt_token_ids(tokenizer, problems[name], suffix) for name in rollouts.prompt_id.unique()}
    completions = [
        completion_token_ids(tokenizer, text, reason != "length")
        for text, reason in zip(rollouts.completion, rollouts.finish_reason, strict=True)
    ]
    columns = (rollouts.prompt_id, rollouts["sample"], [prompts[name] for name in rollouts.prompt_id], completions)
    return pa.record_batch([pa.array(column, of.type) for column, of in zip(columns, SCHEMA, strict=True)], SCHEMA)


def with_tokens(rows: pd.DataFrame, job: TrainingJob) -> pd.DataFrame:
    """Return rollouts of a job with `prompt_ids` and `completion_ids`, int32 arrays.

    They come from the job's file of tokens; a job without one, such as an audit of somebody's rollouts, makes them here.

    Parameters
    ----------
    rows
        Some of the rollouts; their index is the place in the file of rollouts.

    Raises
    ------
    ValueError
        If the tokens are of other rollouts.
    """
    if job.tokens is None:
        problems = {name: job.problem_of(name) for name in rows.prompt_id.unique()}
        made = tokenized(rows, problems, AutoTokenizer.from_pretrained(job.student), job.prompt_suffix)
    else:
        made = pyarrow.parquet.read_table(job.tokens, memory_map=True).take(pa.array(rows.index))
    tokens = made.to_pandas().set_index(rows.index)
    if not (tokens.prompt_id.equals(rows.prompt_id) and tokens["sample"].eq(rows["sample"]).all()):
        raise ValueError(f"{job.tokens} holds the tokens of other rollouts than {job.rollouts}")
    return rows.assign(prompt_ids=tokens.prompt_ids, completion_ids=tokens.completion_ids)
