"""Two updates compared without files: a table for a notebook, and the lines that the command prints."""

from typing import TYPE_CHECKING, NamedTuple

from lossgeometry.errors import InputError
from lossgeometry.geometry.overview import overview
from lossgeometry.geometry.pairs import MapRow, compare_pair
from lossgeometry.geometry.scopes import Row
from lossgeometry.updates.update import Update

if TYPE_CHECKING:
    import pandas as pd


class Comparison(NamedTuple):
    """The geometry of a pair of updates; printed, its global values beside their chance levels."""

    names: tuple[str, str]
    rows: list[Row]
    maps: list[MapRow]
    shared_init: bool

    def table(self) -> "pd.DataFrame":
        """Return all values at all scopes (global, projection, layer, module), with the columns of geometry.parquet.

        `null_mean` and `null_sd` are the chance level of each similarity; `note` says why a value is undefined.
        """
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(Row._fields)).astype({"layer": "Int64", "k": "Int64"})

    def __str__(self) -> str:
        return overview(self.rows, self.names, self.shared_init)


def compare(a: Update, b: Update, k: int = 10, shared_init: bool = False, reference: int = 0) -> Comparison:
    """Return the geometry of a pair of updates; parameters and errors as for `compare_pair`."""
    if k < 1:
        raise InputError(f"{k} directions cannot be compared; ask for 1 or more")
    names = (a.name, b.name) if a.name and b.name and a.name != b.name else ("a", "b")
    pair = compare_pair(a, b, names, k, shared_init, reference)
    return Comparison(names, pair.rows, pair.maps, shared_init)
