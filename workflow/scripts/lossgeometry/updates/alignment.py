"""Updates of one model that were saved under different names of the same modules."""

from lossgeometry.updates.names import bare
from lossgeometry.updates.svd import CompactSVD
from lossgeometry.updates.update import Update


class _Renamed(Update):
    """An update under other names; {new name: name}."""

    def __init__(self, update: Update, names: dict[str, str]):
        self._update, self._names = update, names
        old = {name: new for new, name in names.items()}
        super().__init__(
            {new: update.shape(name) for new, name in names.items()},
            lambda module: update.factors(names[module]),
            update.name,
            {old[name] for name in update.transposed},
            {old[name]: share for name, share in update.left_out.items()},
        )
        self.base = update.base

    def svd(self, module: str) -> CompactSVD:
        return self._update.svd(self._names[module])

    def rank(self, module: str) -> int:
        return self._update.rank(self._names[module])

    def largest_rank(self, module: str) -> int:
        return self._update.largest_rank(self._names[module])

    def adapter_rank(self, module: str) -> int:
        return self._update.adapter_rank(self._names[module])


def named_like(update: Update, other: Update) -> Update:
    """Return an update under the names of another one, if they share none and differ in wrappers alone.

    A model gets another prefix (`transformer.`, `language_model.`) when it is loaded through another class.
    """
    if set(update.modules) & set(other.modules):
        return update
    theirs = {bare(module): module for module in other.modules}
    names = {theirs.get(bare(module), module): module for module in update.modules}
    unambiguous = len(names) == len(update.modules) and len(theirs) == len(other.modules)
    return _Renamed(update, names) if unambiguous else update
