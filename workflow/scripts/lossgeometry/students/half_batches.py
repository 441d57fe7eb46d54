"""The gradients of a batch from two processes of one thread, each of which takes half of it.

On two cores this takes half of the time, and on any number of cores it gives the same bytes: what is added is fixed. Two threads
inside one process do not: with them torch rounded one of ten runs otherwise.
"""

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch

ENDED = (
    "the second of two processes that share a batch has ended: what it said is above, and if it said nothing it was killed, most "
    "likely for want of memory; run the job again where there is more"
)
Backward = Callable[[Sequence[Any], Sequence[Any]], float]
"""(rows, batch that they are of) to the rows' share of the batch's loss, whose gradients it adds to those of the model."""


@contextmanager
def half_batches(
    model: torch.nn.Module, batches: Sequence[Sequence[Any]], backward: Backward
) -> Iterator[Callable[[int], float]]:
    """Yield a function that takes the number of a batch, leaves its gradients in a model without any, and returns its loss.

    The model's parameters are moved into shared memory, where an optimiser may change them between two calls. Without Linux one
    process takes both halves, one after the other, with the same bytes: elsewhere a library may not survive a fork.

    Raises
    ------
    RuntimeError
        From that function, when the second process has ended.
    """
    parameters = list(model.parameters())
    gradients = [torch.zeros_like(parameter) for parameter in parameters]
    for tensor in (*(parameter.data for parameter in parameters), *gradients):
        tensor.share_memory_()

    def second_half(number: int) -> float:
        """Put the gradients of the second half aside."""
        batch = batches[number]
        loss = backward(batch[1::2], batch)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            assert parameter.grad is not None
            gradient.copy_(parameter.grad)
            parameter.grad = None
        return loss

    def first_half(number: int) -> float:
        batch = batches[number]
        return backward(batch[::2], batch)

    def add_second() -> None:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            assert parameter.grad is not None
            parameter.grad += gradient

    def in_turn(number: int) -> float:
        second = second_half(number)
        loss = first_half(number) + second
        add_second()
        return loss

    def side_by_side(number: int) -> float:
        try:
            ours.send(number)
            loss = first_half(number) + ours.recv()
        except (EOFError, ConnectionError):
            raise RuntimeError(ENDED) from None
        add_second()
        return loss

    def answer(connection: Connection) -> None:
        ours.close()  # so that its other end meets the end when the first process has ended
        while True:
            try:
                number = connection.recv()
            except EOFError:
                return
            connection.send(second_half(number))

    if sys.platform != "linux":
        yield in_turn
        return
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    second = context.Process(target=answer, args=(theirs,), daemon=True)
    second.start()
    theirs.close()
    try:
        yield side_by_side
    finally:
        ours.close()
        second.join()
