"""The endpoint's key: read from the environment when it is used, and masked wherever an endpoint repeats it."""

import os

from lossgeometry.errors import InputError

SHORTEST_ECHO = 4
"""Characters of a key in a row that are taken for an echo of it."""
SHORTEST_SECRET = 16
"""Characters from which on a key is looked for in answers; a shorter one is a placeholder, and a word like any other."""


def read_key(variable: str) -> str:
    """Return the key that an environment variable holds.

    Raises
    ------
    InputError
        If there is none, or one that no HTTP header can carry.
    """
    key = os.environ.get(variable, "")
    if not key:
        raise InputError(
            f"the endpoint's key is missing; set the environment variable {variable}, to any word if it needs none"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise InputError(
            f"the key in {variable} holds a space, a line break or a letter outside ASCII; set it again without"
        )
    return key


def mask_echoes(text: str, key: str) -> str:
    """Return what an endpoint says of an error, with the key, and every part of it of four characters or more, masked."""
    said, at = [], 0
    while at < len(text):
        end = at
        while end < len(text) and text[at : end + 1] in key:
            end += 1
        if end - at >= min(SHORTEST_ECHO, len(key)):
            said.append("***")
            at = end
        else:
            said.append(text[at])
            at += 1
    return "".join(said)


def mask_key(text: str, key: str) -> str:
    """Return the text of an answer with the whole key masked. Parts of it are left: an answer may hold any four characters."""
    return text.replace(key, "***") if len(key) >= SHORTEST_SECRET else text
