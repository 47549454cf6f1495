import pytest
import torch

from moo.gflow.replay import Replay


def rows(first, last):
    numbers = torch.arange(first, last)
    return numbers[:, None], numbers[:, None].double() / 10


def test_the_newest_rows_are_kept_with_their_own_objectives():
    replay = Replay(5)
    replay.add(*rows(0, 3))
    replay.add(*rows(3, 8))
    assert len(replay) == 5
    objects, objectives = replay.draw(500, torch.Generator().manual_seed(0))
    assert set(objects.flatten().tolist()) == {3, 4, 5, 6, 7}
    assert torch.equal(objects.double() / 10, objectives)


def test_a_stored_state_draws_the_same():
    replay, other = Replay(5), Replay(5)
    replay.add(*rows(0, 9))
    other.load_state_dict(replay.state_dict())
    first, second = (one.draw(20, torch.Generator().manual_seed(1))[0] for one in (replay, other))
    assert torch.equal(first, second)


def test_nothing_to_replay():
    assert len(Replay(3)) == 0
    with pytest.raises(RuntimeError, match="before something was added"):
        Replay(3).draw(1, torch.Generator())
