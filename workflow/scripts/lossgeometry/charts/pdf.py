"""PDF files with equal bytes for equal figures: the renderer numbers and names its parts in an order that changes each time.

For files as that renderer writes them: one generation, a plain table of cross-references, and resources (fonts, groups, shades)
that a content stream names by two letters and a number.
"""

import re
import zlib
from functools import partial

_OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj\n", re.S)
_REFERENCE = re.compile(rb"\b(\d+) 0 R\b")
_NAME = re.compile(rb"/([a-z]{2})(\d+)\b")
_ENTRIES = re.compile(rb"(?:^ +/[a-z]{2}\d+ [^\n]*\n)+", re.M)
_CONTENTS = re.compile(rb"/Contents (\d+) 0 R")
_END = b"\nendstream"

Part = tuple[bytes, bytes]
"""What describes an object, and its stream, decompressed."""


def canonical(pdf: bytes) -> bytes:
    """Return a PDF whose resources are named, and whose objects are numbered and ordered, as they are first used."""
    parts = {int(match[1]): _split(match[2]) for match in _OBJECT.finditer(pdf)}
    for number, (described, stream) in list(parts.items()):
        contents = _CONTENTS.search(described)
        place = int(contents[1]) if contents else number
        if b"/Resources" in described:
            names = _new_names(parts[place][1])
            parts[number] = _ENTRIES.sub(partial(_entries, names), described), stream
            parts[place] = parts[place][0], _renamed(parts[place][1], names)
    head, _, rest = pdf.partition(b"\n%d 0 obj\n" % next(iter(parts)))
    trailer = rest.rpartition(b"trailer\n")[2].partition(b"\nstartxref")[0]
    order: list[int] = []
    waiting = _references(trailer)
    while waiting:
        number = waiting.pop(0)
        if number not in order:
            order.append(number)
            waiting += _references(parts[number][0])
    new = {number: place for place, number in enumerate(order, 1)}

    def told(text: bytes) -> bytes:
        return _REFERENCE.sub(lambda match: b"%d 0 R" % new[int(match[1])], text)

    written, offsets = head + b"\n", []
    for number in order:
        offsets.append(len(written))
        described, stream = parts[number]
        written += b"%d 0 obj\n%b\nendobj\n" % (new[number], _joined(told(described), stream))
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(order) + 1
    trailer = re.sub(rb"/Size \d+", b"/Size %d" % size, told(trailer))
    end = b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n%b\nstartxref\n%d\n%%%%EOF\n"
    return written + end % (size, table, trailer, len(written))


def _split(body: bytes) -> Part:
    described, _, stream = body.partition(b"stream\n")
    stream = stream.removesuffix(_END)
    return described, zlib.decompress(stream) if b"/FlateDecode" in described else stream


def _joined(described: bytes, stream: bytes) -> bytes:
    if not stream:
        return described
    packed = zlib.compress(stream, 9) if b"/FlateDecode" in described else stream
    return re.sub(rb"/Length \d+", b"/Length %d" % len(packed), described) + b"stream\n" + packed + _END


def _references(text: bytes) -> list[int]:
    return [int(number) for number in _REFERENCE.findall(text)]


def _new_names(stream: bytes) -> dict[bytes, bytes]:
    """Return {name: name by the order of first use} of the resources that a content stream uses."""
    names: dict[bytes, bytes] = {}
    for kind, number in dict.fromkeys(_NAME.findall(stream)):
        names[kind + number] = kind + b"%d" % sum(name.startswith(kind) for name in names)
    return names


def _renamed(text: bytes, names: dict[bytes, bytes]) -> bytes:
    return _NAME.sub(lambda match: b"/" + names.get(match[1] + match[2], match[1] + match[2]), text)


def _entries(names: dict[bytes, bytes], found: re.Match[bytes]) -> bytes:
    """Return the entries of one kind of resources, renamed and in the order of their new numbers."""
    lines = _renamed(found[0], names).splitlines(keepends=True)
    return b"".join(sorted(lines, key=lambda line: [int(number) for _, number in _NAME.findall(line)]))
