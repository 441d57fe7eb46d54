"""JSON Lines: every string comes back, and a kill costs at most the row that was being written."""

import random
import tracemalloc

import pytest

from lossgeometry.files import jsonl

HOSTILE = [
    "",
    "lone \ud800 and \udfff surrogates",
    "".join(map(chr, range(32))) + "\x7f\x85\u2028\u2029",
    "right-to-left \u202e\u200f\u2066 marks",
    "</script><script>alert(1)</script>",
    "x" * 1_000_000,
    "\\boxed{\U0001f600}\r\n\\n\\\\",
    "\ufeffbyte order mark",
]


def rows_of(texts):
    return [{"problem_id": f"p{index}", "completion": text} for index, text in enumerate(texts)]


def test_hostile_strings_survive_both_writers(tmp_path):
    rows = rows_of(HOSTILE)
    assert jsonl.write_atomic(tmp_path / "a.jsonl", rows) == len(rows)
    for row in rows:
        jsonl.append(tmp_path / "b.jsonl", [row])
    assert list(jsonl.read_lines(tmp_path / "a.jsonl")) == rows
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert len((tmp_path / "a.jsonl").read_bytes().decode("ascii").splitlines()) == len(rows)


def test_random_code_points_survive(tmp_path):
    generator = random.Random(7)
    rows = rows_of("".join(chr(generator.randrange(0x110000)) for _ in range(50)) for _ in range(200))
    jsonl.write_atomic(tmp_path / "a.jsonl", rows)
    assert list(jsonl.read_lines(tmp_path / "a.jsonl")) == rows


def test_a_cut_at_any_byte_loses_only_the_torn_row_and_append_goes_on(tmp_path):
    rows = rows_of(["first", 'naïve \ud83d {"}', "}\n{"])
    whole = b"".join(map(jsonl.encode, rows))
    ends = [len(b"".join(map(jsonl.encode, rows[:count]))) for count in range(len(rows) + 1)]
    path = tmp_path / "cut.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        # A row is complete with its closing brace, one byte before its newline.
        complete = max(count for count, end in enumerate(ends) if count == 0 or cut >= end - 1)
        assert list(jsonl.read_lines(path)) == rows[:complete]
        jsonl.append(path, rows[complete:])
        assert path.read_bytes() == whole


def test_append_mends_a_torn_row_longer_than_one_block(tmp_path):
    path = tmp_path / "a.jsonl"
    first, second = rows_of(["a", "b" * (3 * jsonl.BLOCK_BYTES)])
    path.write_bytes(jsonl.encode(first) + jsonl.encode(second)[:-2])
    jsonl.append(path, [second])
    assert list(jsonl.read_lines(path)) == [first, second]


@pytest.mark.parametrize("line", [b"{torn\n", b"[1, 2]\n", b"\x00\x00\n", b'{"a": "\xff"}\n', b"5\n"])
def test_a_bad_line_before_the_end_is_an_error_naming_the_line(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'{"a": 2}\n')
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2: .*repair or delete"):
        list(jsonl.read_lines(path))


def test_hand_made_files_with_byte_order_mark_blank_lines_and_no_final_newline(tmp_path):
    path = tmp_path / "hand.jsonl"
    path.write_bytes('\ufeff{"problem": "1+1", "answer": "2"}\r\n\r\n{"problem": "é", "answer": "3"}'.encode())
    assert [row["answer"] for row in jsonl.read_lines(path)] == ["2", "3"]


def test_not_a_number_is_refused_and_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.jsonl"
    jsonl.write_atomic(path, [{"a": 1}])
    with pytest.raises(ValueError):
        jsonl.write_atomic(path, [{"a": 2}, {"a": float("nan")}])
    assert list(jsonl.read_lines(path)) == [{"a": 1}]


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "a.jsonl"
    jsonl.write_atomic(path, ({"a": index, "text": "x" * 1000} for index in range(20_000)))
    tracemalloc.start()
    assert sum(row["a"] for row in jsonl.read_lines(path)) == 20_000 * 19_999 // 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # of a file of 20 MB
