import contextlib
import resource

import numpy as np
import pytest
import torch
from asserts import assert_same_candidates
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import ToyConstruction, ToyVector

from moo.base import Evaluation
from moo.journal import Journal, join_evaluations
from moo.metered import metered

NAMES = ("objectives", "constraints", "std", "failed", "solutions")


def rows_of(n, seed=0):
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def evaluation_of(rows, full=True):
    """What depends on each row alone, so that any cut of it can be told."""
    objectives = torch.stack([rows.sum(dim=1), rows[:, 0]], dim=1)
    failed = rows[:, 0] < 0.4
    objectives[failed] = float("nan")
    if not full:
        return Evaluation(objectives, failed=failed)
    reasons = {row: f"reason é {float(rows[row, 0]):.3f}" for row in range(len(rows)) if failed[row]}
    return Evaluation(objectives, rows[:, :1] - 0.5, objectives * 0.1, failed, reasons, rows.round())


def assert_same_evaluation(first, second):
    for name in NAMES:
        a, b = getattr(first, name), getattr(second, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=name)
    assert dict(first.reasons) == dict(second.reasons)


def written(path, sizes, full=True):
    """A journal of blocks of these sizes, closed, and all its rows."""
    rows = rows_of(sum(sizes))
    journal = Journal(path)
    for part in rows.split(list(sizes)):
        journal.append(part, evaluation_of(part, full))
    journal.close()
    return rows


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("reopened", [True, False])
def test_served_rows_equal_what_was_appended(tmp_path, full, reopened):
    rows = rows_of(7)
    journal = Journal(tmp_path / "j.npy")
    for part in rows.split([4, 3]):
        journal.append(part, evaluation_of(part, full))
    if reopened:
        journal.close()
        journal = Journal(tmp_path / "j.npy")
    assert len(journal) == 7
    for start, part in [(0, rows[:4]), (4, rows[4:])]:
        assert_same_evaluation(journal.serve(start, part), evaluation_of(part, full))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.data())
def test_any_cut_of_the_rows_is_served(tmp_path_factory, sizes, data):
    path = tmp_path_factory.mktemp("journal") / "j.npy"
    rows = written(path, sizes)
    journal = Journal(path)
    start = data.draw(st.integers(0, len(rows)))
    more = rows_of(data.draw(st.integers(0, 3)), seed=1)
    asked = torch.cat([rows[start : data.draw(st.integers(start, len(rows)))], more])
    known = len(asked) - len(more)
    if len(more) and start + known < len(rows):
        return  # a divergence: tested below
    served = journal.serve(start, asked)
    if known == 0:
        assert served is None
    else:
        assert_same_evaluation(served, evaluation_of(rows[start : start + known]))


def test_an_empty_journal_serves_nothing(tmp_path):
    journal = Journal(tmp_path / "j.npy")
    assert len(journal) == 0
    assert journal.serve(0, rows_of(2)) is None


# ------------------------------------------------------------------------------------------------- a kill while writing
def test_torn_at_any_byte_the_whole_blocks_survive_and_appending_goes_on(tmp_path):
    sizes = (2, 1)
    rows = written(tmp_path / "whole.npy", sizes, full=False)
    raw = (tmp_path / "whole.npy").read_bytes()
    ends = []
    with (tmp_path / "whole.npy").open("rb") as file:
        for _ in sizes:
            np.load(file)
            ends.append(file.tell())
    torn = tmp_path / "torn.npy"
    for length in range(len(raw) + 1):
        torn.write_bytes(raw[:length])
        journal = Journal(torn)
        known = sum(size for size, end in zip(sizes, ends, strict=True) if end <= length)
        assert len(journal) == known, length
        if known:
            assert_same_evaluation(journal.serve(0, rows), evaluation_of(rows[:known], full=False))
        journal.append(rows[known:], evaluation_of(rows[known:], full=False))
        journal.close()
        again = Journal(torn)
        assert len(again) == len(rows), length
        assert_same_evaluation(again.serve(0, rows), evaluation_of(rows, full=False))
        again.close()


def test_a_tail_of_zeros_is_cut_off(tmp_path):
    """What some file systems leave after a power cut."""
    rows = written(tmp_path / "j.npy", (3,))
    with (tmp_path / "j.npy").open("ab") as file:
        file.write(bytes(300))
    journal = Journal(tmp_path / "j.npy")
    journal.append(rows, evaluation_of(rows))
    journal.close()
    assert len(Journal(tmp_path / "j.npy")) == 6


def test_the_file_can_be_read_with_numpy_alone(tmp_path):
    rows = written(tmp_path / "j.npy", (2, 1))
    with (tmp_path / "j.npy").open("rb") as file:
        blocks = [np.load(file, allow_pickle=False) for _ in range(2)]
    assert [len(block) for block in blocks] == [2, 1]
    assert np.array_equal(np.concatenate([block["solutions"] for block in blocks]), rows.numpy())
    assert set(blocks[0].dtype.names) >= {"objectives", "constraints", "std", "failed", "evaluated"}


# ------------------------------------------------------------------------------------------------- divergence
@pytest.mark.parametrize("diverging", [0, 2, 3, 5])
def test_rows_that_differ_are_evaluated_anew_and_the_old_file_is_kept(tmp_path, diverging):
    path = tmp_path / "j.npy"
    rows = written(path, (3, 3))
    old = path.read_bytes()
    changed = rows.clone()
    changed[diverging:] = rows_of(6, seed=1)[diverging:]
    journal = Journal(path)
    with pytest.warns(
        UserWarning, match=rf"differs from the one that .*j.npy holds from evaluation {diverging + 1} on"
    ):
        served = journal.serve(0, changed)
    if diverging:
        assert_same_evaluation(served, evaluation_of(rows[:diverging]))
    else:
        assert served is None
    assert (tmp_path / "j.diverged.npy").read_bytes() == old
    assert len(journal) == diverging
    journal.append(changed[diverging:], evaluation_of(changed[diverging:]))
    journal.close()
    assert_same_evaluation(Journal(path).serve(0, changed), evaluation_of(changed))


def test_a_divergence_after_earlier_rows_keeps_them(tmp_path):
    rows = written(tmp_path / "j.npy", (2, 2, 2))
    journal = Journal(tmp_path / "j.npy")
    with pytest.warns(UserWarning, match="from evaluation 4 on"):
        journal.serve(3, rows_of(2, seed=5))
    assert len(journal) == 3
    assert_same_evaluation(journal.serve(0, rows[:3]), evaluation_of(rows[:3]))


# ------------------------------------------------------------------------------------------------- behind the meter
def meter_with(path, budget=50, **options):
    problem = ToyVector(3, constrained=True, fails="flag", **options)
    meter = metered(problem, budget, 0)
    meter.use_journal(Journal(path))
    return meter, problem


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_meter_served_by_a_journal_pays_without_evaluating(tmp_path, noise):
    solutions = torch.rand(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, _ = meter_with(tmp_path / "j.npy", noise=noise)
    before = [first.evaluate(part) for part in solutions.split(8)]
    again, problem = meter_with(tmp_path / "j.npy", noise=noise)
    for part, old in zip(solutions.split(8), before, strict=True):
        assert_same_candidates(again.evaluate(part), old)
    assert problem.calls == []
    assert again.used == 20


def test_a_batch_known_in_part_is_completed(tmp_path):
    solutions = torch.rand(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, _ = meter_with(tmp_path / "j.npy")
    first.evaluate(solutions[:5])
    again, problem = meter_with(tmp_path / "j.npy")
    found = again.evaluate(solutions)
    assert problem.calls == [15]
    plain = metered(ToyVector(3, constrained=True, fails="nan"), 50, 0).evaluate(solutions)
    assert torch.equal(found.failed, plain.failed)
    assert torch.equal(found.extras["constraints"], plain.extras["constraints"])
    assert torch.equal(found.objectives.nan_to_num(), plain.objectives.nan_to_num())
    last, problem = meter_with(tmp_path / "j.npy")
    assert_same_candidates(last.evaluate(solutions), found)
    assert problem.calls == []


def test_finished_states_are_journaled_too(tmp_path):
    states = torch.tensor([[0, 1, 3, -1, -1], [2, 3, -1, -1, -1]])
    for calls in (1, 0):
        problem = ToyConstruction()
        evaluate, seen = problem.evaluate, []
        problem.evaluate = lambda x, generator=None, e=evaluate, s=seen: (s.append(len(x)), e(x))[1]
        meter = metered(problem, 9, 0)
        meter.use_journal(Journal(tmp_path / "j.npy"))
        assert torch.equal(meter.evaluate(states).objectives, evaluate(states))
        assert len(seen) == calls


def test_evaluations_apart_stay_out_of_the_journal(tmp_path):
    meter, problem = meter_with(tmp_path / "j.npy")
    with meter.apart():
        meter.evaluate(torch.rand(4, 3))
    assert len(Journal(tmp_path / "j.npy")) == 0
    meter.evaluate(torch.rand(4, 3))
    assert problem.calls == [4, 4]


def test_a_journal_that_lost_its_head_costs_evaluations_but_never_truth(tmp_path):
    """The state may stand further than a damaged journal."""
    solutions = torch.rand(30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    path = tmp_path / "j.npy"
    first, _ = meter_with(path)
    state = [(first.state_dict(), first.evaluate(part)) for part in solutions.split(10)]
    path.unlink()
    for calls in ([10, 10], []):
        again, problem = meter_with(path)
        again.load_state_dict(state[1][0])
        for part, (_, old) in zip(solutions[10:].split(10), state[1:], strict=True):
            assert_same_candidates(again.evaluate(part), old)
        assert problem.calls == calls


# ------------------------------------------------------------------------------------------------- a disk that is full
@contextlib.contextmanager
def room_for(path, more):
    """No file can grow beyond the present size of this one and so many bytes more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("n", [3, 300])  # a block smaller and one larger than any buffer
@pytest.mark.parametrize("room", [0, 50, 200, 500])
def test_on_a_full_disk_the_error_names_the_journal_and_says_why(tmp_path, room, n):
    rows = rows_of(2 * n)
    journal = Journal(tmp_path / "j.npy")
    journal.append(rows[:n], evaluation_of(rows[:n]))
    with (
        room_for(journal.path, room),
        pytest.raises(OSError, match=r"could not write the journal: File too large.*j\.npy"),
    ):
        journal.append(rows[n:], evaluation_of(rows[n:]))
    assert len(journal) == n
    journal.close()
    assert_same_evaluation(Journal(tmp_path / "j.npy").serve(0, rows), evaluation_of(rows[:n]))


@pytest.mark.parametrize("room", [0, 50, 200, 500])
def test_once_there_is_room_again_appending_goes_on(tmp_path, room):
    rows = rows_of(6)
    journal = Journal(tmp_path / "j.npy")
    journal.append(rows[:3], evaluation_of(rows[:3]))
    with room_for(journal.path, room), contextlib.suppress(OSError):
        journal.append(rows[3:5], evaluation_of(rows[3:5]))
    journal.append(rows[len(journal) :], evaluation_of(rows[len(journal) :]))
    journal.close()
    assert_same_evaluation(Journal(tmp_path / "j.npy").serve(0, rows), evaluation_of(rows))


# ------------------------------------------------------------------------------------------------- joining
@pytest.mark.parametrize("full", [True, False])
def test_parts_joined_are_the_whole(full):
    rows = rows_of(9)
    parts = [evaluation_of(part, full) for part in rows.split([2, 0, 3, 4])]
    assert_same_evaluation(join_evaluations(parts), evaluation_of(rows, full))
