"""What the docstrings below the keys of the configuration's blocks say, for the reference and for editors.

pydantic would read them in every process that imports a block, from its source: a tenth of a second of every job.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise

from lossgeometry.settings.block import Block


def add_descriptions() -> None:
    """Give every key of every block that is imported its docstring as its description, which JSON schemas show."""
    for block in _blocks(Block):
        texts = _docstrings(block)
        for name, field in block.model_fields.items():
            field.description = texts.get(name)
    for block in _blocks(Block):  # inner ones first: outer ones hold their schemas
        block.model_rebuild(force=True)


def _blocks(base: type[Block]) -> Iterator[type[Block]]:
    """Yield all subclasses, each after those that its keys may hold: in the order of their definition."""
    for block in base.__subclasses__():
        yield block
        yield from _blocks(block)


def _docstrings(block: type[Block]) -> dict[str, str]:
    """Return {key: the docstring below it} of a block and of those that it is made from."""
    texts = {}
    for parent in reversed(block.__mro__):
        if issubclass(parent, Block):
            (node,) = ast.parse(textwrap.dedent(inspect.getsource(parent))).body
            assert isinstance(node, ast.ClassDef)
            for key, text in pairwise(node.body):
                if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name) and isinstance(text, ast.Expr):
                    if isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
                        texts[key.target.id] = inspect.cleandoc(text.value.value)
    return texts
