"""RE and CRE: published values, rounding, and the fronts that ship."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import moo
from moo.base import Evaluation
from moo.directions import turn
from moo.dominance import non_dominated
from moo.metered import Metered
from moo.problems import PROBLEMS, get_problem
from moo.real_world import DATA, nearest, published_points, read_front

VALUES = json.loads((Path(__file__).parent / "real_world_values.json").read_text())
NAMES = [name for name, target in PROBLEMS.items() if "real_world" in target]
PAIRS = {
    "re31": "cre21",
    "re32": "cre22",
    "re33": "cre23",
    "re35": "cre24",
    "re36": "cre25",
    "re41": "cre31",
    "re42": "cre32",
    "re61": "cre51",
}
WHOLE = {"re23": (0, 1), "re25": (0,), "re35": (2,), "cre24": (2,), "re36": (0, 1, 2, 3), "cre25": (0, 1, 2, 3)}
ALLOWED = {"re22": (0,), "re25": (2,)}  # columns with a list of allowed values

every = pytest.mark.parametrize("name", NAMES)


def evaluated(problem, rows):
    given = problem.evaluate(rows)
    return given if isinstance(given, Evaluation) else Evaluation(given)


def random_rows(problem, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=generator, dtype=torch.float64))


# --------------------------------------------------------------------------------------------------- values
def test_the_suite_is_complete():
    assert sorted(NAMES) == sorted(set(VALUES) - {"source"})
    assert len(NAMES) == 24


@every
def test_published_values(name):
    problem, known = get_problem(name), VALUES[name]
    found = evaluated(problem, torch.tensor(known["solutions"], dtype=torch.float64))
    np.testing.assert_allclose(found.objectives, known["objectives"], rtol=1e-9, atol=1e-12)
    assert problem.num_constraints == (found.constraints.shape[1] if "violations" in known else 0)
    if "violations" in known:
        np.testing.assert_allclose(found.constraints.clamp(min=0), known["violations"], rtol=1e-9, atol=1e-12)
    else:
        assert found.constraints is None


@every
def test_space_and_names(name):
    problem, known = get_problem(name), VALUES[name]
    assert problem.space.lower.tolist() == known["lower"]
    assert problem.space.upper.tolist() == known["upper"]
    whole = tuple(i for i, column in enumerate(problem.space.columns) if column.kind == "integer")
    assert whole == WHOLE.get(name, ())
    assert tuple(problem.allowed) == ALLOWED.get(name, ())
    assert problem.space.kinds <= {"real", "integer"}
    assert all(column.name for column in problem.space.columns)
    assert problem.name == name
    assert problem.directions == ("min",) * problem.num_objectives
    assert len(set(problem.objective_names)) == problem.num_objectives == len(known["objectives"][0])
    assert not problem.stochastic


@every
def test_a_batch_is_its_rows(name):
    problem = get_problem(name)
    rows = random_rows(problem, 37)
    whole = evaluated(problem, rows)
    assert whole.objectives.dtype == torch.float64
    for i in range(len(rows)):
        single = evaluated(problem, rows[i : i + 1])
        torch.testing.assert_close(single.objectives[0], whole.objectives[i], rtol=1e-14, atol=0)
        if whole.constraints is not None:
            torch.testing.assert_close(single.constraints[0], whole.constraints[i], rtol=1e-12, atol=1e-12)


@every
def test_no_rows(name):
    problem = get_problem(name)
    found = evaluated(problem, torch.empty(0, problem.space.dim))
    assert found.objectives.shape == (0, problem.num_objectives)
    if problem.num_constraints:
        assert found.constraints.shape == (0, problem.num_constraints)


@every
def test_the_argument_is_left_alone_and_checked(name):
    problem = get_problem(name)
    rows = random_rows(problem, 5)
    before = rows.clone()
    problem.evaluate(rows)
    assert torch.equal(rows, before)
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, \d\]"):
        problem.evaluate(rows[:, 1:])
    assert not torch.isfinite(evaluated(problem, torch.full_like(rows, float("nan"))).objectives).all()


@pytest.mark.parametrize(("penalised", "constrained"), PAIRS.items())
def test_pairs_are_one_design(penalised, constrained):
    one, other = get_problem(penalised), get_problem(constrained)
    assert one.space.to_json() == other.space.to_json()
    assert one.objective_names == (*other.objective_names, "violation")
    rows = random_rows(one, 1000)
    first, second = evaluated(one, rows), evaluated(other, rows)
    assert torch.equal(first.objectives[:, :-1], second.objectives)
    assert torch.equal(first.objectives[:, -1], second.constraints.clamp(min=0).sum(dim=1))


# --------------------------------------------------------------------------------------------------- rounding
def test_nearest():
    values = torch.tensor([0.0, 1.4, 1.5, 1.6, 2.0, 5.9, 6.0, 99.0, float("nan"), float("inf"), float("-inf")])
    found = nearest(values.to(torch.float64), (1.0, 2.0, 10.0))
    expected = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 10.0, float("nan"), 10.0, 1.0]
    np.testing.assert_array_equal(found, expected)


def test_nearest_is_the_closest_of_all():
    allowed = get_problem("re25").allowed[2]
    values = torch.linspace(0, 0.6, 5001, dtype=torch.float64)
    choices = torch.tensor(allowed, dtype=torch.float64)
    closest = choices[(values[:, None] - choices).abs().argmin(dim=1)]
    assert torch.equal(nearest(values, allowed), closest)


@pytest.mark.parametrize("name", sorted({*WHOLE, *ALLOWED}))
def test_what_was_really_evaluated_is_returned(name):
    problem = get_problem(name)
    low, high = problem.space.lower, problem.space.upper
    rows = low + torch.rand(200, problem.space.dim, dtype=torch.float64) * (high - low)
    found = problem.evaluate(rows)
    for i in range(problem.space.dim):
        values = found.solutions[:, i]
        if i in WHOLE.get(name, ()):
            assert torch.equal(values, rows[:, i].round())
        elif i in ALLOWED.get(name, ()):
            assert set(values.tolist()) <= set(problem.allowed[i])
            assert ((values >= low[i]) & (values <= high[i])).all()
        else:
            assert torch.equal(values, rows[:, i])
    again = problem.evaluate(found.solutions)
    assert torch.equal(again.objectives, found.objectives)
    assert torch.equal(again.solutions, found.solutions)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {*WHOLE, *ALLOWED}))
def test_where_nothing_is_rounded_nothing_is_returned(name):
    problem = get_problem(name)
    assert evaluated(problem, random_rows(problem, 3)).solutions is None


def test_a_search_records_rounded_rows():
    result = moo.pareto_search("re25", "random", budget=200, progress=False)
    coils, wires = result.front.solutions[:, 0], result.front.solutions[:, 2]
    assert torch.equal(coils, coils.round())
    assert set(wires.tolist()) <= set(get_problem("re25").allowed[2])


def test_a_search_with_constraints():
    result = moo.pareto_search("cre23", "nsga2", budget=400, progress=False)
    assert len(result.front) > 10
    assert (result.front.extras["constraints"] <= 0).all()


# --------------------------------------------------------------------------------------------------- fronts
@every
def test_shipped_front(name):
    problem = get_problem(name)
    front, solutions = problem.reference_front, problem.reference_solutions
    assert front.shape == (len(solutions), problem.num_objectives)
    assert 2 <= len(front) <= 500
    assert front.dtype == solutions.dtype == torch.float64
    assert torch.equal(problem.space.canonical(solutions), solutions)
    assert non_dominated(-front, keep_duplicates=False).all()
    found = evaluated(problem, solutions)
    torch.testing.assert_close(found.objectives, front, rtol=1e-12, atol=0)  # powers differ by a bit between processors
    if problem.num_constraints:
        assert (found.constraints <= 1e-9).all()
    if found.solutions is not None:
        assert torch.equal(found.solutions, solutions)


@every
def test_no_random_row_beats_the_front(name):
    problem = get_problem(name)
    found = evaluated(problem, random_rows(problem, 10_000, seed=7))
    objectives = found.objectives
    if problem.num_constraints:
        objectives = objectives[(found.constraints <= 0).all(dim=1)]
    span = problem.nadir_point - problem.ideal_point
    for point in problem.reference_front:
        margins = ((point - objectives) / span).amin(dim=1)
        assert not (margins > 0.01).any()
    assert not (objectives < problem.ideal_point - 0.01 * span).any()


@every
def test_points_of_the_front(name):
    problem = get_problem(name)
    front, ideal, nadir = problem.reference_front, problem.ideal_point, problem.nadir_point
    assert torch.equal(ideal, front.amin(dim=0))
    assert torch.equal(nadir, front.amax(dim=0))
    assert (nadir > ideal).all()
    torch.testing.assert_close(problem.reference_point, nadir + 0.1 * (nadir - ideal), rtol=0, atol=0)
    inside = Metered(problem, 10, 0).reference_point
    assert torch.equal(turn(inside, problem.directions), problem.reference_point)


def test_published_points():
    for name in NAMES:
        problem = get_problem(name)
        ideal, nadir = problem.published_ideal_point, problem.published_nadir_point
        if name.startswith("cre"):
            assert ideal is None
            assert nadir is None
        else:
            assert ideal.shape == nadir.shape == (problem.num_objectives,)
            assert (ideal < nadir).all()
    assert set(published_points()) == {"source", *(name for name in NAMES if name.startswith("re"))}


def test_ideal_points_are_the_published_ones():
    for name in NAMES:
        problem = get_problem(name)
        if name.startswith("re") and name != "re91":  # RE91's published points rest on other draws
            span = problem.nadir_point - problem.ideal_point
            assert ((problem.ideal_point - problem.published_ideal_point) / span).abs().max() < 0.01, name


def test_data_is_small():
    assert sum(path.stat().st_size for path in Path(str(DATA)).glob("*.npz")) < 1_000_000


def test_a_problem_without_a_shipped_front(monkeypatch):
    monkeypatch.setattr("moo.real_world.DATA", Path("nowhere"))
    problem = get_problem("re21")
    for attribute in ("reference_front", "reference_solutions", "ideal_point", "nadir_point", "reference_point"):
        assert getattr(problem, attribute) is None
    assert read_front("re21") == {}


def test_pickle():
    problem = pickle.loads(pickle.dumps(get_problem("re22")))
    rows = random_rows(problem, 4)
    assert torch.equal(problem.evaluate(rows).objectives, get_problem("re22").evaluate(rows).objectives)
