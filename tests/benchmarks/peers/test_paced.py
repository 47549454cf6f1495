"""Somebody else's loop runs a portion at a time, ends where it is stopped, and its errors arrive."""

import threading
import time

import pytest
import torch

from moo.benchmarks.peers.paced import Paced


def counting(steps, seen):
    def work(tick):
        for number in range(steps):
            tick()
            seen.append(number)

    return work


def test_portions_are_exact_and_nothing_runs_between_them():
    seen = []
    paced = Paced(counting(25, seen))
    assert seen == []
    for portion, total in ((10, 10), (1, 11), (9, 20)):
        assert paced.advance(portion) == portion
        assert len(seen) == total
        time.sleep(0.01)
        assert len(seen) == total
        assert not paced.ended
    assert paced.advance(10) == 5
    assert paced.ended
    assert paced.advance(10) == 0


def test_a_loop_that_is_stopped_ends_its_thread():
    before = threading.active_count()
    paced = Paced(counting(100, []))
    paced.advance(3)
    assert threading.active_count() == before + 1
    paced.stop()
    paced._thread.join(5)
    assert paced.ended
    assert threading.active_count() == before
    paced.stop()
    Paced(counting(5, [])).stop()  # one that never began


def test_errors_of_the_loop_are_raised_where_it_is_waited_for():
    def work(tick):
        tick()
        raise ZeroDivisionError("in the loop")

    paced = Paced(work)
    with pytest.raises(ZeroDivisionError, match="in the loop"):
        paced.advance(5)
    assert paced.ended
    assert paced.advance(5) == 0


def test_the_loop_draws_from_the_callers_streams_on_one_thread():
    drawn, threads = [], []

    def work(tick):
        for _ in range(4):
            tick()
            drawn.append(float(torch.rand(1)))
            threads.append(torch.get_num_threads())

    paced = Paced(work)
    for seed in (1, 2):
        torch.manual_seed(seed)
        paced.advance(2)
    expected = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        expected += [float(torch.rand(1)) for _ in range(2)]
    assert drawn == expected
    assert threads == [1] * 4
    paced.stop()
