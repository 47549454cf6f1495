"""Subset selection against every subset, the literal greedy choice and closed cases."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.indicators import hypervolume, hypervolume_subset, non_dominated

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def sets(draw, rows=(0, 9), columns=(1, 5)):
    """Small integers above and below the reference point 0: ties, duplicates, dominated and outside points."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(seeds))
    return torch.from_numpy(rng.integers(draw(st.integers(-2, 1)), 8, size=(n, m)).astype(float))


def chosen_of(objectives, k, **options):
    return hypervolume_subset(objectives, [0.0] * objectives.shape[1], k, **options).tolist()


def volume_of(objectives):
    return hypervolume(objectives, [0.0] * objectives.shape[1], warn=False)


def literal_greedy(objectives, k):
    """The first of the rows that add most, again and again; volumes of integers are exact."""
    chosen = []
    while len(chosen) < k and len(objectives):
        volumes = [volume_of(objectives[[*chosen, row]]) for row in range(len(objectives))]
        if max(volumes) == (volume_of(objectives[chosen]) if chosen else 0.0):
            break
        chosen.append(int(np.argmax(volumes)))
    return chosen


def best_of_all(objectives, k):
    subsets = itertools.combinations(range(len(objectives)), min(k, len(objectives)))
    return max(volume_of(objectives[list(subset)]) for subset in subsets)


def front(n, m, seed=0):
    points = np.abs(np.random.default_rng(seed).normal(size=(n, m)))
    return torch.from_numpy(points / np.linalg.norm(points, axis=1, keepdims=True))


# --- greedy -----------------------------------------------------------------------------------------------------------


@moderate
@given(sets(), st.integers(1, 10))
def test_greedy_is_the_literal_greedy(objectives, k):
    assert chosen_of(objectives, k) == literal_greedy(objectives, k)


@pytest.mark.parametrize("m", range(2, 8))
def test_greedy_is_the_literal_greedy_on_a_front(m):
    """Lazily or not, with real numbers and, from six objectives on, the compiled volume."""
    objectives = front(25, m, seed=m)
    assert chosen_of(objectives, 8) == literal_greedy(objectives, 8)


@moderate
@given(sets(rows=(1, 8)), st.integers(1, 5))
def test_greedy_keeps_at_least_63_percent_of_the_best(objectives, k):
    kept = volume_of(objectives[chosen_of(objectives, k)]) if chosen_of(objectives, k) else 0.0
    assert kept >= (1 - 1 / math.e) * best_of_all(objectives, k)


@moderate
@given(sets(), st.integers(1, 6))
def test_fewer_rows_are_the_first_of_more(objectives, k):
    assert chosen_of(objectives, k + 1)[:k] == chosen_of(objectives, k)


def test_of_rows_that_add_the_same_the_first_is_chosen():
    assert chosen_of(torch.tensor([[1.0, 4.0], [4.0, 1.0], [2.0, 2.0]]), 1) == [0]
    assert chosen_of(torch.eye(4) + 1, 4) == [0, 1, 2, 3]


def test_greedy_may_miss_the_best():
    objectives = torch.tensor([[3.0, 3.0], [2.0, 4.4], [4.4, 2.0]])
    assert chosen_of(objectives, 2)[0] == 0
    assert chosen_of(objectives, 2, method="exact") == [1, 2]


# --- exact ------------------------------------------------------------------------------------------------------------


@moderate
@given(sets(rows=(1, 9), columns=(2, 2)), st.integers(1, 10))
def test_exact_is_the_best_of_all_subsets(objectives, k):
    chosen = chosen_of(objectives, k, method="exact")
    assert chosen == sorted(chosen)
    assert len(chosen) <= k
    assert (volume_of(objectives[chosen]) if chosen else 0.0) == best_of_all(objectives, k)


@pytest.mark.parametrize("k", [1, 2, 5, 20, 60])
def test_exact_is_never_worse_than_greedy_and_grows_with_k(k):
    objectives = front(60, 2)
    exact = volume_of(objectives[chosen_of(objectives, k, method="exact")])
    assert exact >= volume_of(objectives[chosen_of(objectives, k)]) * (1 - 1e-14)
    assert exact <= volume_of(objectives[chosen_of(objectives, k + 1, method="exact")])


def test_evenly_spaced_rows_are_best_on_a_line():
    """Auger, Bader, Brockhoff and Zitzler 2009: on a linear front the optimum is equally spaced."""
    first = torch.arange(1, 12)
    line = torch.stack([first, 12 - first], dim=1)
    assert chosen_of(line, 3, method="exact") == [2, 5, 8]
    assert chosen_of(line, 1, method="exact") == [5]
    assert chosen_of(line, 5, method="exact") == [1, 3, 5, 7, 9]


# --- both -------------------------------------------------------------------------------------------------------------

both = pytest.mark.parametrize("method", ["greedy", "exact"])


@both
@moderate
@given(sets(columns=(2, 2)))
def test_a_large_k_gives_the_front_above_the_reference_point(method, objectives):
    inside = (objectives > 0).all(dim=1)
    inside[inside.clone()] = non_dominated(objectives[inside])  # of equal rows the first
    expected = torch.nonzero(inside).flatten().tolist()
    assert sorted(chosen_of(objectives, 100, method=method)) == expected
    assert sorted(chosen_of(objectives, max(1, len(expected)), method=method)) == expected


@both
@moderate
@given(sets(columns=(2, 2)), st.integers(1, 4), seeds)
def test_masked_rows_are_never_chosen(method, objectives, k, seed):
    mask = torch.from_numpy(np.random.default_rng(seed).random(len(objectives)) < 0.6)
    junk = torch.where(mask[:, None], objectives, math.nan)
    kept = torch.nonzero(mask).flatten()
    expected = kept[chosen_of(objectives[mask], k, method=method)].tolist()
    assert chosen_of(junk, k, method=method, mask=mask) == expected
    assert chosen_of(junk, k, method=method, nan="drop") == expected


@both
@moderate
@given(sets(columns=(2, 2)), st.integers(1, 4))
def test_directions_turn_objectives_and_point(method, objectives, k):
    signs = torch.tensor([1.0, -1.0])
    expected = chosen_of(objectives + 2, k, method=method)
    words = {"directions": ["max", "min"], "method": method}
    assert hypervolume_subset((objectives + 2) * signs, [0.0, 0.0], k, **words).tolist() == expected
    moved = hypervolume_subset(objectives * signs, torch.tensor([-2.0, 2.0]), k, **words)
    assert moved.tolist() == expected


@both
@pytest.mark.parametrize("objectives", [[], np.empty((0, 2)), -np.ones((3, 2)), [[0.0, 5.0]], [[-math.inf, 1.0]]])
def test_nothing_is_chosen_where_nothing_adds_anything(method, objectives):
    found = hypervolume_subset(objectives, [0.0, 0.0], 3, method=method)
    assert found.dtype == torch.int64
    assert found.shape == (0,)


@both
def test_what_is_given_is_not_changed_and_needs_no_gradient(method):
    objectives = front(10, 2).requires_grad_()
    copy = objectives.detach().clone()
    found = hypervolume_subset(objectives, [0.0, 0.0], 3, method=method)
    assert not found.is_floating_point()
    assert torch.equal(objectives, copy)
    assert hypervolume_subset(objectives.tolist(), (0, 0), 3.0, method=method).tolist() == found.tolist()


@both
def test_many_rows_are_chosen_quickly(method):
    objectives = front(1000, 2)
    assert len(chosen_of(objectives, 40, method=method)) == 40


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "kind", "message"),
    [
        (0, ValueError, "`k` should be at least 1. Found 0"),
        (-2, ValueError, "`k` should be at least 1. Found -2"),
        (1.5, TypeError, "`k` should be a whole number"),
        (True, TypeError, "`k` should be a whole number"),
        (None, TypeError, "`k` should be a whole number"),
    ],
)
def test_a_wrong_number_is_an_error(k, kind, message):
    with pytest.raises(kind, match=message):
        hypervolume_subset([[1.0, 1.0]], [0.0, 0.0], k)


def test_a_wrong_method_is_an_error():
    with pytest.raises(ValueError, match=r'`method` should be "greedy" or "exact"\. Found .best.'):
        hypervolume_subset([[1.0, 1.0]], [0.0, 0.0], 1, method="best")
    for m in (1, 3):
        with pytest.raises(ValueError, match=rf'`method="exact"` takes two objectives. Found {m}: use "greedy"'):
            hypervolume_subset([[1.0] * m], [0.0] * m, 1, method="exact")


def test_wrong_objectives_are_an_error():
    with pytest.raises(ValueError, match=r"`objectives` should be one set \[n, m\]. Found \[2, 3, 2\]"):
        hypervolume_subset(torch.ones(2, 3, 2), [0.0, 0.0], 1)
    with pytest.raises(ValueError, match=r"`objectives` should hold no NaN. Row 1 is"):
        hypervolume_subset([[1.0, 1.0], [math.nan, 1.0]], [0.0, 0.0], 1)
    with pytest.raises(ValueError, match=r"`objectives` should be finite where it is good. Row 0 is"):
        hypervolume_subset([[math.inf, 1.0]], [0.0, 0.0], 1)
    with pytest.raises(ValueError, match="`reference_point` should be a list of 2 numbers"):
        hypervolume_subset([[1.0, 1.0]], [0.0], 1)
    with pytest.raises(ValueError, match="leaves the range of float64"):
        hypervolume_subset([[1e200, 1e200], [1e201, 1e199]], [0.0, 0.0], 1)
