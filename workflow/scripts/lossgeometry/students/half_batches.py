"""The gradients of a batch from two processes of one thread, each of which takes half of it.

On two cores this takes half of the time, and on any number of cores it gives the same bytes: what is added is fixed. Two threads
inside one process do not: with them torch rounded one of ten runs otherwise.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch

Backward = Callable[[Sequence[Any], Sequence[Any]], float]
"""(rows, batch that they are of) to the rows' share of the batch's loss, whose gradients it adds to those of the model."""


@contextmanager
def half_batches(
    model: torch.nn.Module, batches: Sequence[Sequence[Any]], backward: Backward
) -> Iterator[Callable[[int], float]]:
    """Yield a function that takes the number of a batch, leaves its gradients in the model, and returns its loss.

    The model's parameters are moved into shared memory, where an optimiser may change them between two calls.

    Raises
    ------
    EOFError
        From that function, when the second process has ended.
    """
    parameters = list(model.parameters())
    for parameter in parameters:
        parameter.data.share_memory_()
    gradients = [torch.zeros_like(parameter).share_memory_() for parameter in parameters]
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def first_half(number: int) -> float:
        ours.send(number)
        batch = batches[number]
        loss = backward(batch[::2], batch)
        loss += ours.recv()
        for parameter, gradient in zip(parameters, gradients, strict=True):
            assert parameter.grad is not None
            parameter.grad += gradient
        return loss

    def second_halves(connection: Connection) -> None:
        ours.close()  # so that its other end meets the end when the first process has ended
        while True:
            try:
                batch = batches[connection.recv()]
            except EOFError:
                return
            loss = backward(batch[1::2], batch)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                assert parameter.grad is not None
                gradient.copy_(parameter.grad)
                parameter.grad = None
            connection.send(loss)

    second = context.Process(target=second_halves, args=(theirs,), daemon=True)
    second.start()
    theirs.close()
    try:
        yield first_half
    finally:
        ours.close()
        second.join()
