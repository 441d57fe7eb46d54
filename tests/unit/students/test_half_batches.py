"""Two processes take half of a batch each: what comes out is the whole batch's, and neither outlives the other."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from processes import alive, wait_for

from lossgeometry.students import half_batches
from lossgeometry.students.half_batches import half_batches as opened

LIBRARY = Path(half_batches.__file__).parents[2]
ROWS = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def linear_model() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()


def backward_of(model):
    def backward(rows, batch) -> float:
        loss = (model(torch.stack(list(rows))) ** 2).sum() / len(batch)
        loss.backward()
        return loss.item()

    return backward


def test_loss_and_gradients_are_those_of_the_whole_batch_after_every_step():
    split, whole = linear_model(), linear_model()
    with opened(split, ROWS, backward_of(split)) as backward_of_batch:
        for number, batch in enumerate(ROWS):
            loss = backward_of_batch(number)
            assert loss == pytest.approx(backward_of(whole)(batch, batch), rel=1e-13)
            for one, other in zip(split.parameters(), whole.parameters(), strict=True):
                torch.testing.assert_close(one.grad, other.grad, rtol=1e-12, atol=1e-15)
            for model in (split, whole):
                torch.optim.SGD(model.parameters(), lr=0.1).step()
                model.zero_grad()


def test_one_process_gives_the_same_bytes_as_two(monkeypatch):
    def steps() -> list:
        model = linear_model()
        with opened(model, ROWS, backward_of(model)) as backward_of_batch:
            taken = []
            for number in range(len(ROWS)):
                taken.append(
                    [backward_of_batch(number), *(parameter.grad.tolist() for parameter in model.parameters())]
                )
                model.zero_grad()
        return taken

    two = steps()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert steps() == two


def test_an_error_in_the_second_process_ends_the_first():
    model = linear_model()

    def backward(rows, batch) -> float:
        if len(rows) == 2:  # the second half of five rows
            raise ValueError("in the second process")
        return backward_of(model)(rows, batch)

    with opened(model, ROWS, backward) as backward_of_batch:
        for number in (0, 1):
            with pytest.raises(RuntimeError, match="^the second of two processes .* has ended: what it said is above"):
                backward_of_batch(number)


WAITS = f"""
import sys, time
sys.path.insert(0, {str(LIBRARY)!r})
import torch
from lossgeometry.students.half_batches import half_batches
with half_batches(torch.nn.Linear(1, 1), [], None):
    import multiprocessing
    print(multiprocessing.active_children()[0].pid, flush=True)
    time.sleep(60)
"""


def test_the_second_process_ends_when_the_first_is_killed():
    first = subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True)
    second = int(first.stdout.readline())
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    wait_for("the end of the second process", lambda: not alive(second), 20)
