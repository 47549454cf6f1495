from itertools import pairwise

import pytest
import torch
from asserts import assert_same_candidates
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.archive import Archive
from moo.base import Candidates
from moo.storage import read_state, write_state

moderate = settings(max_examples=80, deadline=None)


@st.composite
def streams(draw, constrained=None):
    """Candidates out of few values (many ties and duplicates), each with its number, and where to cut them."""
    n, m = draw(st.integers(0, 30)), draw(st.integers(2, 4))
    stream = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.integers(1, 5))
    objectives = torch.randint(0, levels, (n, m), generator=stream).double()
    failed = torch.rand(n, generator=stream) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    objectives[failed] = float("nan")
    extras = {"failed": failed}
    if draw(st.booleans()) if constrained is None else constrained:
        extras["constraints"] = torch.randint(-2, draw(st.sampled_from([1, 3])), (n, 2), generator=stream).double() / 2
        extras["constraints"][failed] = float("nan")
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=4)))
    solutions = torch.arange(n, dtype=torch.float64)[:, None]
    return Candidates.of(solutions, objectives, **extras), [0, *cuts, n]


def chunks(rows, cuts):
    return [rows.rows(slice(a, b)) for a, b in pairwise(cuts)]


def beats(a, b):
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))


def literal_front(rows, allowed):
    """Numbers of the allowed rows that none of the allowed dominates, the first of equals only."""
    values = {i: rows.objectives[i].tolist() for i in allowed}
    return [
        i
        for i in allowed
        if not any(beats(values[j], values[i]) or (values[j] == values[i] and j < i) for j in allowed)
    ]


def feasible(rows):
    return [i for i in range(len(rows)) if not rows.failed[i] and rows.violation[i] == 0]


def filled(rows, cuts, **arguments):
    archive = Archive((1,), rows.objectives.shape[1], **arguments)
    return archive, [archive.add(chunk) for chunk in chunks(rows, cuts)]


@moderate
@given(streams())
def test_however_it_is_fed_the_front_is_that_of_everything(case):
    rows, cuts = case
    archive, _ = filled(rows, cuts)
    assert archive.front.solutions.flatten().tolist() == literal_front(rows, feasible(rows))


@moderate
@given(streams())
def test_added_are_the_rows_on_the_front_right_after(case):
    rows, cuts = case
    _, added = filled(rows, cuts)
    for first, last, entered in zip(cuts, cuts[1:], added, strict=False):
        sofar = [i for i in feasible(rows) if i < last]
        expected = [i for i in literal_front(rows, sofar) if i >= first]
        assert_same_candidates(entered, rows.rows(torch.tensor(expected, dtype=torch.int64)))


@moderate
@given(streams())
def test_the_front_is_made_of_what_was_added(case):
    """So a result that stores the additions can be replayed."""
    rows, cuts = case
    archive, additions = filled(rows, cuts)
    replayed = Archive((1,), rows.objectives.shape[1])
    for part in additions:
        assert len(replayed.add(part)) == len(part)
    assert_same_candidates(replayed.front, archive.front)


@moderate
@given(streams(constrained=True))
def test_least_violating_is_the_front_of_those_that_violate_least_while_nothing_is_feasible(case):
    rows, cuts = case
    archive, _ = filled(rows, cuts)
    fine = [i for i in range(len(rows)) if not rows.failed[i]]
    if feasible(rows) or not fine:
        assert len(archive.least_violating) == 0
        return
    least = min(float(rows.violation[i]) for i in fine)
    expected = literal_front(rows, [i for i in fine if rows.violation[i] == least])
    assert archive.least_violating.solutions.flatten().tolist() == expected


@moderate
@given(streams(), st.integers(1, 5))
def test_capacity_bounds_the_front_which_stays_non_dominated_and_feasible(case, capacity):
    rows, cuts = case
    archive, added = filled(rows, cuts, capacity=capacity)
    kept = [int(i) for i in archive.front.solutions.flatten()]
    assert len(kept) <= capacity
    assert set(kept) <= set(feasible(rows))
    assert literal_front(rows, sorted(kept)) == sorted(kept)
    assert set(kept) <= {int(i) for entered in added for i in entered.solutions.flatten()}
    if len(literal_front(rows, feasible(rows))) <= capacity and len(cuts) == 2:
        assert kept == literal_front(rows, feasible(rows))


def test_beyond_capacity_the_most_crowded_go_and_the_ends_stay():
    first = torch.tensor([0.0, 0.1, 0.11, 0.5, 0.9, 1.0], dtype=torch.float64)
    archive = Archive((1,), 2, capacity=4)
    added = archive.add(Candidates.of(first[:, None], torch.stack([first, 1 - first], dim=1)))
    assert archive.front.solutions.flatten().tolist() == [0.0, 0.5, 0.9, 1.0]
    assert added.solutions.flatten().tolist() == [0.0, 0.5, 0.9, 1.0]


def test_a_front_read_after_every_step_is_the_one_read_at_the_end():
    # Rows wait to be joined: reading in between must change nothing, and neither must many waiting rows.
    stream = torch.Generator().manual_seed(0)
    rows = torch.rand(3000, 2, generator=stream, dtype=torch.float64) + torch.linspace(0, 3, 3000)[:, None]
    read, unread = Archive((1,), 2), Archive((1,), 2)
    for part in rows.split(30):
        record = Candidates.of(part[:, :1], part, mark=part[:, 0])
        read.add(record)
        assert torch.equal(read.front.objectives, read.objectives)
        assert len(read.front) == len(read)
        unread.add(record)
    assert_same_candidates(read.front, unread.front)


@pytest.mark.parametrize("capacity", [0, -1])
def test_capacity_is_at_least_one(capacity):
    with pytest.raises(ValueError, match=f"`capacity` should be at least 1. Found {capacity}."):
        Archive((1,), 2, capacity=capacity)


def test_an_empty_archive_has_an_empty_front():
    archive = Archive((2, 3), 4)
    assert archive.front.solutions.shape == (0, 2, 3)
    assert archive.front.objectives.shape == (0, 4)
    assert len(archive.add(archive.front)) == 0


def test_nothing_violating_is_kept_once_something_is_feasible():
    archive = Archive((1,), 2)

    def add(violation):
        constraints = torch.tensor([[violation]], dtype=torch.float64)
        return archive.add(Candidates.of(torch.zeros(1, 1), torch.zeros(1, 2).double(), constraints=constraints))

    assert len(add(1.0)) == 0
    assert len(archive.least_violating) == 1
    assert len(add(-1.0)) == 1
    assert len(archive.least_violating) == 0
    add(0.5)
    assert (len(archive.front), len(archive.least_violating)) == (1, 0)


@moderate
@given(streams(), st.integers(1, 40))
def test_a_stored_archive_goes_on_identically(tmp_path_factory, case, capacity):
    rows, cuts = case
    archive, _ = filled(rows, cuts[:2], capacity=capacity)
    folder = tmp_path_factory.mktemp("archive")
    write_state(folder / "state", archive.state_dict())
    again = Archive((1,), rows.objectives.shape[1], capacity)
    again.load_state_dict(read_state(folder / "state"))
    for chunk in chunks(rows, cuts)[1:]:
        assert_same_candidates(archive.add(chunk), again.add(chunk))
    assert_same_candidates(archive.front, again.front)
    assert_same_candidates(archive.least_violating, again.least_violating)
