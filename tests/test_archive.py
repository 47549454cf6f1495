import contextlib
import importlib.util
import time
import warnings
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from asserts import assert_same_candidates
from hypothesis import given, settings
from hypothesis import strategies as st

from moo import archive as archive_module
from moo.archive import BOUNDS, Archive, check_bound
from moo.base import Candidates
from moo.indicators import volume
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


@pytest.mark.parametrize("bound", BOUNDS)
@moderate
@given(streams(), st.sampled_from([1, 3, 8, 10_000]))
def test_the_front_is_made_of_what_was_added(bound, case, capacity):
    """So a result that stores the additions can be replayed, whatever the bound has dropped since."""
    rows, cuts = case
    archive, additions = filled(rows, cuts, capacity=capacity, bound=bound)
    replayed = Archive((1,), rows.objectives.shape[1], capacity, bound)
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


@pytest.mark.parametrize("bound", BOUNDS)
@moderate
@given(streams(), st.integers(1, 5))
def test_capacity_bounds_the_front_which_stays_non_dominated_and_feasible(bound, case, capacity):
    rows, cuts = case
    archive, added = filled(rows, cuts, capacity=capacity, bound=bound)
    kept = [int(i) for i in archive.front.solutions.flatten()]
    assert len(kept) <= capacity
    assert kept == sorted(kept)  # those that entered first in front
    assert set(kept) <= set(feasible(rows))
    assert literal_front(rows, kept) == kept
    assert set(kept) <= {int(i) for entered in added for i in entered.solutions.flatten()}
    if len(literal_front(rows, feasible(rows))) <= capacity and len(cuts) == 2:
        assert kept == literal_front(rows, feasible(rows))


def test_beyond_capacity_the_most_crowded_go_and_the_ends_stay():
    first = torch.tensor([0.0, 0.1, 0.11, 0.5, 0.9, 1.0], dtype=torch.float64)
    archive = Archive((1,), 2, capacity=4)
    added = archive.add(Candidates.of(first[:, None], torch.stack([first, 1 - first], dim=1)))
    assert archive.front.solutions.flatten().tolist() == [0.0, 0.5, 0.9, 1.0]
    assert torch.equal(added.solutions.flatten(), first)  # dropped or not, they came in


# ------------------------------------------------------------------------------------- bounded by hypervolume
def covered(rows):
    """Exact volume of a union of boxes from 0 to rows of fractions, slice by slice of the last objective."""
    if not rows or len(rows[0]) == 1:
        return max((row[0] for row in rows), default=Fraction(0))
    rows = sorted(rows, key=lambda row: row[-1], reverse=True)
    ends = [row[-1] for row in rows[1:]] + [Fraction(0)]
    slices = enumerate(zip(rows, ends, strict=True))
    return sum(
        (
            (row[-1] - end) * covered([other[:-1] for other in rows[: i + 1]])
            for i, (row, end) in slices
            if row[-1] > end
        ),
        Fraction(0),
    )


def literal_left(objectives, capacity):
    """The numbers that stay, by the definition, in exact arithmetic."""
    rows = [[Fraction(value) for value in row] for row in objectives.tolist()]
    columns = list(zip(*rows, strict=True))
    spans = [(max(column) - min(column)) or None for column in columns]
    boxes = [
        [
            Fraction(11, 10) if span is None else (value - min(column)) / span + Fraction(1, 10)
            for value, span, column in zip(row, spans, columns, strict=True)
        ]
        for row in rows
    ]
    ends = {column.index(max(column)) for column in columns}
    ends = ends if len(ends) <= capacity else set()
    left = list(range(len(rows)))
    while len(left) > capacity:
        whole = covered([boxes[i] for i in left])
        loss = {i: whole - covered([boxes[j] for j in left if j != i]) for i in left if i not in ends}
        least = min(loss.values())
        left.remove(max(i for i in loss if loss[i] == least))
    return left


@pytest.mark.parametrize("m", [2, 3, 4])
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([4, 6, 9, 13]))
def test_one_after_the_other_the_row_that_adds_least_goes(m, seed, capacity, n):
    # Random reals: no two contributions are nearly equal, so that rounding does not change the choice.
    draws = np.random.default_rng(seed).normal(size=(n, m))
    objectives = torch.from_numpy(draws / np.linalg.norm(draws, axis=1, keepdims=True)).abs()
    archive = Archive((1,), m, capacity, "hypervolume")
    archive.add(Candidates.of(torch.arange(n)[:, None].double(), objectives))
    expected = list(range(n)) if n <= capacity else literal_left(objectives, capacity)
    assert archive.front.solutions.flatten().int().tolist() == expected


@pytest.mark.parametrize("m", [2, 3, 5, 6])
def test_the_scale_of_an_objective_does_not_matter(m):
    draws = np.random.default_rng(0).normal(size=(60, m))
    objectives = torch.from_numpy(draws / np.linalg.norm(draws, axis=1, keepdims=True))
    kept = []
    for factor, shift in ((1.0, 0.0), (2.0**400, 0.0), (2.0**-300, 0.0), (1.0, 4.0)):
        archive = Archive((1,), m, 20, "hypervolume")
        scale = torch.ones(m, dtype=torch.float64)
        scale[0] = factor
        archive.add(Candidates.of(torch.arange(60)[:, None].double(), objectives * scale + shift))
        kept.append(archive.front.solutions.flatten().tolist())
    assert all(numbers == kept[0] for numbers in kept)


def test_a_range_at_the_edge_of_float64_is_no_fault():
    huge = torch.tensor([[-1.7e308, 1.7e308], [0.0, 0.0], [1.0, -1e300], [1.7e308, -1.7e308]], dtype=torch.float64)
    for columns in (huge, torch.cat([huge, huge[:, :1]], dim=1)):
        archive = Archive((1,), columns.shape[1], 3, "hypervolume")
        archive.add(Candidates.of(torch.arange(4)[:, None].double(), columns))
        assert len(archive) == 3
        assert {0.0, 3.0} <= set(archive.front.solutions.flatten().tolist())


def test_of_equal_contributions_the_last_goes_and_the_ends_stay():
    first = torch.arange(6, dtype=torch.float64)
    for m in (2, 3):  # a third objective that is the same for all changes nothing
        objectives = torch.stack([first, 5 - first, torch.ones(6).double()], dim=1)[:, :m]
        archive = Archive((1,), m, 5, "hypervolume")
        archive.add(Candidates.of(first[:, None], objectives))
        assert archive.front.solutions.flatten().tolist() == [0.0, 1.0, 2.0, 3.0, 5.0]


def test_it_keeps_more_hypervolume_than_crowding_does():
    draws = np.random.default_rng(0).normal(size=(400, 3))
    objectives = torch.from_numpy(draws / np.linalg.norm(draws, axis=1, keepdims=True)).abs()
    volumes = []
    for bound in BOUNDS:
        archive = Archive((1,), 3, 30, bound)
        for part in objectives.split(40):
            archive.add(Candidates.of(part[:, :1], part))
        volumes.append(covered_by_moocore(archive.objectives))
    assert volumes[1] > volumes[0]


def covered_by_moocore(objectives):
    import moocore

    return moocore.hypervolume(-objectives.numpy(), ref=np.full(objectives.shape[1], 0.1))


@pytest.mark.parametrize("m", [4, 5, 6])
def test_without_numba_the_same_rows_stay(m):
    pytest.importorskip("numba")
    draws = np.random.default_rng(m).normal(size=(60, m))
    objectives = torch.from_numpy(draws / np.linalg.norm(draws, axis=1, keepdims=True)).abs()

    def kept():
        archive = Archive((1,), m, 30, "hypervolume")
        archive.add(Candidates.of(torch.arange(60)[:, None].double(), objectives))
        return archive.front.solutions.flatten().tolist()

    expected = kept()
    with without_numba():
        assert kept() == expected


@contextlib.contextmanager
def without_numba():
    """As where numba is not installed, but for the warning."""
    real = importlib.util.find_spec
    volume._has_numba.cache_clear()
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore", UserWarning)
        patch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "numba" else real(name, *rest))
        yield
    volume._has_numba.cache_clear()


@pytest.mark.parametrize("m", [2, 3, 4, 6])
def test_of_very_many_rows_over_the_capacity_the_most_crowded_go_beforehand(m, monkeypatch):
    draws = np.random.default_rng(m).normal(size=(90, m))
    objectives = torch.from_numpy(draws / np.linalg.norm(draws, axis=1, keepdims=True)).abs()
    rows = Candidates.of(torch.arange(90)[:, None].double(), objectives)
    monkeypatch.setattr(archive_module, "AT_ONCE", 25)
    once = Archive((1,), m, 20, "hypervolume")
    once.add(rows)
    crowded = Archive((1,), m, 45)
    crowded.add(rows)
    twice = Archive((1,), m, 20, "hypervolume")
    twice.add(crowded.front)
    assert_same_candidates(once.front, twice.front)
    monkeypatch.setattr(archive_module, "AT_ONCE", 1000)
    monkeypatch.setattr(archive_module, "AT_ONCE_SECONDS", archive_module.predicted_seconds(45, m, compiled=True))
    timed = Archive((1,), m, 20, "hypervolume")
    timed.add(rows)
    assert_same_candidates(timed.front, once.front)


def test_no_bound_hangs():
    """The largest capacity that is allowed, once over it, and a cloud of rows at once."""
    pytest.importorskip("numba")
    for m in (5, 8, 12):
        with pytest.raises(ValueError, match="should be at most") as caught:
            check_bound(10_000, "hypervolume", m)
        most = int(str(caught.value).partition("at most ")[2].split()[0])
        capacity = min(most, 300)
        draws = np.random.default_rng(m).normal(size=(2 * capacity, m))
        objectives = torch.from_numpy(draws / np.linalg.norm(draws, axis=1, keepdims=True)).abs()
        archive = Archive((1,), m, capacity, "hypervolume")
        began = time.process_time()
        archive.add(Candidates.of(objectives[:, :1], objectives))
        assert time.process_time() - began < 30  # measured: 3 s
        assert len(archive) == capacity


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


@pytest.mark.parametrize("bound", ["volume", None, 3, ["crowding"]])
def test_the_bound_is_one_of_two_words(bound):
    with pytest.raises(ValueError, match=r'`bound` should be "crowding" or "hypervolume"\. Found '):
        Archive((1,), 2, bound=bound)


def test_too_large_a_capacity_of_many_objectives_is_refused_at_once():
    pytest.importorskip("numba")
    assert [check_bound(10_000, "hypervolume", m)[0] for m in (2, 3, 4)] == [10_000] * 3
    assert check_bound(10**9, "crowding", 40) == (10**9, "crowding")
    message = (
        r'`capacity` should be at most 114 with bound="hypervolume" and 10 objectives: weighing more rows takes too '
        r'long\. Found 10000\. bound="crowding" takes any number\.$'
    )
    with pytest.raises(ValueError, match=message):
        Archive((1,), 10, bound="hypervolume")
    assert Archive((1,), 10, 114, "hypervolume").capacity == 114
    with pytest.raises(ValueError, match=r'`archive_capacity` should .* with archive_bound="hypervolume"'):
        check_bound(115, "hypervolume", 10, prefix="archive_")
    with without_numba(), pytest.raises(ValueError, match=r"at most 1500 with .* Numba allows more: `pip install moo"):
        check_bound(2000, "hypervolume", 4)


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


@pytest.mark.parametrize("bound", BOUNDS)
@moderate
@given(streams(), st.integers(1, 40))
def test_a_stored_archive_goes_on_identically(bound, tmp_path_factory, case, capacity):
    rows, cuts = case
    archive, _ = filled(rows, cuts[:2], capacity=capacity, bound=bound)
    folder = tmp_path_factory.mktemp("archive")
    write_state(folder / "state", archive.state_dict())
    again = Archive((1,), rows.objectives.shape[1], capacity, bound)
    again.load_state_dict(read_state(folder / "state"))
    for chunk in chunks(rows, cuts)[1:]:
        assert_same_candidates(archive.add(chunk), again.add(chunk))
    assert_same_candidates(archive.front, again.front)
    assert_same_candidates(archive.least_violating, again.least_violating)
