"""The rules that every public function of the indicator module keeps, each tested on every one of them."""

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import moo.indicators as indicators
from moo.indicators import INDICATORS
from moo.preferences import das_dennis
from moo.registry import resolve

N, M = 9, 3


class Function(NamedTuple):
    """A public function with the rest of its arguments."""

    call: Callable[..., Any]
    rows: bool = False  # gives a value per row


def context(names, m):
    """Arguments for values in [0, 1), all maximised."""
    values = {
        "reference_point": [-0.1] * m,
        "reference_set": np.eye(m) * 0.5 + 0.5,
        "preferences": das_dennis(m, 3),
        "ideal_point": [1.0] * m,
    }
    return [values[name] for name in names]


def scalar(name):
    return Function(lambda x, **o: resolve(INDICATORS[name].function)(x, *context(INDICATORS[name].context, M), **o))


def by_row(name, *names):
    return Function(lambda x, **o: getattr(indicators, name)(x, *context(names, M), **o), rows=True)


FUNCTIONS = {
    **{name: scalar(name) for name in INDICATORS},
    "hypervolume_approx": Function(
        lambda x, **o: indicators.hypervolume_approx(x, *context(["reference_point"], M), samples=64, **o).value
    ),
    "hypervolume_contributions": by_row("hypervolume_contributions", "reference_point"),
    "r2_contributions": by_row("r2_contributions", "ideal_point"),
    "non_dominated": by_row("non_dominated"),
    "pareto_ranks": by_row("pareto_ranks"),
    "crowding_distance": by_row("crowding_distance"),
}
NO_RANK = {"pareto_ranks": -1}


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def cases(function):
    return pytest.mark.parametrize("name", sorted(FUNCTIONS))(function)


def random_set(seed=0, shape=(N, M)):
    return torch.from_numpy(np.random.default_rng(seed).integers(1, 8, shape) / 8)


def values(found):
    return torch.as_tensor(found, dtype=torch.float64)


def assert_close(found, expected, tolerance=1e-12):
    torch.testing.assert_close(values(found), values(expected), rtol=tolerance, atol=tolerance, equal_nan=False)


@cases
def test_a_set_gives_a_float_or_a_value_per_row(name):
    found = FUNCTIONS[name].call(random_set())
    if FUNCTIONS[name].rows:
        assert found.shape == (N,)
    else:
        assert type(found) is float


@cases
@pytest.mark.parametrize("leading", [(4,), (2, 3), (0,), (1, 1, 2)])
def test_a_batch_gives_what_its_sets_give(name, leading):
    function = FUNCTIONS[name]
    batch = random_set(1, (*leading, N, M))
    found = function.call(batch)
    assert found.shape == ((*leading, N) if function.rows else leading)
    sets = batch.reshape(-1, N, M)
    expected = [values(function.call(one)) for one in sets]
    if expected:
        assert_close(found.reshape(len(sets), *expected[0].shape), torch.stack(expected))


@cases
@pytest.mark.parametrize("shape", [(N, M), (5, N, M)])
def test_masking_rows_is_removing_them(name, shape):
    function = FUNCTIONS[name]
    batch = random_set(2, shape)
    mask = torch.from_numpy(np.random.default_rng(3).random(shape[:-1]) < 0.6)
    junk = torch.where(mask[..., None], batch, float("nan"))  # what is masked is not even looked at
    found = function.call(junk, mask=mask)
    for i, (one, kept) in enumerate(zip(batch.reshape(-1, N, M), mask.reshape(-1, N), strict=True)):
        mine = values(found).reshape(-1, N)[i] if function.rows else values(found).reshape(-1)[i]
        assert_close(mine[kept] if function.rows else mine, function.call(one[kept]))
        if function.rows:
            assert (mine[~kept] == NO_RANK.get(name, 0)).all()


@cases
def test_a_set_masked_whole_is_an_empty_one(name):
    function = FUNCTIONS[name]
    found = function.call(random_set(), mask=torch.zeros(N, dtype=torch.bool))
    if function.rows:
        assert (values(found) == NO_RANK.get(name, 0)).all()
    else:
        assert found == function.call(np.empty((0, M)))


@pytest.mark.parametrize("name", sorted(INDICATORS))
@pytest.mark.parametrize("empty", [[], np.empty((0, M)), torch.empty(0, M), torch.empty(2, 0, M)])
def test_an_empty_set_never_scores_well(name, empty):
    some = FUNCTIONS[name].call(random_set())
    for none in values(FUNCTIONS[name].call(empty)).reshape(-1).tolist():
        assert not math.isnan(none)
        assert none < some if INDICATORS[name].higher_is_better else none > some


@cases
def test_nan_raises_and_names_the_first_bad_row(name):
    bad = random_set().clone()
    bad[4, 1] = math.nan
    bad[6, 0] = math.nan
    with pytest.raises(ValueError, match=r"`objectives` should hold no NaN\. Row 4 is \[.*nan"):
        FUNCTIONS[name].call(bad)
    with pytest.raises(ValueError, match=r"`objectives` should hold no NaN\. Row 4 of set 1 is"):
        FUNCTIONS[name].call(torch.stack([random_set(), bad]))


@cases
def test_nan_can_be_dropped(name):
    function = FUNCTIONS[name]
    bad = random_set().clone()
    bad[4, 1] = math.nan
    kept = torch.arange(N) != 4
    found = values(function.call(bad, nan="drop"))
    assert_close(found[kept] if function.rows else found, function.call(random_set()[kept]))
    with pytest.raises(ValueError, match="`nan` should be"):
        function.call(bad, nan="ignore")


@cases
@pytest.mark.parametrize("sign", [1, -1])
def test_infinitely_good_raises(name, sign):
    bad = sign * random_set()
    bad[2, 0] = sign * math.inf
    directions = None if sign == 1 else "min"
    with pytest.raises(ValueError, match=r"`objectives` should be finite where it is good\. Row 2 is"):
        FUNCTIONS[name].call(bad, directions=directions)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"gd", "gd_plus", "averaged_hausdorff"}))
def test_an_infinitely_bad_row_counts_as_none(name):
    function = FUNCTIONS[name]
    bad = random_set().clone()
    bad[4, 1] = -math.inf
    kept = torch.arange(N) != 4
    found = values(function.call(bad))
    assert_close(found[kept] if function.rows else found, function.call(random_set()[kept]))


@pytest.mark.parametrize("name", ["gd", "gd_plus"])
def test_an_infinitely_bad_row_is_infinitely_far(name):
    bad = random_set().clone()
    bad[4, 1] = -math.inf
    assert FUNCTIONS[name].call(bad) == math.inf
    assert FUNCTIONS[name].call(torch.stack([random_set(), bad])).tolist()[1] == math.inf


@cases
def test_lists_arrays_integers_and_single_precision_are_read(name):
    whole = (random_set() > 0.5).to(torch.int64)
    expected = FUNCTIONS[name].call(whole.double())
    for given in (whole, whole.tolist(), whole.numpy(), whole.float(), whole.bool(), whole.numpy()[::-1][::-1]):
        assert_close(FUNCTIONS[name].call(given), expected, 1e-14)


@cases
def test_single_precision_is_close_to_double(name):
    if name in ("non_dominated", "pareto_ranks"):
        pytest.skip("exact comparisons: nothing in between")
    objectives = torch.rand(N, M, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert_close(FUNCTIONS[name].call(objectives.float()), FUNCTIONS[name].call(objectives), 1e-5)


@cases
def test_arguments_are_not_changed(name):
    objectives = random_set()
    batch, mask = objectives.expand(2, N, M).clone(), torch.ones(2, N, dtype=torch.bool)
    copies = objectives.clone(), batch.clone(), mask.clone()
    FUNCTIONS[name].call(objectives)
    FUNCTIONS[name].call(objectives, directions="max")
    FUNCTIONS[name].call(batch, mask=mask)
    readonly = objectives.numpy().copy()
    readonly.flags.writeable = False
    FUNCTIONS[name].call(readonly)
    assert torch.equal(objectives, copies[0])
    assert torch.equal(batch, copies[1])
    assert torch.equal(mask, copies[2])


@cases
def test_permuting_rows_permutes_what_is_said_of_them(name):
    function = FUNCTIONS[name]
    objectives = torch.rand(N, M, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(2))
    found, expected = values(function.call(objectives[order])), values(function.call(objectives))
    assert_close(found, expected[order] if function.rows else expected)


@cases
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([1.0, 2.0, 3.0], r"`objectives` should have shape \[n, m\].* Found \[3\]"),
        (torch.empty(2, 0), "`objectives` should have at least one column"),
        (1.0, r"`objectives` should have shape"),
    ],
)
def test_a_wrong_shape_is_an_error(name, wrong, message):
    with pytest.raises(ValueError, match=message):
        FUNCTIONS[name].call(wrong)


@cases
@pytest.mark.parametrize("wrong", [[["a", "b", "c"]], torch.ones(2, 3, dtype=torch.complex64), [[1, 2, 3], [1, 2]]])
def test_what_is_no_number_is_an_error(name, wrong):
    with pytest.raises(TypeError, match="`objectives` should be an array of numbers"):
        FUNCTIONS[name].call(wrong)


@cases
def test_a_wrong_mask_is_an_error(name):
    with pytest.raises(ValueError, match=r"`mask` should have shape \[9\]"):
        FUNCTIONS[name].call(random_set(), mask=torch.ones(4, dtype=torch.bool))
    with pytest.raises(TypeError, match="`mask` should hold truth values"):
        FUNCTIONS[name].call(random_set(), mask=torch.ones(N))


@cases
def test_wrong_directions_are_an_error(name):
    with pytest.raises(ValueError, match="`directions` should hold only"):
        FUNCTIONS[name].call(random_set(), directions="minimise")
    with pytest.raises(ValueError, match=r"`directions` should name one per objective \(3\). Found 2"):
        FUNCTIONS[name].call(random_set(), directions=["min", "max"])
