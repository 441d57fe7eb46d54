"""Benchmark problems that share text with the training prompts."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from lossgeometry.files.csv_rows import read_frame, write_frame
from lossgeometry.files.jsonl import read_lines

WORDS = 13
"""Length of the shared run of words that counts as overlap: Brown et al. 2020, arXiv:2005.14165, appendix C."""
COLUMNS = [
    "benchmark",
    "problems",
    "exact",
    "exact_share",
    "ngram",
    "ngram_share",
    "overlapping",
    "overlapping_share",
    "exact_ids",
    "ngram_ids",
]
_LATEX_SPACE = re.compile(r"\\(?:[,;:!> ]|quad\b|qquad\b|thinspace\b|hspace\*?\{[^}]*\})|~")
_DELIMITER = re.compile(r"\$|\\[()\[\]]")
_WORD = re.compile(r"\w+")


def tabulate_contamination(train: Path, benchmarks: Mapping[str, Path], output: Path) -> None:
    """Write contamination.csv from files of {"id", "problem"}."""
    trained = [row["problem"] for row in read_lines(train)]
    tested = {name: {row["id"]: row["problem"] for row in read_lines(path)} for name, path in benchmarks.items()}
    write_frame(output, contamination_table(trained, tested))


def contamination_table(trained: Iterable[str], benchmarks: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """One row per benchmark; columns `COLUMNS`, ids joined by semicolons.

    `exact`: the same text but for white space, LaTeX spacing, math delimiters and case. `ngram`: a run of `WORDS` words in
    common, exact copies included; a problem with fewer words can only be an exact copy.

    Parameters
    ----------
    trained
        Problems of the training prompts.
    benchmarks
        Problems by id, for every benchmark.
    """
    trained = list(trained)
    texts = {normalise(text) for text in trained}
    windows = {window for text in trained for window in windows_of(text)}
    rows = []
    for name, problems in benchmarks.items():
        exact = [number for number, text in problems.items() if normalise(text) in texts]
        shared = [number for number, text in problems.items() if not windows.isdisjoint(windows_of(text))]
        found = {"exact": exact, "ngram": shared, "overlapping": [one for one in problems if one in {*exact, *shared}]}
        row = {"benchmark": name, "problems": len(problems)}
        for kind, ids in found.items():
            row |= {kind: len(ids), f"{kind}_share": len(ids) / len(problems) if problems else float("nan")}
        rows.append(row | {"exact_ids": ";".join(exact), "ngram_ids": ";".join(shared)})
    return pd.DataFrame(rows, columns=COLUMNS)


def normalise(text: str) -> str:
    """Return a text without case, white space, LaTeX spacing and math delimiters."""
    return "".join(_plain(text).split())


def windows_of(text: str) -> set[tuple[str, ...]]:
    """Return every run of `WORDS` words (letters and digits) of a text."""
    words = _WORD.findall(_plain(text))
    return {tuple(words[start : start + WORDS]) for start in range(len(words) - WORDS + 1)}


def _plain(text: str) -> str:
    return _DELIMITER.sub("", _LATEX_SPACE.sub(" ", unicodedata.normalize("NFKC", text).casefold()))


def overlapping_ids(table: Path) -> dict[str, frozenset[str]]:
    """Return the ids of the problems in contamination.csv that overlap in either way, by benchmark."""
    frame = read_frame(table, dtype=str, na_values=[])
    return {
        row.benchmark: frozenset(filter(None, f"{row.exact_ids};{row.ngram_ids}".split(";")))
        for row in frame.itertuples()
    }
