"""Inner products of the weight changes that gradients of the factors stand for.

A step along (dB, dA) from the factors (B, A) changes the update s B A by s (dB A + B dA), to first order. Losses are compared
there and not in the factors, which another basis of the same update would change. At the initialisation B = 0: dA is
zero, and the change is s dB A. Everything is computed through r x r matrices, in float64.
"""

import numpy as np


def change_gram(b: np.ndarray, a: np.ndarray, db: np.ndarray, da: np.ndarray | None, scale: float) -> np.ndarray:
    """Return <s (dB_g A + B dA_g), s (dB_h A + B dA_h)> for all groups g, h.

    Parameters
    ----------
    b, a
        Factors of one module, (m, r) and (r, n).
    db, da
        Changes of the factors by group, (groups, m, r) and (groups, r, n); None where B is zero.

    Returns
    -------
    (groups, groups), symmetric, float64.
    """
    b, a, db = b.astype(np.float64), a.astype(np.float64), db.astype(np.float64)
    groups = len(db)
    gram = (db @ (a @ a.T)).reshape(groups, -1) @ db.reshape(groups, -1).T
    if da is not None:
        da = da.astype(np.float64)
        cross = (db.transpose(0, 2, 1) @ b).reshape(groups, -1) @ (a @ da.transpose(0, 2, 1)).reshape(groups, -1).T
        gram += cross + cross.T + ((b.T @ b) @ da).reshape(groups, -1) @ da.reshape(groups, -1).T
    return scale**2 * (gram + gram.T) / 2


def turned_products(b: np.ndarray, a: np.ndarray, db: np.ndarray, da: np.ndarray | None, scale: float) -> np.ndarray:
    """Return |D_g D_h'|^2 for all groups, D the change of one module, (groups, groups), float64.

    Over m, it is the variance of <Q D_g, D_h> when Q turns the outputs at random: the chance level of the inner product
    given the inputs as found.
    """
    a, db = a.astype(np.float64), db.astype(np.float64)
    lefts, rights = list(db), [a] * len(db)
    if da is not None:
        b = b.astype(np.float64)
        lefts = [np.concatenate([left, b], axis=1) for left in lefts]
        rights = [np.concatenate([a, right.astype(np.float64)]) for right in da]
    outputs = [left.T @ left for left in lefts]
    found = np.empty((len(db), len(db)))
    for g in range(len(db)):
        for h in range(g, len(db)):
            inputs = rights[g] @ rights[h].T
            found[g, h] = found[h, g] = np.sum((outputs[g] @ inputs) * (inputs @ outputs[h]))
    return scale**4 * found


def preconditioned(sums: np.ndarray, sizes: np.ndarray, batch: float) -> np.ndarray:
    """Return the mean gradient divided, element by element, by the root of its second moment in optimiser batches.

    Adam's first steps move along it. The second moment of a batch of `batch` prompts is the squared mean plus the variance
    between folds, scaled from the size of a fold to that of a batch.

    Parameters
    ----------
    sums
        Gradient sums by fold, (folds, *shape).
    sizes
        Prompts in each fold, (folds,).

    Returns
    -------
    (*shape), float64; 0 where every fold is 0.
    """
    sums, sizes = sums.astype(np.float64), sizes.astype(np.float64)
    mean = sums.sum(axis=0) / sizes.sum()
    shaped = sizes.reshape(-1, *[1] * (sums.ndim - 1))
    # Each fold's mean varies with trS / size, so that size times its squared deviation estimates the variance of a prompt.
    variance = (shaped * (sums / shaped - mean) ** 2).sum(axis=0) / (len(sizes) - 1)
    second = mean**2 + variance / batch
    return np.divide(mean, np.sqrt(second), out=np.zeros_like(mean), where=second > 0)
