"""What every registered indicator promises: numbers from fronts, no good score for nothing, clear errors."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import moo.indicators
from moo.indicators import INDICATORS
from moo.preferences import dirichlet
from moo.registry import resolve, summary

SIGNED = ("reference_point", "reference_set", "ideal_point")  # context that is turned with the objectives

every = pytest.mark.parametrize("name", sorted(INDICATORS))
moderate = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 5)


def front(m, seed=0, n=20):
    """Mutually non-dominated points on a sphere; for one objective a point."""
    points = np.abs(np.random.default_rng(seed).normal(size=(n if m > 1 else 1, m))) + 0.01
    return torch.from_numpy(points / np.linalg.norm(points, axis=1, keepdims=True))


def context(m, seed=0):
    """All that an indicator may take beside objectives between 0 and 1, maximised."""
    return {
        "reference_point": torch.full((m,), -0.1, dtype=torch.float64),
        "reference_set": 1.1 * front(m, seed + 1, n=30),
        "preferences": dirichlet(40, m, torch.Generator().manual_seed(seed)),
        "ideal_point": torch.full((m,), 1.2, dtype=torch.float64),
    }


def score(name, objectives, around, directions=None):
    """The indicator, with what it takes out of `around`."""
    function = resolve({name: INDICATORS[name].function}, name, "indicator")
    return function(objectives, *(around[word] for word in INDICATORS[name].context), directions=directions)


def turned(around, signs):
    """Context in the directions that these signs stand for."""
    return {word: value * signs if word in SIGNED else value for word, value in around.items()}


def about(number):
    """Equal up to the rounding of a sum."""
    return pytest.approx(number, rel=1e-11, abs=1e-13)


def test_the_registry_is_what_the_package_offers():
    assert {*INDICATORS, *moo.indicators.FUNCTIONS, "INDICATORS", "Indicator"} == set(moo.indicators.__all__)
    higher = {name for name in INDICATORS if INDICATORS[name].higher_is_better}
    volumes = {"hypervolume", "relative_hypervolume"}
    assert higher == {*volumes, "expected_utility", "pc_entropy", "mean_pairwise_distance"}


@every
def test_it_is_documented(name):
    assert summary(INDICATORS[name].function).endswith(".")
    text = resolve({name: INDICATORS[name].function}, name, "indicator").__doc__
    assert "Source: " in text
    assert "empty set" in text or "fewer than two" in text


@every
@pytest.mark.parametrize("m", [2, 3, 5])
def test_a_front_gets_a_finite_number(name, m):
    found = score(name, front(m), context(m))
    assert isinstance(found, float)
    assert math.isfinite(found)


@every
def test_one_objective_will_do(name):
    around = context(1)
    found = score(name, [[0.1], [0.3], [1.0]], around)
    assert math.isfinite(found)
    assert found == score(name, [[0.1], [1.0], [0.3]], around)


@every
@pytest.mark.parametrize("empty", [[], (), np.empty(0), torch.empty(0), np.empty((0, 3)), torch.empty(0, 3)])
def test_an_empty_set_scores_worst(name, empty):
    nothing = score(name, empty, context(3))
    worst = 0.0 if name == "hypervolume" else -math.inf if INDICATORS[name].higher_is_better else math.inf
    assert nothing == worst
    assert score(name, empty, context(3), ["max", "min", "max"]) == worst
    for objectives in (front(3), front(3) - 15, front(3)[:2] - 25):
        something = score(name, objectives, {**context(3), "reference_point": [-30.0] * 3})
        assert something >= nothing if INDICATORS[name].higher_is_better else something <= nothing


@every
@moderate
@given(counts, seeds, seeds)
def test_permuting_points_changes_nothing(name, m, seed, shuffle):
    objectives, around = front(m, seed), context(m, seed)
    order = np.random.default_rng(shuffle).permutation(len(objectives))
    assert score(name, objectives[order], around) == about(score(name, objectives, around))


@every
@moderate
@given(counts, seeds, seeds)
def test_permuting_objectives_changes_nothing(name, m, seed, shuffle):
    objectives, around = front(m, seed), context(m, seed)
    order = np.random.default_rng(shuffle).permutation(m)
    permuted = {word: value[..., order] for word, value in around.items()}
    assert score(name, objectives[:, order], permuted) == about(score(name, objectives, around))


@every
@moderate
@given(counts, seeds, seeds)
def test_turning_everything_with_its_directions_changes_nothing(name, m, seed, coins):
    objectives, around = front(m, seed), context(m, seed)
    words = np.random.default_rng(coins).choice(["min", "max"], m).tolist()
    signs = torch.tensor([1.0 if word == "max" else -1.0 for word in words])
    assert score(name, objectives * signs, turned(around, signs), words) == score(name, objectives, around)
    assert score(name, -objectives, turned(around, -1), "min") == score(name, objectives, around)
    assert score(name, objectives, around, "max") == score(name, objectives, around)


@pytest.mark.parametrize("name", sorted(set(INDICATORS) - {"gd", "gd_plus"}))  # those are means over the rows
@moderate
@given(counts, seeds)
def test_duplicates_change_nothing(name, m, seed):
    objectives, around = front(m, seed), context(m, seed)
    longer = torch.cat([objectives, objectives[: len(objectives) // 2 + 1]])
    assert score(name, longer, around) == about(score(name, objectives, around))


@every
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("m", [1, 2, 4])
def test_a_value_that_is_not_finite_is_named(name, bad, m):
    objectives = torch.rand(10, m, dtype=torch.float64)
    objectives[7, m - 1] = bad
    objectives[8, 0] = bad
    with pytest.raises(ValueError, match=r"`objectives` should be finite. Row 7 is \["):
        score(name, objectives, context(m))


@every
def test_context_that_is_not_finite_is_an_error(name):
    around = context(3)
    for word in INDICATORS[name].context:
        broken = around[word].clone()
        broken.view(-1)[-1] = math.nan
        with pytest.raises(ValueError, match=rf"`{word}` should be finite|Each row of `{word}` should be finite"):
            score(name, front(3), {**around, word: broken})


@every
def test_context_of_another_width_is_an_error(name):
    around = context(3)
    for word in INDICATORS[name].context:
        for value in (context(2)[word], context(4)[word]):
            with pytest.raises(ValueError, match=rf"`{word}`.* Found .*[24]"):
                score(name, front(3), {**around, word: value})


@every
def test_objectives_that_do_not_fit_are_an_error(name):
    around = context(2)
    with pytest.raises(ValueError, match=r"`objectives` should have shape \[n, m\]. Found \[2\]"):
        score(name, [1.0, 1.0], around)
    with pytest.raises(ValueError, match=r"`objectives` should have at least one column. Found shape \[2, 0\]"):
        score(name, torch.empty(2, 0), around)
    with pytest.raises(TypeError, match=r"`objectives` should be an array of numbers. Found list"):
        score(name, [["a", "b"]], around)
    with pytest.raises(TypeError, match=r"`objectives` should be an array of numbers. Found list"):
        score(name, [[1.0, 2.0], [3.0]], around)


@every
def test_directions_that_do_not_fit_are_an_error(name):
    with pytest.raises(ValueError, match=r"`directions` should hold only .* Found 'minimise'"):
        score(name, front(2), context(2), "minimise")
    with pytest.raises(ValueError, match=r"`directions` should name one per objective \(2\). Found 3"):
        score(name, front(2), context(2), ["min", "min", "max"])


@every
def test_lists_arrays_and_tensors_are_read_alike(name):
    objectives, around = front(3), context(3)
    expected = score(name, objectives, around)
    for read_as in (lambda value: value.numpy(), lambda value: value.tolist(), lambda value: value.clone().detach()):
        assert score(name, read_as(objectives), {word: read_as(value) for word, value in around.items()}) == expected
    learned = {word: value.clone().requires_grad_() for word, value in around.items()}
    assert score(name, objectives.clone().requires_grad_(), learned) == expected
    backwards = np.ascontiguousarray(objectives.numpy()[::-1, ::-1])[::-1, ::-1]
    backwards.flags.writeable = False
    assert score(name, backwards, around) == expected


@every
def test_integers_are_read_as_numbers(name):
    rows, around = (
        [[0, 3, 1], [2, 2, 0], [3, 0, 2]],
        {**context(3), "ideal_point": [3, 3, 3], "reference_set": [[3] * 3]},
    )
    expected = score(name, np.array(rows, dtype=float), around)
    for integers in (rows, np.array(rows, dtype=np.int32), np.array(rows, dtype=np.uint8), torch.tensor(rows)):
        assert score(name, integers, around) == expected


@every
@pytest.mark.parametrize(
    ("directions", "signs"), [(None, [1, 1, 1]), ("min", [-1, -1, -1]), (["min", "max", "max"], [-1, 1, 1])]
)
def test_arguments_are_not_changed(name, directions, signs):
    signs = torch.tensor(signs)
    objectives, around = front(3) * signs, turned(context(3), signs)
    copies = objectives.clone(), {word: value.clone() for word, value in around.items()}
    score(name, objectives, around, directions)
    score(name, objectives.numpy(), {word: value.numpy() for word, value in around.items()}, directions)
    assert torch.equal(objectives, copies[0])
    assert all(torch.equal(around[word], copies[1][word]) for word in around)
