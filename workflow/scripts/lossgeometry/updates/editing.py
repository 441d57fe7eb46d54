"""Edits: updates computed from others, by exact arithmetic on factors but for the two merges of whole matrices."""

from collections.abc import Iterable, Mapping

from lossgeometry.errors import InputError
from lossgeometry.settings.edits import Edit
from lossgeometry.updates.merging import dare, ties
from lossgeometry.updates.update import Update


def edited(edit: Edit, updates: Mapping[str, Update]) -> Update:
    """Return the update that an edit makes; what a truncation left out is in its `left_out`.

    Parameters
    ----------
    updates
        Everything that `edit.sources` names.

    Raises
    ------
    InputError
        If the updates are not of one base model, an update to scale to a norm is zero, or nothing is selected.
    """
    if edit.sum:
        first, *others = (factor * updates[name] for name, factor in edit.sum.items())
        return _total(first, others)
    if edit.ties:
        merged = [updates[name] for name in edit.ties.runs]
        return ties(merged, edit.ties.density, edit.ties.factor, edit.ties.rank)
    if edit.dare:
        merged = [updates[name] for name in edit.dare.runs]
        return dare(merged, edit.dare.drop, edit.dare.factor, edit.dare.rank, edit.dare.seed)
    update = updates[edit.of]
    if edit.scale is not None:
        return update if edit.scale == 1 else edit.scale * update
    if edit.to_norm_of:
        if not update.norm:
            raise InputError(f"{edit.of} is zero, which has no direction to scale to a norm; edit another run")
        return (updates[edit.to_norm_of].norm / update.norm) * update
    if edit.to_kl is not None:
        raise InputError("to_kl needs a model to measure with; scale by the factor that `behaviour.scaling` finds")
    if edit.project:
        return update.project(updates[edit.project])
    if edit.reject:
        return update.reject(updates[edit.reject])
    if edit.truncate is not None:
        return update.truncate(edit.truncate)
    if edit.randomise is not None:
        return update.randomise(edit.randomise)
    kept = update.select(edit.layers or None, edit.projections or None)
    if not edit.rest:
        return kept
    rest = updates[edit.rest]
    # What the other run has where nothing was kept.
    there = [module for module in rest.modules if module not in kept.modules]
    return kept + rest.only(there) if there else kept


def _total(first: Update, others: Iterable[Update]) -> Update:
    for other in others:
        first = first + other
    return first
