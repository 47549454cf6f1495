"""The rules that every public function of the indicator module keeps, each tested on every one of them."""

import importlib.util
import inspect
import math
import os
import subprocess
import sys
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import moo.indicators
from moo.indicators import INDICATORS
from moo.preferences import dirichlet
from moo.registry import resolve, summary

N, M = 9, 3


class Function(NamedTuple):
    """What the rules need to know of a public function."""

    context: tuple[str, ...] = ()
    absent: float | None = None  # gives a value per row: that of rows that do not count
    options: dict[str, Any] = {}
    most: int = 5  # objectives


FUNCTIONS = {
    **{name: Function(entry.context, most=entry.max_objectives or 5) for name, entry in INDICATORS.items()},
    "epsilon_multiplicative": Function(("reference_set",)),
    "hypervolume_approx": Function(("reference_point",), options={"samples": 64}),
    "r2_mogfn": Function(),
    "riesz_energy": Function(),
    "hypervolume_contributions": Function(("reference_point",), absent=0),
    "r2_contributions": Function(("ideal_point",), absent=0, most=4),
    "non_dominated": Function(absent=0),
    "pareto_ranks": Function(absent=-1),
    "crowding_distance": Function(absent=0),
}
ELSEWHERE = {"hypervolume_subset", "predicted_seconds"} | {  # give row numbers and seconds
    *("attainment", "attainment_difference", "attainment_share"),  # take several runs: test_surfaces.py
    *("vorobev_deviation", "vorobev_expectation"),
    "hypervolume_improvement",  # takes new rows, too: test_improvement.py
    *("direction_correlation", "mean_edit_distance", "mean_tanimoto_distance"),  # take samples: test_samples.py
    *("top_k_diversity", "top_k_reward"),
}
SCALARS = {name for name in FUNCTIONS if FUNCTIONS[name].absent is None}
MEANS_OVER_ROWS = {"gd", "gd_plus", "averaged_hausdorff", "sparsity", "pc_entropy", "mean_pairwise_distance"}
COMPLIANT = {"igd_plus", "epsilon_additive", "epsilon_multiplicative", "expected_utility", "maximum_utility_loss"} | {
    "coverage",
    *(name for name in SCALARS if "hypervolume" in name or name.startswith("r2")),
}
WORST_AT_ZERO = {"pc_entropy", "mean_pairwise_distance", "maximum_spread", "solow_polasky", "coverage"} | {
    name for name in SCALARS if "hypervolume" in name
}
CAN_BE_WORST = {"coverage", "riesz_energy"}  # where nothing is dominated; where a row stands twice
SIGNED = ("reference_point", "reference_set", "ideal_point")  # context that is turned with the objectives
ABSOLUTE = {"epsilon_multiplicative", "r2_mogfn"}  # hold only for positive objectives, or for those below 1

moderate = settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def of(names):
    return pytest.mark.parametrize("name", sorted(names))


every, scalar, indicator = of(FUNCTIONS), of(SCALARS), of(INDICATORS)


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def front(m, seed=0, n=20):
    """Mutually non-dominated rows on a sphere; for one objective a row."""
    points = np.abs(np.random.default_rng(seed).normal(size=(n if m > 1 else 1, m))) + 0.01
    return torch.from_numpy(points / np.linalg.norm(points, axis=1, keepdims=True))


def cloud(seed=0, shape=(N, M)):
    """Eighths from 1 to 7: dominated and equal rows, ties."""
    return torch.from_numpy(np.random.default_rng(seed).integers(1, 8, shape) / 8)


def context(m=M, seed=0):
    """All that a function may take beside objectives from 0 to 1, maximised."""
    return {
        "reference_point": torch.full((m,), -0.1, dtype=torch.float64),
        "reference_set": 1.1 * front(m, seed + 1, n=30),
        "preferences": dirichlet(40, m, torch.Generator().manual_seed(seed)),
        "ideal_point": torch.full((m,), 1.2, dtype=torch.float64),
    }


def call(name, objectives, around=None, **options):
    """The function, with what it takes out of `around`."""
    around = context() if around is None else around
    function = FUNCTIONS[name]
    rest = (around[word] for word in function.context)
    found = getattr(moo.indicators, name)(objectives, *rest, **function.options, **options)
    return found.value if name == "hypervolume_approx" else found


def values(found):
    return torch.as_tensor(found, dtype=torch.float64)


def assert_close(found, expected, tolerance=1e-12):
    torch.testing.assert_close(values(found), values(expected), rtol=tolerance, atol=tolerance)


def turned(around, signs):
    """Context in the directions that these signs stand for."""
    return {word: value * signs if word in SIGNED else value for word, value in around.items()}


def about(number):
    """Equal up to the rounding of a sum."""
    return pytest.approx(number, rel=1e-11, abs=1e-13)


# --- the registry -----------------------------------------------------------------------------------------------------


def test_the_rules_are_tested_on_everything_that_the_package_offers():
    assert {*INDICATORS, *moo.indicators.FUNCTIONS, "INDICATORS", "Indicator"} == set(moo.indicators.__all__)
    assert {*FUNCTIONS, *ELSEWHERE} == {*INDICATORS, *moo.indicators.FUNCTIONS}
    higher = {name for name in INDICATORS if INDICATORS[name].higher_is_better}
    volumes = {"hypervolume", "relative_hypervolume"}
    spreads = {"pc_entropy", "mean_pairwise_distance", "maximum_spread", "solow_polasky"}
    assert higher == {*volumes, *spreads, "expected_utility", "coverage"}


@every
def test_a_function_takes_the_context_that_it_says_and_names_the_rest(name):
    function = getattr(moo.indicators, name)
    assert name in dir(moo.indicators)
    parameters = inspect.signature(function).parameters
    required = [word for word, one in parameters.items() if one.default is one.empty]
    assert required == ["objectives", *FUNCTIONS[name].context]
    named = [word for word, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    assert named == list(parameters)[len(required) :]
    assert {"directions", "mask", "nan"} <= set(named)
    assert set(FUNCTIONS[name].context) <= set(context())
    assert not importlib.util.find_spec(f"moo.indicators.{name}")  # a module would hide the function
    if name in INDICATORS:
        assert resolve({name: INDICATORS[name].function}, name, "indicator") is function


@every
def test_it_is_documented(name):
    function = getattr(moo.indicators, name)
    assert summary(f"{function.__module__}:{name}").endswith(".")
    if name in INDICATORS:
        assert "Source: " in function.__doc__
        assert "empty set" in function.__doc__ or "fewer than two" in function.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'moo.indicators' has no attribute 'hyper'"):
        moo.indicators.hyper  # noqa: B018


def test_listing_the_indicators_loads_nothing_heavy():
    code = "import sys, moo.indicators as i; dir(i); sys.exit(bool({'torch', 'moocore', 'numpy'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


# --- what comes out ---------------------------------------------------------------------------------------------------


@every
def test_a_set_gives_a_float_or_a_value_per_row(name):
    found = call(name, cloud())
    if name in SCALARS:
        assert type(found) is float
    else:
        assert found.shape == (N,)


@every
@pytest.mark.parametrize("m", range(1, 6))
def test_a_front_gets_finite_numbers(name, m):
    if m > FUNCTIONS[name].most:
        with pytest.raises(ValueError, match="takes up to"):
            call(name, front(m), context(m))
        return
    found = values(call(name, front(m), context(m)))
    assert not found.isnan().any()
    assert found.isfinite().all() or m == 1 or name == "crowding_distance"  # m = 1: a single row
    objectives = torch.tensor([[0.1], [0.3], [1.0]]) if m == 1 else cloud(1, (7, m))
    assert not values(call(name, objectives, context(m))).isnan().any()


@every
@pytest.mark.parametrize("leading", [(4,), (2, 3), (0,), (1, 1, 2)])
def test_a_batch_gives_what_its_sets_give(name, leading):
    batch = cloud(1, (*leading, N, M))
    found = call(name, batch)
    assert found.shape == (leading if name in SCALARS else (*leading, N))
    sets = batch.reshape(-1, N, M)
    expected = [values(call(name, one)) for one in sets]
    if expected:
        assert_close(found.reshape(len(sets), *expected[0].shape), torch.stack(expected))


@scalar
@pytest.mark.parametrize("m", [2, 4])
def test_a_value_is_the_same_where_a_gradient_is_asked_for(name, m):
    objectives, mask = cloud(5, (2, 6, m)), torch.ones(2, 6, dtype=torch.bool)
    mask[:, 3:5] = False
    for rows, counted in ((objectives, mask), (objectives[0], mask[0])):
        flowing = torch.where(counted[..., None], rows, math.nan).requires_grad_()
        found = call(name, flowing, context(m), mask=counted)
        assert_close(found.detach() if torch.is_tensor(found) else found, call(name, rows, context(m), mask=counted))
        if torch.is_tensor(found) and found.requires_grad:
            found.sum().backward()
            assert flowing.grad.isfinite().all()
            assert (flowing.grad[~counted] == 0).all()


# --- what does not matter ---------------------------------------------------------------------------------------------


@every
@moderate
@given(st.integers(1, 5), seeds, seeds)
def test_permuting_rows_permutes_what_is_said_of_them(name, m, seed, shuffle):
    m = min(m, FUNCTIONS[name].most)
    objectives, around = front(m, seed), context(m, seed)
    order = np.random.default_rng(shuffle).permutation(len(objectives))
    found, expected = call(name, objectives[order], around), call(name, objectives, around)
    assert_close(found, expected if name in SCALARS else expected[order], 1e-11)


@of(set(FUNCTIONS) - {"hypervolume_approx"})  # its directions are drawn objective by objective
@moderate
@given(st.integers(1, 5), seeds, seeds)
def test_permuting_objectives_changes_nothing(name, m, seed, shuffle):
    m = min(m, FUNCTIONS[name].most)
    objectives, around = front(m, seed), context(m, seed)
    order = np.random.default_rng(shuffle).permutation(m)
    permuted = {word: value[..., order] for word, value in around.items()}
    assert_close(call(name, objectives[:, order], permuted), call(name, objectives, around), 1e-11)


@of(set(FUNCTIONS) - ABSOLUTE)
@moderate
@given(st.integers(1, 5), seeds, seeds)
def test_turning_everything_with_its_directions_changes_nothing(name, m, seed, coins):
    m = min(m, FUNCTIONS[name].most)
    objectives, around = front(m, seed), context(m, seed)
    words = np.random.default_rng(coins).choice(["min", "max"], m).tolist()
    signs = torch.tensor([1.0 if word == "max" else -1.0 for word in words])
    expected = values(call(name, objectives, around))
    assert torch.equal(values(call(name, objectives * signs, turned(around, signs), directions=words)), expected)
    assert torch.equal(values(call(name, -objectives, turned(around, -1), directions="min")), expected)
    assert torch.equal(values(call(name, objectives, around, directions="max")), expected)


@of(SCALARS - MEANS_OVER_ROWS - {"riesz_energy"})
@moderate
@given(st.integers(1, 5), seeds)
def test_rows_that_stand_twice_change_nothing(name, m, seed):
    m = min(m, FUNCTIONS[name].most)
    objectives, around = front(m, seed), context(m, seed)
    longer = torch.cat([objectives, objectives[: len(objectives) // 2 + 1]])
    assert call(name, longer, around) == about(call(name, objectives, around))


@of(COMPLIANT)
@moderate
@given(st.integers(1, 5), seeds)
def test_dominated_rows_change_nothing_and_a_dominated_set_is_never_better(name, m, seed):
    m = min(m, FUNCTIONS[name].most)
    objectives, around = front(m, seed), context(m, seed)
    worse = objectives * torch.from_numpy(np.random.default_rng(seed).uniform(0.7, 1, objectives.shape))
    whole, less = call(name, objectives, around), call(name, worse, around)
    assert call(name, torch.cat([worse, objectives]), around) == about(whole)
    higher = name == "hypervolume_approx" or (name in INDICATORS and INDICATORS[name].higher_is_better)
    assert less <= whole + 1e-12 if higher else less >= whole - 1e-12


# --- rows that do not count -------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("shape", [(N, M), (5, N, M)])
def test_masking_rows_is_removing_them(name, shape):
    batch = cloud(2, shape)
    mask = torch.from_numpy(np.random.default_rng(3).random(shape[:-1]) < 0.6)
    junk = torch.where(mask[..., None], batch, math.nan)  # what is masked is not even looked at
    found = values(call(name, junk, mask=mask)).reshape(-1, *([] if name in SCALARS else [N]))
    for i, (rows, kept) in enumerate(zip(batch.reshape(-1, N, M), mask.reshape(-1, N), strict=True)):
        mine, expected = found[i], call(name, rows[kept])
        assert_close(mine if name in SCALARS else mine[kept], expected)
        if name not in SCALARS:
            assert (mine[~kept] == FUNCTIONS[name].absent).all()


@every
def test_a_set_masked_whole_is_an_empty_one(name):
    for objectives in (cloud(), torch.full((N, M), math.nan), cloud(0, (2, N, M))):
        found = values(call(name, objectives, mask=torch.zeros(objectives.shape[:-1], dtype=torch.bool)))
        expected = call(name, np.empty((0, M))) if name in SCALARS else FUNCTIONS[name].absent
        assert (found == expected).all()


@every
@pytest.mark.parametrize("empty", [[], (), np.empty(0), torch.empty(0), np.empty((0, M)), torch.empty(2, 0, M)])
def test_an_empty_set_never_scores_well(name, empty):
    found = call(name, empty)
    if name not in SCALARS:
        assert values(found).numel() == 0
        return
    higher = name == "hypervolume_approx" or (name in INDICATORS and INDICATORS[name].higher_is_better)
    worst = 0.0 if name in WORST_AT_ZERO else -math.inf if higher else math.inf
    assert (values(found) == worst).all()
    for some in (cloud(), front(M), 1e-3 * front(M)):
        value = call(name, some)
        assert (worst < value if higher else worst > value) or (name in CAN_BE_WORST and value == worst)


@every
def test_nan_raises_and_names_the_first_bad_row(name):
    bad = cloud()
    bad[4, 1] = math.nan
    bad[6, 0] = math.nan
    with pytest.raises(ValueError, match=r"^`objectives` should hold no NaN\. Row 4 is \[.*nan"):
        call(name, bad)
    with pytest.raises(ValueError, match=r"^`objectives` should hold no NaN\. Row 4 of set 1 is"):
        call(name, torch.stack([cloud(), bad]))


@every
def test_nan_can_be_dropped(name):
    bad = cloud()
    bad[4, 1] = math.nan
    kept = torch.arange(N) != 4
    found = values(call(name, bad, nan="drop"))
    assert_close(found if name in SCALARS else found[kept], call(name, cloud()[kept]))
    with pytest.raises(ValueError, match="`nan` should be"):
        call(name, bad, nan="ignore")


@every
@pytest.mark.parametrize("sign", [1, -1])
def test_infinitely_good_raises(name, sign):
    bad = sign * cloud()
    bad[2, 0] = sign * math.inf
    with pytest.raises(ValueError, match=r"^`objectives` should be finite where it is good\. Row 2 is"):
        call(name, bad, turned(context(), sign), directions=None if sign == 1 else "min")


@every
def test_an_infinitely_bad_row_counts_as_none_or_as_infinitely_far(name):
    bad = cloud()
    bad[4, 1] = -math.inf
    kept = torch.arange(N) != 4
    found, batch = values(call(name, bad)), call(name, torch.stack([cloud(), bad]))
    expected = math.inf if name in ("gd", "gd_plus", "averaged_hausdorff") else call(name, cloud()[kept])
    assert_close(found if name in SCALARS else found[kept], expected)
    assert_close(batch[1], found)


# --- reading ----------------------------------------------------------------------------------------------------------


@every
def test_lists_arrays_integers_and_single_precision_are_read(name):
    whole = (cloud() > 0.5).to(torch.int64)
    whole = whole + 1 if name == "epsilon_multiplicative" else whole
    expected = call(name, whole.double())
    backwards = np.ascontiguousarray(whole.numpy()[::-1, ::-1])[::-1, ::-1]
    backwards.flags.writeable = False
    kinds = [whole, whole.tolist(), whole.numpy(), whole.numpy().astype(np.uint8), whole.float(), backwards]
    if name != "epsilon_multiplicative":
        kinds.append(whole.bool())
    for given_as in kinds:
        assert_close(call(name, given_as), expected, 1e-14)


@of(set(FUNCTIONS) - {"non_dominated", "pareto_ranks"})  # they compare: there is nothing in between
def test_single_precision_is_close_to_double(name):
    objectives = torch.rand(N, M, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert_close(call(name, objectives.float()), call(name, objectives), 1e-5)


@every
def test_context_is_read_from_lists_arrays_and_tensors_with_gradients(name):
    objectives, around = front(3), context()
    expected = values(call(name, objectives, around))
    kinds = [torch.Tensor.numpy, torch.Tensor.tolist, lambda value: value.clone().requires_grad_()]
    for read_as in kinds:
        found = call(name, objectives, {word: read_as(value) for word, value in around.items()})
        assert torch.equal(values(found), expected)


@every
@pytest.mark.parametrize(
    ("directions", "signs"), [(None, [1, 1, 1]), ("min", [-1, -1, -1]), (["min", "max", "max"], [-1, 1, 1])]
)
def test_arguments_are_not_changed(name, directions, signs):
    signs = torch.tensor(signs)
    signs = signs.abs() if name in ABSOLUTE else signs
    objectives, around = cloud() * signs, turned(context(), signs)
    batch, mask = objectives.expand(2, N, M).clone(), torch.ones(2, N, dtype=torch.bool)
    copies = objectives.clone(), batch.clone(), mask.clone(), {word: value.clone() for word, value in around.items()}
    call(name, objectives, around, directions=directions)
    call(name, objectives.numpy(), {word: value.numpy() for word, value in around.items()}, directions=directions)
    call(name, batch, around, mask=mask, directions=directions)
    assert torch.equal(objectives, copies[0])
    assert torch.equal(batch, copies[1])
    assert torch.equal(mask, copies[2])
    assert all(torch.equal(around[word], copies[3][word]) for word in around)


# --- errors -----------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([1.0, 2.0, 3.0], r"^`objectives` should have shape \[n, m\], or \[\.\.\., n, m\] for a batch.* Found \[3\]"),
        (torch.empty(2, 0), r"^`objectives` should have at least one column. Found shape \[2, 0\]"),
        (1.0, r"^`objectives` should have shape .* Found \[\]"),
    ],
)
def test_a_wrong_shape_is_an_error(name, wrong, message):
    with pytest.raises(ValueError, match=message):
        call(name, wrong)


@every
@pytest.mark.parametrize("wrong", [[["a", "b", "c"]], torch.ones(2, 3, dtype=torch.complex64), [[1, 2, 3], [1, 2]]])
def test_what_is_no_number_is_an_error(name, wrong):
    with pytest.raises(TypeError, match=r"^`objectives` should be an array of numbers"):
        call(name, wrong)


@every
def test_a_wrong_mask_is_an_error(name):
    with pytest.raises(ValueError, match=r"^`mask` should have shape \[9\]"):
        call(name, cloud(), mask=torch.ones(4, dtype=torch.bool))
    with pytest.raises(TypeError, match=r"^`mask` should hold truth values"):
        call(name, cloud(), mask=torch.ones(N))


@every
def test_wrong_directions_are_an_error(name):
    with pytest.raises(ValueError, match=r"^`directions` should hold only .* Found 'minimise'"):
        call(name, cloud(), directions="minimise")
    with pytest.raises(ValueError, match=r"^`directions` should name one per objective \(3\). Found 2"):
        call(name, cloud(), directions=["min", "max"])


@every
def test_context_that_is_not_finite_is_an_error(name):
    for word in FUNCTIONS[name].context:
        for wrong in (math.nan, math.inf, -math.inf):
            broken = context()[word].clone()
            broken.view(-1)[-1] = wrong
            with pytest.raises(ValueError, match=rf"^`{word}` should be finite|^Each row of `{word}` should be finite"):
                call(name, front(3), {**context(), word: broken})


@every
def test_context_of_another_width_is_an_error(name):
    for word in FUNCTIONS[name].context:
        for m in (2, 4):
            with pytest.raises(ValueError, match=rf"`{word}`.* Found .*{m}"):
                call(name, front(3), {**context(), word: context(m)[word]})


@every
def test_context_that_is_no_number_is_an_error(name):
    for word in FUNCTIONS[name].context:
        with pytest.raises(TypeError, match=f"^`{word}` should be a"):
            call(name, front(3), {**context(), word: [["a", "b", "c"]]})
