"""What the names of modules tell: their order, the block that they are in, and the projection that they are."""

from collections.abc import Iterable, Sequence

_WRAPPERS = frozenset(("base_model", "model", "module", "_orig_mod", "transformer", "language_model"))


def natural_order(module: str) -> list[tuple[int, int, str]]:
    """Return a sort key under which numbers in a module's name count as numbers."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in module.split(".")]


def projection_of(module: str) -> str:
    """Return the last part of a module's name without `_proj`."""
    return module.rpartition(".")[2].removesuffix("_proj")


def block_of(module: str) -> str:
    """Return a module's name up to and including its first number, such as `decoder.layers.3`; empty without a number."""
    parts = module.split(".")
    first = next((index for index, part in enumerate(parts) if part.isdigit()), None)
    return "" if first is None else ".".join(parts[: first + 1])


def is_one_stack(blocks: Iterable[str]) -> bool:
    """Return whether blocks differ in nothing but their number, as in a decoder and unlike in an encoder with a decoder."""
    return len({block.rpartition(".")[0] for block in blocks}) < 2


def layers_of(modules: Iterable[str]) -> dict[str, int | None]:
    """Return the layer of every module; None for those outside the blocks.

    In a model of one stack it is the number of the block. Where there are several stacks (encoder and decoder, towers, the
    blocks of a UNet) two of them have a block 0, so that it is the block's position among all, in natural order of names.
    """
    blocks = {module: block_of(module) for module in modules}
    order = sorted({block for block in blocks.values() if block}, key=natural_order)
    number = {block: int(block.rpartition(".")[2]) for block in order}
    if not is_one_stack(order):
        number = {block: position for position, block in enumerate(order)}
    return {module: number.get(block) for module, block in blocks.items()}


def bare(module: str) -> str:
    """Return a name without the wrappers at its front, which say how a model was loaded and not which module it is."""
    parts = module.split(".")
    first = next((index for index, part in enumerate(parts) if part not in _WRAPPERS), 0)
    return ".".join(parts[first:])


def selected(
    modules: Sequence[str], layers: Iterable[int | str] | None, projections: Iterable[str] | None
) -> list[str]:
    """Return the modules of some layers, by number or block, and some projections, with or without `_proj`; None is all."""
    wanted = None if layers is None else set(layers)
    kinds = None if projections is None else {projection_of(projection) for projection in projections}
    layer = layers_of(modules)
    return [
        module
        for module in modules
        if (wanted is None or layer[module] in wanted or block_of(module) in wanted)
        and (kinds is None or projection_of(module) in kinds)
    ]
