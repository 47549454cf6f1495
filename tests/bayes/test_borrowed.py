"""BoTorch's acquisition functions by name: finite, equal to ours where they should be, and within the space."""

import random

import numpy as np
import pytest
import torch
from inputs import ToyVector

import moo
from moo.bayes.borrowed import BORROWED, CONSTRAINED, NEED_BOTORCH, best_of_borrowed, borrowed
from moo.bayes.gaussian_processes import GaussianProcesses
from moo.bayes.improvement import LogExpectedHypervolumeImprovement
from moo.bayes.surrogates import botorch_processes
from moo.dominance import non_dominated
from moo.space import Space, categorical, integer, real

QUICK = {"raw_samples": 16, "restarts": 1, "fantasies": 8, "initial_points": 6}
POINT = torch.tensor([-1.5, -1.4], dtype=torch.float64)
NONE = torch.empty(0, 2, dtype=torch.float64)
NAN = float("nan")


def uniform(n, d=2, seed=0):
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def told(rows, limit=False):
    """Two objectives, maximised, and a constraint that forbids the left third of the square."""
    corners = torch.eye(2, dtype=torch.float64)
    objectives = -torch.cdist(rows, corners).square()
    return torch.cat([objectives, 0.33 - rows[:, :1]], dim=1) if limit else objectives


@pytest.fixture(scope="module")
def ours():
    """Nearly noise-free processes of our own."""
    return GaussianProcesses(uniform(14), told(uniform(14)))


@pytest.fixture(scope="module")
def theirs():
    return botorch_processes(uniform(10), told(uniform(10)))


def made(name, model, n=14, pending=NONE, seed=3, point=POINT, limit=False):
    rows = uniform(n)
    return borrowed(name, model, rows, told(rows, limit), point, pending, seed)


def at(acquisition, rows):
    with torch.no_grad():
        return acquisition(rows[:, None])


# --- the functions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BORROWED)
def test_every_function_is_finite_and_has_a_slope(name, theirs):
    torch.manual_seed(0)  # the entropy search and the knowledge gradient draw from torch's own stream
    acquisition = made(name, theirs, n=10)
    more = acquisition.get_augmented_q_batch_size(1) if name == "hvkg" else 1
    rows = uniform(4 * more, seed=1).reshape(4, more, 2).requires_grad_(True)
    values = acquisition(rows)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert torch.isfinite(rows.grad).all()
    assert rows.grad.abs().max() > 0
    assert values.std() > 0


@pytest.mark.parametrize("name", CONSTRAINED)
def test_the_best_row_is_worth_more_than_random_ones(name, ours):
    acquisition = made(name, ours)
    row = best_of_borrowed(acquisition, 2, raw=64, restarts=3, like=NONE)
    assert row.shape == (1, 2)
    assert not row.requires_grad
    assert ((row >= 0) & (row <= 1)).all()
    assert at(acquisition, row) >= at(acquisition, uniform(300, seed=2)).max() - 1e-6


@pytest.mark.parametrize("name", ["qlogehvi", "qlognehvi"])
@pytest.mark.parametrize("limit", [False, True], ids=["plain", "constrained"])
def test_the_improvement_equals_our_exact_one(name, limit, ours):
    """Rows on the left are the best of all and forbidden, so that a front that holds them is noticed."""
    rows, values = uniform(14), told(uniform(14), limit)
    if limit:
        values[:, :2] += 0.4 * (values[:, 2:] > 0)
    model = GaussianProcesses(rows, values) if limit else ours
    reached = values[(values[:, 2:] <= 0).all(dim=1), :2]
    exact = LogExpectedHypervolumeImprovement(model, POINT, reached[non_dominated(reached)])
    acquisition = borrowed(name, model, rows, values, POINT, NONE, 3)
    fresh = uniform(60, seed=5)
    with torch.no_grad():
        expected = exact.value(fresh)
    found = at(acquisition, fresh)
    good = expected > expected.max() - 2
    assert good.sum() >= 8
    torch.testing.assert_close(found[good], expected[good], atol=0.45 if limit else 0.15, rtol=0)
    assert (found - expected)[good].mean().abs() < 0.1


def test_the_scalarised_improvement_keeps_to_the_constraints():
    """One process says that the left third is forbidden."""
    model = GaussianProcesses(uniform(20), told(uniform(20), limit=True))
    acquisition = made("qlognparego", model, n=20, limit=True)
    free = made("qlognparego", GaussianProcesses(uniform(20), told(uniform(20))), n=20)
    forbidden = torch.tensor([[0.0, 1.0], [0.05, 0.9], [0.1, 0.8]], dtype=torch.float64)
    assert (at(acquisition, forbidden) < at(free, forbidden) - 3).all()


@pytest.mark.parametrize("name", CONSTRAINED)
def test_samples_are_drawn_by_the_seed_alone(name, ours):
    torch.manual_seed(1)  # the weights of the scalarisation come from torch's own stream
    first, rows = made(name, ours), uniform(6, seed=1)
    torch.manual_seed(1)
    again = made(name, ours)
    torch.manual_seed(1)
    other = made(name, ours, seed=2**40 + 4)
    torch.testing.assert_close(at(first, rows), at(again, rows), atol=0, rtol=0)
    assert not torch.equal(at(first, rows), at(other, rows))


@pytest.mark.parametrize("name", CONSTRAINED)
def test_a_pending_row_is_worth_less_than_others(name, ours):
    torch.manual_seed(1)
    free, rows = made(name, ours), uniform(100, seed=2)
    row = best_of_borrowed(free, 2, raw=32, restarts=2, like=NONE)
    assert at(free, row) > at(free, rows).max()
    torch.manual_seed(1)
    waiting = made(name, ours, pending=row)
    assert at(waiting, row) < at(waiting, rows).max() - 0.1


@pytest.mark.parametrize("name", ["hvkg", "jes"])
def test_the_others_are_told_what_is_pending(name, theirs):
    torch.manual_seed(0)
    pending = uniform(2, seed=4)
    assert torch.equal(made(name, theirs, n=10, pending=pending).X_pending, pending)
    assert made(name, theirs, n=10).X_pending is None


def test_the_reference_point_counts(ours):
    rows = uniform(6, seed=1)
    for name in ("qlogehvi", "qlognehvi"):
        assert not torch.allclose(at(made(name, ours), rows), at(made(name, ours, point=POINT - 1), rows))


# --- in a search ------------------------------------------------------------------------------------------------------


def opened(name, space=((-2, 2), (10, 30)), options=None, **arguments):
    arguments = {"directions": "min", "num_objectives": 2, "reference_point": [4, 4], **arguments}
    space = list(space) if isinstance(space, tuple) else space
    return moo.optimizer(space, "bayesian", options={**QUICK, "acquisition": name, **(options or {})}, **arguments)


def values(rows):
    unit = (rows - torch.tensor([-2.0, 10.0])) / torch.tensor([4.0, 20.0])
    return -told(unit.double())


def begun(name, n=6, **arguments):
    opt = opened(name, **arguments)
    rows = opt.ask(n)
    opt.tell(rows.extras["id"], values(rows.solutions))
    return opt


@pytest.mark.parametrize("name", BORROWED)
def test_proposals_lie_inside_the_space_and_are_the_same_for_a_seed(name):
    options = {"surrogate": "botorch"}
    opened(name, options=options)  # what is imported at first use may draw
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    first = begun(name, options=options).ask(1)
    torch.rand(3)
    again = begun(name, options=options).ask(1)
    assert torch.equal(first.solutions, again.solutions)
    torch.set_rng_state(before[0])
    opt = begun(name, options=options, seed=1)  # its first rows differ, whatever the function does
    row = opt.ask(1).solutions[0] if name in CONSTRAINED else first.solutions[0]
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    assert before[2] == random.getstate()
    for place in (first.solutions[0], row):
        assert -2 <= place[0] <= 2
        assert 10 <= place[1] <= 30
    assert torch.isnan(first.extras["gain"]).all()  # what these are worth is not in our terms


@pytest.mark.parametrize("name", CONSTRAINED)
def test_a_few_proposals_beat_as_many_random_rows(name):
    results = [
        moo.pareto_search(ToyVector(dim=4), method, budget=12, options=given, seed=2, progress=False)
        for method, given in (("bayesian", {**QUICK, "acquisition": name}), ("random", {}), ("bayesian", QUICK))
    ]
    assert results[0].hypervolume > results[1].hypervolume + 0.2
    assert not torch.equal(results[0].additions.solutions, results[2].additions.solutions)


@pytest.mark.parametrize("name", CONSTRAINED)
def test_rows_asked_for_without_telling_are_apart(name):
    rows = begun(name).ask(3).solutions
    assert torch.pdist((rows - torch.tensor([-2.0, 10.0])) / torch.tensor([4.0, 20.0])).min() > 0.02


@pytest.mark.parametrize("name", CONSTRAINED)
def test_constraints_are_kept(name):
    opt = opened(name, space=((0, 1), (0, 1)), num_constraints=1, options={"initial_points": 12})
    rows = opt.ask(12)
    opt.tell(rows.extras["id"], -told(rows.solutions), constraints=1e3 * (0.33 - rows.solutions[:, :1]))
    assert (opt.ask(2).solutions[:, 0] > 0.3).all()


@pytest.mark.parametrize("name", CONSTRAINED)
def test_nothing_feasible_stops_nothing(name):
    problem = ToyVector(dim=2, infeasible=True)
    options = {**QUICK, "acquisition": name}
    result = moo.pareto_search(problem, "bayesian", budget=8, options=options, progress=False)
    assert result.record["used"] == 8
    assert len(result.front) == 0
    assert len(result.least_violating) > 0


def test_whole_numbers_come_out_whole_and_once():
    space = Space((integer(0, 3), integer(0, 2)))
    opt, seen = opened("qlogehvi", space=space), []
    for _ in range(10):
        row = opt.ask(1)
        seen.append(tuple(row.solutions[0].tolist()))
        opt.tell(row.extras["id"], -told(row.solutions / torch.tensor([3.0, 2.0])))
    assert len(set(seen)) == 10
    assert all(number == round(number) for row in seen for number in row)


def test_rows_that_failed_or_lack_an_objective_are_left_out():
    opt = opened("qlogehvi")
    rows = opt.ask(9)
    told_values = values(rows.solutions)
    told_values[0, 0] = NAN
    told_values[1] = NAN
    opt.tell(rows.extras["id"], told_values, failed=[i == 1 for i in range(9)])
    other = opened("qlogehvi")
    rows = other.ask(9)
    told_values[0, 1] += 100
    other.tell(rows.extras["id"], told_values, failed=[i == 1 for i in range(9)])
    assert torch.equal(opt.ask(1).solutions, other.ask(1).solutions)


def test_the_additive_processes_can_be_the_model():
    assert len(begun("qlogehvi", options={"surrogate": "saas"}).ask(1)) == 1


@pytest.mark.parametrize("name", BORROWED)
def test_categorical_columns_and_limits_are_refused(name):
    with pytest.raises(ValueError, match=f"Acquisition '{name}' takes no categorical columns. Leave it at 'auto'."):
        opened(name, space=Space((categorical("abc"), real(0, 1))))
    with pytest.raises(ValueError, match=f"Acquisition '{name}' takes no `limits`. Leave it at 'auto'."):
        opened(name, options={"limits": [[1, 1, 12]]})


@pytest.mark.parametrize("name", sorted(set(BORROWED) - set(CONSTRAINED)))
def test_those_that_take_no_constraints_say_so(name):
    with pytest.raises(ValueError, match=f"Acquisition '{name}' takes no constraints. Those that do: qlogehvi, "):
        opened(name, num_constraints=1)


def test_a_name_that_is_none_of_them_is_refused():
    with pytest.raises(ValueError, match="qlognparego"):
        opened("qehvi")


@pytest.mark.parametrize("name", NEED_BOTORCH)
def test_those_that_need_models_of_botorch_say_so(name):
    with pytest.raises(ValueError, match=f"Acquisition '{name}' needs models of BoTorch: add surrogate='botorch'"):
        opened(name)


def test_rows_that_lack_an_objective_are_not_enough_for_them():
    opt = opened("qlognparego")
    rows = opt.ask(6)
    told = values(rows.solutions)
    told[::2, 0], told[1::2, 1] = float("nan"), float("nan")
    opt.tell(rows.extras["id"], told)
    assert len(opt.ask(1)) == 1
