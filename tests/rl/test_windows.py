"""Windows: returns so far and sums of rewards ahead, against literal loops."""

import itertools

import pytest
import torch

from moo.rl.windows import gained_so_far, looked_ahead, of_step


def test_returns_so_far_equal_a_literal_loop():
    stream = torch.Generator().manual_seed(0)
    rewards = torch.randn(9, 4, 2, generator=stream, dtype=torch.float64)
    ended = torch.rand(9, 4, generator=stream) < 0.3
    accrued, times = torch.randn(4, 2, generator=stream, dtype=torch.float64), torch.zeros(9, 4, dtype=torch.int64)
    times[0] = torch.tensor([3, 0, 5, 1])
    for t in range(1, 9):
        times[t] = torch.where(ended[t - 1], 0, times[t - 1] + 1)
    before, after = gained_so_far(rewards, ended, accrued, times, 0.9)
    for copy, objective in itertools.product(range(4), range(2)):
        gained = float(accrued[copy, objective])
        for t in range(9):
            assert float(before[t, copy, objective]) == pytest.approx(gained)
            gained += 0.9 ** int(times[t, copy]) * float(rewards[t, copy, objective])
            assert float(after[t, copy, objective]) == pytest.approx(gained)
            gained = 0.0 if ended[t, copy] else gained


@pytest.mark.parametrize("steps", [1, 3, 9])
def test_looking_ahead_equals_a_literal_loop(steps):
    draw = torch.Generator().manual_seed(steps)
    rewards = torch.randn(7, 5, 2, generator=draw, dtype=torch.float64)
    ended, active = torch.rand(7, 5, generator=draw) < 0.25, torch.rand(7, 5, generator=draw) < 0.85
    last, summed = looked_ahead(rewards, ended, active, 0.9, steps)
    for copy in range(5):
        for start in range(7):
            total, end = rewards[start, copy].clone(), start
            while end - start + 1 < steps and end + 1 < 7 and not ended[end, copy] and active[end + 1, copy]:
                end += 1
                total += 0.9 ** (end - start) * rewards[end, copy]
            assert int(last[start, copy]) == end
            assert torch.allclose(summed[start, copy], total)
    columns = torch.arange(7.0)[:, None, None].expand(7, 5, 2)
    assert torch.equal(of_step(columns, last)[..., 1].long(), last)
    assert torch.equal(of_step(ended, last), ended.gather(0, last))
