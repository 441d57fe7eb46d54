"""The update of a model's weights: what every measurement here is about.

An update holds, per linear module, dW = s B A with B (m, r) and A (r, n), read one module at a time; dW itself is never
formed. Readers make one from a PEFT folder, a full fine-tune, a delta file or factors in memory. Updates are vectors:
`a + b`, `a - b` and `0.5 * a` are exact, because factors are stacked and not averaged: averaging A and B separately gives
another update. All algebra is per module and in float64; a module that one update lacks is zero there.
"""

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from lossgeometry.errors import InputError
from lossgeometry.updates.factors import Factors, checked_factors, inner_product, norm_of, sum_of
from lossgeometry.updates.names import natural_order, selected
from lossgeometry.updates.peft_writer import write_peft
from lossgeometry.updates.svd import CompactSVD, compact_svd, haar


class Update:
    """A weight update.

    Parameters
    ----------
    shapes
        (m, n), outputs and inputs, of every module.
    read
        Returns the factors of one module.
    name
        What tables call it; empty for one that was computed.
    transposed
        Modules that the base stores as (inputs, outputs); the factors are of (outputs, inputs) all the same.
    left_out
        Share of the squared norm that a truncation left out, by module.

    Attributes
    ----------
    modules
        Names of the modules, in natural order (layer 2 before layer 10).
    base
        What an adapter calls its base model; empty where it does not.
    skipped
        {tensor: reason} of what lies beside the update and is no part of it.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, int]],
        read: Callable[[str], Factors],
        name: str = "",
        transposed: Collection[str] = (),
        left_out: Mapping[str, float] | None = None,
    ):
        self.modules = sorted(shapes, key=natural_order)
        self.name = name
        self.base, self.skipped = "", dict[str, str]()
        self.transposed, self.left_out = frozenset(transposed), dict(left_out or {})
        self._shapes, self._read = dict(shapes), read

    @classmethod
    def from_factors(cls, factors: Mapping[str, tuple[np.ndarray, np.ndarray]], name: str = "") -> "Update":
        """Return the update with B (m, r) and A (r, n) of every module, or with their `Factors`; InputError for misfits."""
        held = {module: checked_factors(name or "the update", module, *given) for module, given in factors.items()}
        return Update({module: (len(b), a.shape[1]) for module, (b, a, _) in held.items()}, held.__getitem__, name)

    def shape(self, module: str) -> tuple[int, int]:
        """Return (m, n), outputs and inputs of a module."""
        return self._shapes[module]

    def factors(self, module: str) -> Factors:
        """Return B, A and the scale of one module, float64; InputError if a stored value is not finite."""
        return self._read(module)

    def svd(self, module: str) -> CompactSVD:
        """Return the compact decomposition of one module, float64."""
        return compact_svd(*self.factors(module))

    def scale(self, module: str) -> float:
        """Return s of one module."""
        return self.factors(module).scale

    def rank(self, module: str) -> int:
        """Return the numerical rank of one module."""
        return self.svd(module).rank

    def largest_rank(self, module: str) -> int:
        """Return what the numerical rank of one module is at most, without a decomposition where there is no need of one."""
        return self.rank(module)

    def adapter_rank(self, module: str) -> int:
        """Return the number of rows of A."""
        return len(self.factors(module).a)

    @property
    def source(self) -> str:
        """sha256 of what it was read from; empty for one that was computed."""
        return ""

    @property
    def norms(self) -> dict[str, float]:
        """The Frobenius norm of every module."""
        return {module: norm_of(self.factors(module)) for module in self.modules}

    @property
    def norm(self) -> float:
        """The Frobenius norm over all modules."""
        return math.hypot(*self.norms.values())

    def inner(self, other: "Update") -> float:
        """Return <dW_a, dW_b> over the modules that both have."""
        return math.fsum(self._inners(other).values())

    def _inners(self, other: "Update") -> dict[str, float]:
        found = {}
        for module in self._common(other):
            left, right = self.factors(module), other.factors(module)
            product = inner_product(left.b.T @ right.b, left.a @ right.a.T)
            found[module] = left.scale * right.scale * product
        return found

    def _common(self, other: "Update") -> Iterator[str]:
        for module in self.modules:
            if module not in other._shapes:
                continue
            if self.shape(module) != other.shape(module):
                raise InputError(
                    f"{module} has shape {self.shape(module)} in {self.name or 'one update'} and {other.shape(module)} in "
                    f"{other.name or 'the other'}; combine updates of one base model"
                )
            yield module

    def cosine(self, other: "Update") -> float:
        """Return <dW_a, dW_b> / (norm(dW_a) norm(dW_b)) over all modules; NaN if either is zero."""
        scale = self.norm * other.norm
        return self.inner(other) / scale if scale else math.nan

    def __add__(self, other: "Update") -> "Update":
        both = set(self._common(other))

        def stacked(module: str) -> Factors:
            if module not in both:
                return (self if module in self._shapes else other).factors(module)
            return sum_of(self.factors(module), other.factors(module))

        return Update({**self._shapes, **other._shapes}, stacked, transposed=self.transposed | other.transposed)

    def __rmul__(self, factor: float) -> "Update":
        return self._scaled(dict.fromkeys(self.modules, float(factor)), self.left_out)

    def __neg__(self) -> "Update":
        return -1.0 * self

    def __sub__(self, other: "Update") -> "Update":
        return self + -other

    def _scaled(self, by: Mapping[str, float], left_out: Mapping[str, float] | None = None) -> "Update":
        def scaled(module: str) -> Factors:
            b, a, scale = self.factors(module)
            return Factors(b, a, by[module] * scale)

        return Update({module: self.shape(module) for module in by}, scaled, "", self.transposed, left_out)

    def project(self, other: "Update") -> "Update":
        """Return, per module, the part of this update along `other`: c dW_other with c = <dW, dW_other> / norm(dW_other)^2."""
        norms = other.norms
        along = {module: inner / norms[module] ** 2 for module, inner in self._inners(other).items() if norms[module]}
        return other._scaled(along)

    def reject(self, other: "Update") -> "Update":
        """Return what the projection on `other` leaves: per module orthogonal to it."""
        return self - self.project(other)

    def truncate(self, k: int) -> "Update":
        """Return the best approximation of rank k >= 1 of every module; `left_out` says what that cost."""
        if k < 1:
            raise InputError(f"an update of rank {k} does not exist; truncate to 1 or more")
        svds, left_out = {}, {}
        for module in self.modules:
            u, s, v = self.svd(module)[:3]
            svds[module] = CompactSVD(u[:, :k], s[:k], v[:, :k])
            here = float(s[k:] @ s[k:]) / float(s @ s) if s.size else 0.0
            left_out[module] = 1 - (1 - here) * (1 - self.left_out.get(module, 0.0))
        return Decomposed(svds, self.name, self.transposed, left_out)

    def select(self, layers: Iterable[int | str] | None = None, projections: Iterable[str] | None = None) -> "Update":
        """Return the update of some modules alone.

        Parameters
        ----------
        layers
            Numbers of layers as in the tables, or names of blocks such as `decoder.layers.3`; None takes all.
        projections
            Last parts of names, with or without `_proj`, such as q; None takes all.

        Raises
        ------
        InputError
            If no module is left.
        """
        kept = selected(self.modules, layers, projections)
        if not kept:
            raise InputError(f"{self.name or 'the update'} has no such layers and projections; select others")
        return self.only(kept)

    def only(self, modules: Iterable[str]) -> "Update":
        """Return the update of the named modules alone."""
        shapes = {module: self.shape(module) for module in modules}
        left_out = {module: share for module, share in self.left_out.items() if module in shapes}
        return Update(shapes, self._read, self.name, self.transposed & shapes.keys(), left_out)

    def randomise(self, seed: int) -> "Update":
        """Return an update with the same singular values and uniformly random (Haar) directions.

        A module's directions depend on the seed and on its name alone.
        """
        svds = {}
        for module in self.modules:
            digest = hashlib.sha256(module.encode()).digest()
            rng = np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
            u, s, v = self.svd(module)[:3]
            svds[module] = CompactSVD(haar(rng, *u.shape), s, haar(rng, *v.shape))
        return Decomposed(svds, self.name, self.transposed, self.left_out)

    def to_peft(self, folder: str | Path) -> Path:
        """Write a LoRA adapter that PEFT loads, in float32, and return its folder; equal updates give equal bytes."""
        return write_peft(self, Path(folder))


class Decomposed(Update):
    """An update that holds its compact decompositions; parameters as for `Update`."""

    def __init__(
        self,
        svds: Mapping[str, CompactSVD],
        name: str = "",
        transposed: Collection[str] = (),
        left_out: Mapping[str, float] | None = None,
    ):
        super().__init__({module: svd.shape for module, svd in svds.items()}, self._product, name, transposed, left_out)
        self._svds = dict(svds)

    def svd(self, module: str) -> CompactSVD:
        return self._svds[module]

    def _product(self, module: str) -> Factors:
        u, s, v = self._svds[module][:3]
        return Factors(u * s, v.T, 1.0)
