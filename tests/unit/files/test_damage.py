"""Files that end too early are told from whole ones, by every prefix of them."""

import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from lossgeometry.errors import DamagedInput
from lossgeometry.files.damage import require_whole


def test_every_prefix_of_a_file_counts_as_damaged(tmp_path):
    save_file({"a": np.arange(6.0), "b": np.ones((2, 3), np.float32)}, tmp_path / "x.safetensors", {"format": "pt"})
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "x.parquet")
    for name in ("x.safetensors", "x.parquet"):
        content = (tmp_path / name).read_bytes()
        require_whole([tmp_path / name])
        for length in [*range(0, len(content), 7), len(content) - 1]:
            (tmp_path / name).write_bytes(content[:length])
            with pytest.raises(DamagedInput, match=f"{name} is damaged: it ends too early; delete it"):
                require_whole([tmp_path / name])


@pytest.mark.parametrize(
    "content", ["", "\n", '{"a": 1}\n', '{"a": 1}', '{"a": 1}\n{"b": "é"}\n\n', f'"{"x" * 200_000}"']
)
def test_whole_lines(tmp_path, content):
    (tmp_path / "x.jsonl").write_text(content, encoding="utf-8")
    require_whole([tmp_path / "x.jsonl"])


def test_a_torn_last_line(tmp_path):
    line = json.dumps({"completion": "y" * 100_000, "correct": True})
    for torn in (line[:1], line[:-1], line[:70_000]):
        (tmp_path / "x.jsonl").write_text(f"{line}\n{torn}", encoding="utf-8")
        with pytest.raises(DamagedInput):
            require_whole([tmp_path / "x.jsonl"])


def test_folders_are_searched_and_other_files_left_alone(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{")
    require_whole([tmp_path / "model", tmp_path / "absent.jsonl"])
    (tmp_path / "model" / "model.safetensors").write_bytes(b"\x07")
    with pytest.raises(DamagedInput, match="model.safetensors"):
        require_whole([tmp_path / "model"])
