"""Adam by rows: every row as torch's own Adam would move it alone."""

import pytest
import torch
from torch import nn

from moo.rl.row_adam import RowAdam


def parameters(policies=3, seed=0):
    stream = torch.Generator().manual_seed(seed)
    shapes = ((policies, 2, 4), (policies, 1, 4), (policies, 1))
    return [nn.Parameter(torch.randn(shape, generator=stream)) for shape in shapes]


def slopes(step, like):
    stream = torch.Generator().manual_seed(100 + step)
    return [torch.randn(part.shape, generator=stream) for part in like]


@pytest.mark.parametrize(
    "turns", [[None] * 6, [[0, 2], [1], None, [2], [0, 1], [0, 2]], [[1], [1], [0, 1, 2], [2], [2], [0]]]
)
def test_each_policy_moves_as_by_an_adam_of_its_own(turns):
    together = parameters()
    apart = [[nn.Parameter(part.detach()[i].clone()) for part in together] for i in range(3)]
    adams = [torch.optim.Adam(own, lr=0.01, eps=1e-5) for own in apart]
    ours = RowAdam(together, 0.01)
    for step, turn in enumerate(turns):
        for part, slope in zip(together, slopes(step, together), strict=True):
            part.grad = slope
        ours.step(None if turn is None else torch.tensor(turn))
        for i in range(3) if turn is None else turn:
            for part, slope in zip(apart[i], slopes(step, together), strict=True):
                part.grad = slope[i]
            adams[i].step()
        for i in range(3):
            for part, own in zip(together, apart[i], strict=True):
                torch.testing.assert_close(part[i], own, rtol=1e-5, atol=1e-6)


def test_who_does_not_learn_stands_still():
    together = parameters()
    ours = RowAdam(together, 0.1)
    for step, turn in enumerate([None, torch.tensor([1])]):
        before = [part.detach().clone() for part in together]
        for part, slope in zip(together, slopes(step, together), strict=True):
            part.grad = slope
        ours.step(turn)
    for part, old in zip(together, before, strict=True):
        assert torch.equal(part[[0, 2]], old[[0, 2]])
        assert not torch.equal(part[1], old[1])


def test_moments_are_taken_over_and_stored():
    one, other = parameters(), parameters()
    first, second = RowAdam(one, 0.1), RowAdam(other, 0.1)
    for adam, rows in ((first, torch.tensor([0, 1])), (first, torch.tensor([0]))):
        for part, slope in zip(one, slopes(0, one), strict=True):
            part.grad = slope
        adam.step(rows)
    second.load_state_dict(first.state_dict())
    sources = torch.tensor([0, 0, 2])
    for adam in (first, second):
        adam.take_over(sources)
    for own, parts in ((first, one), (second, other)):
        for part in parts:
            part.data[:] = 0.0
            part.grad = torch.ones_like(part)
        own.step(None)
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a[0], a[1])
        assert not torch.equal(a[1], a[2])
    assert first.state_dict()["steps"].tolist() == [3, 3, 1]
