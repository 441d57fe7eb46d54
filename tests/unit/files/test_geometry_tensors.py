"""Safetensors files: read as the reference implementation does, reproducible bytes, one sentence for every damage."""

import hashlib
import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from lossgeometry.errors import InputError
from lossgeometry.files.damage import require_whole
from lossgeometry.files.safetensors import TensorFile, TensorFolder, stream_tensors, write_tensors
from lossgeometry.representations.storage import open_rows
from lossgeometry.students.fetched import count_parameters

TENSORS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.array([0.5, -2], np.float16),
    "brain": np.array([1.5, 3e38], ml_dtypes.bfloat16),
    "double": np.array([[np.pi]]),
    "empty": np.ones((4, 0), np.float32),
}


def test_files_of_the_reference_implementation_are_read(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.numpy.save_file(TENSORS, path, {"key": "value"})
    file = TensorFile(path)
    assert file.metadata == {"key": "value"}
    for name, expected in TENSORS.items():
        found = file.read(name)
        assert found.dtype == expected.dtype and file.shapes[name] == expected.shape
        np.testing.assert_array_equal(found, expected)


def test_a_stream_gives_the_same_bytes_and_may_turn_out_smaller_than_announced(tmp_path):
    shapes = {name: (array.dtype, array.shape) for name, array in TENSORS.items()}
    write_tensors(tmp_path / "held", TENSORS, {"key": "value"})
    stream_tensors(tmp_path / "streamed", shapes, TENSORS.items(), {"key": "value"})
    assert (tmp_path / "streamed").read_bytes() == (tmp_path / "held").read_bytes()
    largest = {name: (dtype, tuple(1000 * size for size in shape)) for name, (dtype, shape) in shapes.items()}
    stream_tensors(tmp_path / "smaller", largest, TENSORS.items(), {"key": "value"})
    require_whole([tmp_path / "smaller"])
    for name, found in safetensors.numpy.load_file(tmp_path / "smaller").items():
        np.testing.assert_array_equal(found, TENSORS[name])
    with pytest.raises(ValueError, match="larger than announced"):
        stream_tensors(tmp_path / "larger", dict(list(shapes.items())[:1]), TENSORS.items(), {"key": "value"})
    assert not (tmp_path / "larger").exists()


def test_the_reference_implementation_reads_what_is_written(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, TENSORS, {"key": "value"})
    for name, found in safetensors.numpy.load_file(path).items():
        np.testing.assert_array_equal(found, TENSORS[name])
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata() == {"key": "value"}


def test_equal_content_has_equal_bytes(tmp_path):
    metadata = {letter: letter for letter in "qwertyuiop"}
    digests = set()
    for order in (list(metadata), sorted(metadata)):
        write_tensors(tmp_path / "a", TENSORS, {key: metadata[key] for key in order})
        digests.add(hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest())
    assert len(digests) == 1


def damage(content, kind):
    header = int.from_bytes(content[:8], "little")
    return {
        "empty": b"",
        "cut within the length": content[:5],
        "cut within the header": content[: header // 2],
        "cut within the data": content[:-3],
        "longer than announced": content + b"0000",
        "not safetensors": b"PK\x03\x04" + b"\0" * 100,
        "header is not JSON": content[:8] + b"x" * header + content[8 + header :],
        "header without shapes": (2).to_bytes(8, "little") + b"[]",
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "empty",
        "cut within the length",
        "cut within the header",
        "cut within the data",
        "longer than announced",
        "not safetensors",
        "header is not JSON",
        "header without shapes",
    ],
)
def test_damage_is_told_in_one_sentence(tmp_path, kind):
    path = tmp_path / "a.safetensors"
    write_tensors(path, TENSORS, {})
    path.write_bytes(damage(path.read_bytes(), kind))
    with pytest.raises(InputError, match="a.safetensors is ") as error:
        TensorFile(path)
    assert "\n" not in str(error.value) and "save it" in str(error.value)


def test_sizes_that_disagree_with_shapes_are_refused(tmp_path):
    header = json.dumps({"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 8)
    with pytest.raises(InputError, match="size of x does not agree"):
        TensorFile(tmp_path / "a").read("x")


def test_integer_weights_are_refused(tmp_path):
    safetensors.numpy.save_file({"x": np.ones(3, np.int8)}, tmp_path / "a")
    with pytest.raises(InputError, match="x is stored as I8"):
        TensorFile(tmp_path / "a").read("x")


def test_model_folders_of_one_file_and_of_shards_read_alike(tmp_path):
    one, sharded = tmp_path / "one", tmp_path / "sharded"
    one.mkdir(), sharded.mkdir()
    write_tensors(one / "model.safetensors", TENSORS, {})
    shards = {"model-1.safetensors": ["matrix", "half"], "model-2.safetensors": ["brain", "double", "empty"]}
    for shard, names in shards.items():
        write_tensors(sharded / shard, {name: TENSORS[name] for name in names}, {})
    index = {"weight_map": {name: shard for shard, names in shards.items() for name in names}}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
    for folder in (one, sharded):
        for name, expected in TENSORS.items():
            np.testing.assert_array_equal(TensorFolder(folder).read(name), expected)
    with pytest.raises(InputError, match="holds no model.safetensors"):
        TensorFolder(tmp_path)


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


MALFORMED = {
    "a fractional shape": {"x": entry(shape=[2.0])},
    "a negative shape": {"x": entry(shape=[-2])},
    "a shape of truth values": {"x": entry(shape=[True, 2])},
    "a shape that is a number": {"x": entry(shape=2)},
    "a list as type": {"x": entry(dtype=["F32"])},
    "offsets that decrease": {"x": entry(offsets=[8, 0])},
    "three offsets": {"x": entry(offsets=[0, 4, 8])},
    "fractional offsets": {"x": entry(offsets=[0, 8.0])},
    "offsets that are not numbers": {"x": entry(offsets=["0", "8"])},
    "an entry that is a list": {"x": [1, 2]},
    "an entry without shape": {"x": {"dtype": "F32", "data_offsets": [0, 8]}},
    "tensors that overlap": {"x": entry(), "y": entry()},
    "a gap": {"x": entry(shape=[1], offsets=[0, 4]), "y": entry(shape=[0], offsets=[8, 8])},
    "a size that is another": {"x": entry(shape=[3])},
    "metadata that are a list": {"__metadata__": [1], "x": entry()},
    "metadata of numbers": {"__metadata__": {"a": 1}, "x": entry()},
}


def header_file(path, header, data=b"\0" * 8):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("read", [TensorFile, open_rows, count_parameters, lambda path: require_whole([path])])
def test_every_reader_refuses_headers_that_contradict_themselves(tmp_path, case, read):
    path = header_file(tmp_path / "a.safetensors", MALFORMED[case])
    with pytest.raises(InputError, match="a.safetensors is (not a safetensors file|damaged)") as error:
        read(path)
    assert "\n" not in str(error.value) and "save it again" in str(error.value)


@pytest.mark.parametrize(
    "header", [b'{"x":' * 100_000, b"[" * 100_000, b'{"x": ' + b"9" * 10_000 + b"}", b"\xff\xfe", b"[]", b"null"]
)
def test_headers_that_are_hard_to_parse(tmp_path, header):
    with pytest.raises(InputError, match="is not a safetensors file") as error:
        TensorFile(header_file(tmp_path / "a", header))
    assert len(str(error.value)) < 300


INDICES = {
    "not JSON": "{",
    "deep": "[" * 100_000,
    "a list": "[]",
    "without a map": "{}",
    "a map that is a list": '{"weight_map": ["a.safetensors"]}',
    "an empty map": '{"weight_map": {}}',
    "a shard that is a number": '{"weight_map": {"x": 1}}',
    "a shard outside": '{"weight_map": {"x": "../secret.safetensors"}}',
    "an absolute shard": '{"weight_map": {"x": "/etc/secret.safetensors"}}',
    "a pickle": '{"weight_map": {"x": "pytorch_model.bin"}}',
    "a shard that is missing": '{"weight_map": {"x": "model-1.safetensors"}}',
}


@pytest.mark.parametrize("case", INDICES)
def test_indices_of_shards_that_are_damaged_or_lead_elsewhere(tmp_path, case):
    write_tensors(tmp_path / "secret.safetensors", TENSORS, {})
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors.index.json").write_text(INDICES[case])
    with pytest.raises(InputError, match="index|model-1.safetensors does not exist") as error:
        TensorFolder(folder)
    assert "\n" not in str(error.value) and str(folder) in str(error.value)
