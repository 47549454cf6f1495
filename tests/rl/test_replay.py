"""Replay: what is kept, who draws from whom, and that a stored buffer goes on."""

import pytest
import torch

from moo.rl.replay import Replay

COLUMNS = {"seen": ((2,), torch.float32), "taken": ((), torch.int16)}


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(first, n):
    """Transitions that carry their number."""
    numbers = torch.arange(first, first + n)
    return {"seen": torch.stack([numbers, -numbers], dim=1).double(), "taken": numbers}


def kept(replay, policy):
    """The numbers of what a policy's ring holds, by drawing."""
    pool = torch.arange(len(replay.counts)) == policy
    drawn = replay.sample(pool[None], 2000, stream())
    assert torch.equal(drawn["seen"][..., 0], -drawn["seen"][..., 1])
    assert torch.equal(drawn["seen"][..., 0].long(), drawn["taken"].long())
    return sorted(set(drawn["taken"].flatten().tolist()))


def test_a_ring_keeps_the_last_transitions():
    replay, expected = Replay(2, 5, COLUMNS), []
    first = 0
    for n in (2, 2, 3, 0, 7, 1, 5, 11):
        replay.add(1, rows(first, n))
        expected = (expected + list(range(first, first + n)))[-5:]
        first += n
        assert kept(replay, 1) == sorted(expected)
        assert replay.counts.tolist() == [0, len(expected)]


def test_a_reader_draws_each_transition_of_its_pool_equally_often():
    replay = Replay(3, 10, COLUMNS)
    replay.add(0, rows(0, 2))
    replay.add(1, rows(100, 6))
    replay.add(2, rows(200, 4))
    pools = torch.tensor([[True, True, False], [False, False, True]])
    drawn = replay.sample(pools, 40_000, stream())["taken"]
    assert drawn.shape == (2, 40_000)
    first = torch.bincount(drawn[0].long(), minlength=300) / 40_000
    assert set(torch.nonzero(first).flatten().tolist()) == {0, 1, *range(100, 106)}
    assert first[[0, 1, *range(100, 106)]].tolist() == pytest.approx([1 / 8] * 8, abs=0.01)
    assert set(drawn[1].tolist()) == set(range(200, 204))


def test_draws_follow_from_the_stream():
    replay = Replay(1, 50, COLUMNS)
    replay.add(0, rows(0, 50))
    pool = torch.ones(1, 1, dtype=torch.bool)
    one, again, other = (replay.sample(pool, 20, stream(seed))["taken"] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_stored_buffer_goes_on_and_holds_no_empty_places():
    replay, other = Replay(2, 100, COLUMNS), Replay(2, 100, COLUMNS)
    replay.add(0, rows(0, 7))
    replay.add(1, rows(50, 3))
    state = replay.state_dict()
    assert state["data"]["seen"].shape == (2, 7, 2)
    other.load_state_dict(state)
    for buffer in (replay, other):
        buffer.add(0, rows(7, 96))
    assert state["data"]["seen"].shape == (2, 7, 2)
    assert state["counts"].tolist() == [7, 3]
    assert kept(replay, 0) == kept(other, 0) == list(range(3, 103))
    assert kept(other, 1) == [50, 51, 52]
