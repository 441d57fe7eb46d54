"""Compare one plain SGD step of any trainer with our gradient, or write the batch to take it on: `make conformance`."""

import argparse
import sys
from pathlib import Path

from lossgeometry.errors import InputError
from lossgeometry.files.text import printable, printable_lines

PAIRS = 4


def main() -> None:
    """Read the command line; write the batch if there is none, else compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("batch", type=Path, help="folder of the batch, directly below that of a finished experiment")
    parser.add_argument("--adapter", type=Path, help="adapter after one step of plain SGD with rate 1 on the batch")
    parser.add_argument("--method", default="sft", help="the loss that the trainer says it computes")
    arguments = parser.parse_args()
    import yaml

    from lossgeometry.audit.conformance import compare_step, in_words
    from lossgeometry.audit.fixed_batch import write_batch
    from lossgeometry.experiment.loading import load_config
    from lossgeometry.forward.adapted_model import load_base

    results = arguments.batch.resolve().parent
    student = results / "models" / "student"
    try:
        if arguments.adapter is not None:
            found = compare_step(arguments.adapter, arguments.batch, student, arguments.method)
            print(printable_lines(in_words(found, arguments.method)))
            return
        if not (results / "config.yaml").is_file():
            raise InputError(f"{results} is no folder of an experiment; give BATCH=results/<experiment>/batch")
        config = load_config(yaml.safe_load((results / "config.yaml").read_text(encoding="utf-8")))
        start = results / "initialisations" / f"s{config.trained[0].init_seed}"
        _, tokenizer = load_base(student, "float32")
        rollouts, prompts = results / "rollouts" / "rollouts.parquet", results / "prompts" / "train.jsonl"
        rows = write_batch(arguments.batch, rollouts, prompts, start, tokenizer, config.prompt_suffix, PAIRS)
        print(printable(f"{arguments.batch}: a batch of {rows} rows; its README.txt says what to do with it"))
    except InputError as error:
        sys.exit(printable(f"error: {error}"))


if __name__ == "__main__":
    main()
