import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from inputs import ToyConstruction, ToyVector

import moo
from moo.adapters.encodings import (
    ENCODINGS,
    ActionColumns,
    LatticeConstruction,
    OneStepEnvironment,
    encode,
    encoding_for,
    legal_actions,
    misfit,
)
from moo.base import ConstructionProblem, Evaluation, Oracle, VectorProblem
from moo.dominance import non_dominated
from moo.generators.random_search import RandomSearch
from moo.gflow.trajectories import uniform_objects
from moo.metered import metered
from moo.space import Space, categorical, integer, real

COLOURS = ["red", "green", "blue"]


class Mixed(VectorProblem):
    """One column of each kind; the first objective is maximised. The colour decides, so that order would show."""

    name = "mixed"
    num_objectives = 2
    objective_names = ("gain", "cost")
    directions = ("max", "min")
    unit = "simulations"
    reference_point = (-10.0, 10.0)
    num_constraints = 1
    space = Space((real(-2, 2, "x"), integer(1, 3, "gears"), categorical(COLOURS, "colour")))

    def __init__(self, fails=""):
        self.fails = fails
        self.rows = []

    @property
    def reference_front(self):
        return torch.tensor([[3.0, 0.0]])

    def evaluate(self, solutions, generator=None):
        self.rows += solutions.tolist()
        x, gears, colour = solutions.unbind(dim=1)
        bad = (x < 0) & (self.fails != "")
        if self.fails == "raise" and bad.any():
            raise ArithmeticError("the simulator crashed")
        objectives = torch.stack([gears - x**2, colour * gears + x], dim=1)
        if self.fails == "nan":
            objectives[bad] = float("nan")
        constraints = (x - 1.5)[:, None]
        if self.fails == "constraints":
            constraints[bad] = float("nan")
        return Evaluation(objectives, constraints, failed=bad if self.fails == "flag" else None)


class Grid(ConstructionProblem):
    """Steps to the right, upwards, or the end, in any order: a cell is reached by many trajectories."""

    name = "grid"
    num_objectives = 2
    directions = ("max", "min")
    num_actions = 3

    def __init__(self, side=4, fails=False):
        self.side, self.fails, self.max_steps = side, fails, 2 * (side - 1) + 1
        self.feature_sizes = (side, side, 2)

    def start(self, n):
        return torch.zeros(1, 3, dtype=torch.int64).expand(n, -1)  # x, y, ended

    def step(self, state, actions):
        return state + torch.nn.functional.one_hot(actions, 3), actions == 2

    def undo(self, state, actions):
        return state - torch.nn.functional.one_hot(actions, 3)

    def action_mask(self, state):
        return torch.cat([state[:, :2] < self.side - 1, state[:, 2:] == 0], dim=1) & (state[:, 2:] == 0)

    def backward_mask(self, state):
        ended = state[:, 2:] > 0
        return torch.cat([(state[:, :2] > 0) & ~ended, ended], dim=1)

    def features(self, state):
        return state

    def evaluate(self, solutions, generator=None):
        place = solutions[:, :2].double()
        objectives = torch.stack([place.sum(dim=1), place[:, 0] ** 2], dim=1)
        failed = (solutions[:, 0] == 3) & self.fails
        return Evaluation(objectives, failed=failed, reasons={0: "off the map"} if failed[0] else {})

    def decode(self, solutions):
        return [f"({x}, {y})" for x, y, _ in solutions.tolist()]


def evaluated(problem, solutions):
    """Objectives (None where a row failed) and constraints of each row, as lists, so that equal is equal."""
    given = problem.evaluate(solutions)
    given = given if isinstance(given, Evaluation) else Evaluation(given)
    columns = given.objectives
    if given.failed is not None:
        columns = torch.where(given.failed[:, None], float("nan"), columns)
    if given.constraints is not None:
        columns = torch.cat([columns, given.constraints], dim=1)
    return [[None if value != value else value for value in row] for row in columns.tolist()]


def uniform_actions(problem, n, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(n, problem.action_space.dim, generator=stream, dtype=torch.float64) - 1


def random_rows(problem, n, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return problem.space.from_unit(torch.rand(n, problem.space.dim, generator=stream, dtype=torch.float64))


def enumerate_objects(problem):
    """Every state by its number of steps, each with how many trajectories reach it, by following all legal actions."""
    layer, finished = {tuple(problem.start(1)[0].tolist()): 1}, {}
    for _ in range(problem.max_steps):
        state = torch.tensor(list(layer))
        counts, layer = list(layer.values()), {}
        rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
        moved, done = problem.step(state[rows], actions)
        for row, after, end in zip(rows.tolist(), moved.tolist(), done.tolist(), strict=True):
            into = finished if end else layer
            into[tuple(after)] = into.get(tuple(after), 0) + counts[row]
        if not layer:
            break
    assert not layer
    return finished


def front_of(problem, objectives):
    """The non-dominated points of objectives in the problem's own directions, as a sorted list."""
    sign = torch.tensor([1.0 if word == "max" else -1.0 for word in problem.directions])
    return sorted(objectives[non_dominated(objectives * sign)].tolist())


# --------------------------------------------------------------------------------------------------- what all share
@pytest.mark.parametrize(
    ("encoding", "problem"), [("environment", Mixed()), ("construction", Mixed()), ("vector", Grid())]
)
def test_what_is_said_of_the_problem_inside_stays_true(encoding, problem):
    wrapped = encode(problem, encoding)
    assert isinstance(wrapped, ENCODINGS[encoding])
    assert wrapped.encoded is problem
    assert wrapped.kind == encoding
    assert wrapped.name == f"{problem.name}-as-{encoding}"
    for name in ("num_objectives", "objective_names", "directions", "unit", "stochastic", "num_constraints"):
        assert getattr(wrapped, name) == getattr(problem, name), name
    assert wrapped.reference_point == problem.reference_point
    assert (wrapped.reference_front is None) == (problem.reference_front is None)
    assert metered(wrapped, 10, 0).remaining == 10
    again = encode(wrapped.encoded, wrapped.kind, **wrapped.encoding_options)
    assert (type(again), again.encoding_options) == (type(wrapped), wrapped.encoding_options)


def test_what_was_chosen_is_kept():
    assert encode(Mixed(), "construction", levels=7).encoding_options == {"levels": 7}
    assert encode(Mixed(), "construction").encoding_options == {"levels": 32}
    assert encode(Mixed(), "environment").encoding_options == {}


def test_the_example_of_the_docs_page_runs():
    page = (Path(__file__).parents[2] / "docs" / "encodings.md").read_text()
    found = {}
    exec(page.partition("```python")[2].partition("```")[0], found)
    assert found["rows"].shape == (len(found["result"].front), 4)


@pytest.mark.parametrize("encoding", ["environment", "construction"])
def test_an_encoding_hides_the_columns_of_the_problem_inside(encoding):
    assert not hasattr(encode(Mixed(), encoding), "space")


def test_an_unknown_encoding_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"Unknown encoding 'constructions'. Did you mean 'construction'\? Known: con"):
        encode(Mixed(), "constructions")


def test_a_problem_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"'vector' takes construction problems. 'mixed' is a vector problem"):
        encode(Mixed(), "vector")
    with pytest.raises(ValueError, match=r"'environment' takes vector problems. 'grid' is a construction problem"):
        encode(Grid(), "environment")


def test_a_name_is_no_problem():
    with pytest.raises(TypeError, match=r"`problem` should be a problem object, .*get_problem.* Found 'zdt1'"):
        encode("zdt1", "construction")


def test_options_are_checked():
    with pytest.raises(ValueError, match=r"Unknown option of encoding 'construction' 'level'. Did you mean 'levels'"):
        encode(Mixed(), "construction", level=3)
    with pytest.raises(ValueError, match=r"Option `levels` should be from 2 to 65536. Found 1"):
        encode(Mixed(), "construction", levels=1)
    with pytest.raises(ValueError, match=r"Unknown option of encoding 'environment' 'levels'"):
        encode(Mixed(), "environment", levels=3)


# --------------------------------------------------------------------------------------------------- environment
def test_an_action_is_a_solution_and_its_reward_the_objectives():
    problem = Mixed()
    wrapped = encode(problem, "environment")
    actions = uniform_actions(wrapped, 200)
    state, rewards, terminated, truncated = wrapped.step(wrapped.reset(200), actions)
    rows = wrapped.original_solutions(actions)
    assert torch.equal(rows, problem.space.canonical(rows))
    expected = problem.evaluate(rows)
    assert torch.equal(rewards, expected.objectives)
    assert torch.equal(wrapped.constraints(state), expected.constraints)
    assert (terminated.all(), truncated.any(), wrapped.gamma, wrapped.max_steps) == (True, False, 1.0, 1)
    assert torch.equal(wrapped.evaluate(rows).objectives, rewards)


def test_columns_of_the_action_are_real_and_one_per_choice():
    space = encode(Mixed(), "environment").action_space
    assert space.names == ("x", "gears", "colour[0]", "colour[1]", "colour[2]")
    assert space.kinds == {"real"}
    assert (space.lower.tolist(), space.upper.tolist()) == ([-1.0] * 5, [1.0] * 5)


def test_uniform_actions_make_every_level_and_choice_equally_likely():
    wrapped = encode(Mixed(), "environment")
    rows = wrapped.original_solutions(uniform_actions(wrapped, 30_000))
    for column, low in ((1, 1), (2, 0)):
        counts = torch.bincount(rows[:, column].long() - low).tolist()
        assert counts == pytest.approx([10_000] * 3, abs=4 * (30_000 * 2 / 9) ** 0.5)
    assert rows[:, 0].quantile(torch.tensor([0.25, 0.5, 0.75]).double()).tolist() == pytest.approx([-1, 0, 1], abs=0.05)


def test_actions_beyond_their_bounds_are_clipped_and_the_highest_score_chooses():
    wrapped = encode(Mixed(), "environment")
    inf = float("inf")
    actions = torch.tensor(
        [[-9, -9, 1.5, 1.6, 0], [9, 9, 0, 0, 0], [-inf, inf, -3, -5, -2], [0, 0, -1, 1, 1]], dtype=torch.float32
    )
    assert wrapped.original_solutions(actions).tolist() == [[-2, 1, 1], [2, 3, 0], [-2, 3, 2], [0, 2, 1]]


def test_a_single_categorical_column_is_a_discrete_action():
    problem = Mixed()
    problem.space = Space((categorical(COLOURS, "colour"),))
    wrapped = OneStepEnvironment(problem)
    assert wrapped.action_space.columns == (categorical(COLOURS, "colour"),)
    assert wrapped.action_mask(wrapped.reset(3)) is None
    assert wrapped.original_solutions(torch.tensor([2, 0, 1])).tolist() == [[2], [0], [1]]


def test_nothing_is_observed():
    wrapped = encode(Mixed(), "environment")
    before = wrapped.reset(3)
    after = wrapped.step(before, uniform_actions(wrapped, 3))[0]
    for state in (before, after):
        assert torch.equal(wrapped.observe(state), torch.zeros(3, 1, dtype=torch.float64))
    assert wrapped.observation_space.dim == 1
    assert wrapped.constraints(before).tolist() == [[0.0]] * 3


def test_a_finished_copy_is_not_evaluated_again():
    problem = Mixed()
    wrapped = encode(problem, "environment")
    actions = uniform_actions(wrapped, 4)
    state = wrapped.step(wrapped.reset(4), actions)[0]
    state[1] = 0
    problem.rows.clear()
    again, rewards, terminated, _ = wrapped.step(state, actions)
    assert problem.rows == wrapped.original_solutions(actions[1:2]).tolist()
    assert (rewards[[0, 2, 3]] == 0).all()
    assert (rewards[1] != 0).all()
    assert terminated.all()
    assert torch.equal(again[[0, 2, 3]], state[[0, 2, 3]])
    assert len(wrapped.step(again, actions)[1]) == 4
    assert len(problem.rows) == 1


def test_stepping_leaves_the_state_before_as_it_was():
    wrapped = encode(Mixed(), "environment")
    before = wrapped.reset(2)
    wrapped.step(before, uniform_actions(wrapped, 2))
    assert torch.equal(before, wrapped.reset(2))


@pytest.mark.parametrize("fails", ["nan", "raise", "flag", "constraints"])
def test_a_failing_row_fails_its_copy_alone(fails):
    wrapped = encode(Mixed(fails), "environment")
    actions = uniform_actions(wrapped, 50)
    bad = actions[:, 0] < 0
    rewards = wrapped.step(wrapped.reset(50), actions)[1]
    assert torch.equal(rewards.isnan().any(dim=1), bad)
    assert torch.equal(rewards[~bad], encode(Mixed(), "environment").step(wrapped.reset(50), actions)[1][~bad])
    meter = metered(wrapped, 50, 0)
    _, turned, terminated, _, failed = meter.step(meter.reset(50), actions)
    assert torch.equal(failed, bad)
    assert terminated.all()
    assert torch.equal(turned[~bad], rewards[~bad] * torch.tensor([1.0, -1.0]))


def test_one_transition_is_one_evaluation():
    problem = Mixed()
    meter = metered(encode(problem, "environment"), 30, 0)
    actions = uniform_actions(meter, 20)
    meter.step(meter.reset(20), actions)
    assert (meter.used, len(problem.rows), meter.unit) == (20, 20, "simulations")
    truncated = meter.step(meter.reset(20), actions)[3]
    assert (meter.used, truncated.tolist()) == (30, [False] * 10 + [True] * 10)


def test_noise_is_drawn_from_the_generator():
    wrapped = encode(ToyVector(noise=0.5), "environment")
    actions = uniform_actions(wrapped, 5)
    first, again, other = (
        wrapped.step(wrapped.reset(5), actions, torch.Generator().manual_seed(seed))[1] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_action_is_a_number():
    wrapped = encode(Mixed(), "environment")
    actions = uniform_actions(wrapped, 3)
    actions[1, 3] = float("nan")
    with pytest.raises(ValueError, match=r"`actions` should hold no NaN. Row 1 is"):
        wrapped.original_solutions(actions)
    with pytest.raises(ValueError, match=r"`actions` should have shape \[n, 5\]. Found \[3, 4\]"):
        wrapped.original_solutions(actions[:, :4])


@pytest.mark.parametrize("broken", ["objectives", "constraints"])
def test_what_the_problem_returns_is_checked(broken):
    problem = Mixed()
    given = {"objectives": torch.zeros(3, 2), "constraints": torch.zeros(3, 1)}
    given[broken] = torch.zeros(3, 4)
    problem.evaluate = lambda solutions, generator=None: Evaluation(**given)
    wrapped = encode(problem, "environment")
    with pytest.raises(ValueError, match=rf"{broken} returned by problem mixed` should have shape .* Found \[3, 4\]"):
        wrapped.step(wrapped.reset(3), uniform_actions(wrapped, 3))


def test_random_policies_find_the_front_of_a_few_choices():
    """With one episode per policy, its mean return is one choice's objectives."""

    class Choices(VectorProblem):
        name, num_objectives, directions = "choices", 2, ("max", "min")
        space = Space((categorical(range(8), "choice"),))
        table = torch.tensor([[0, 0], [1, 1], [2, 1.5], [3, 4], [2.5, 4], [1, 2], [4, 9], [0, 3.0]])

        def evaluate(self, solutions, generator=None):
            return self.table[solutions[:, 0].long()]

    problem = Choices()
    result = moo.pareto_search(
        encode(problem, "environment"), "random", budget=200, options={"episodes": 1}, reevaluations=0, progress=False
    )
    assert result.record["used"] == 200
    assert sorted(result.objectives.tolist()) == front_of(problem, problem.table)


def test_random_policies_come_near_a_continuous_front():
    result = moo.pareto_search(
        encode(ToyVector(dim=2), "environment"),
        "random",
        budget=2000,
        options={"episodes": 1},
        reevaluations=0,
        progress=False,
    )
    f1, f2 = result.objectives.unbind(dim=1)  # the front: sqrt(f1) + sqrt(f2) = sqrt(2)
    assert ((f1.sqrt() + f2.sqrt()).median() - 2**0.5).abs() < 0.05


# --------------------------------------------------------------------------------------------------- construction
def lattice(problem=None, levels=5):
    return LatticeConstruction(problem or Mixed(), levels=levels)


def test_every_lattice_point_is_reached_exactly_once():
    wrapped = lattice()
    objects = enumerate_objects(wrapped)
    assert set(objects.values()) == {1}
    assert set(objects) == set(itertools.product(range(5), range(3), range(3)))
    assert wrapped.size == 45
    rows = wrapped.original_solutions(torch.tensor(list(objects)))
    expected = itertools.product([-2.0, -1.0, 0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [0.0, 1.0, 2.0])
    assert sorted(rows.tolist()) == [list(row) for row in expected]


def test_values_are_those_of_the_decoded_rows():
    problem = Mixed()
    wrapped = lattice(problem, levels=7)
    states = uniform_objects(metered(wrapped, 1, 0), 100, torch.Generator().manual_seed(0))
    assert evaluated(wrapped, states) == evaluated(problem, wrapped.original_solutions(states))


def test_moves_and_masks():
    wrapped = lattice()
    state = torch.tensor([[-1, -1, -1], [4, -1, -1], [0, 2, -1], [3, 1, 0]])
    five, three, none = [True] * 5, [True] * 3 + [False] * 2, [False] * 5
    assert wrapped.action_mask(state).tolist() == [five, three, three, none]
    back = wrapped.backward_mask(state)
    assert (back.sum(dim=1).tolist(), back.int().argmax(dim=1).tolist()) == ([0, 1, 1, 1], [0, 4, 2, 0])
    actions = torch.tensor([2, 1, 2, 4])
    moved, done = wrapped.step(state, actions)
    assert moved.tolist() == [[2, -1, -1], [4, 1, -1], [0, 2, 2], [3, 1, 0]]
    assert done.tolist() == [False, False, True, True]
    assert torch.equal(wrapped.undo(moved, actions)[:3], state[:3])
    assert torch.equal(wrapped.start(2), torch.full((2, 3), -1))


def test_step_and_undo_are_each_others_inverse_and_every_step_adds_one_column():
    wrapped = lattice()
    state = wrapped.start(45)
    for place in range(3):
        mask = wrapped.action_mask(state)
        actions = torch.multinomial(mask.double(), 1, generator=torch.Generator().manual_seed(place)).squeeze(1)
        moved, done = wrapped.step(state, actions)
        assert ((moved >= 0).sum(dim=1) == place + 1).all()  # acyclic: the number of chosen columns grows
        assert wrapped.backward_mask(moved).gather(1, actions[:, None]).all()
        assert (wrapped.backward_mask(moved).sum(dim=1) == 1).all()
        assert torch.equal(wrapped.undo(moved, actions), state)
        assert (done == (place == 2)).all()
        state = moved


def check_features(problem):
    """Over all states: below their sizes, every size used up, and equal only for equal states."""
    layers = [problem.start(1)]
    while len(layers[-1]):
        state = layers[-1]
        rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
        moved, done = problem.step(state[rows], actions)
        layers[-1] = torch.cat([state, moved[done]])
        layers.append(moved[~done].unique(dim=0))
    states = torch.cat(layers).unique(dim=0)
    features = problem.features(states)
    assert features.dtype == torch.int64
    assert features.amin(dim=0).tolist() == [0] * features.shape[1]
    assert features.amax(dim=0).tolist() == [size - 1 for size in problem.feature_sizes]
    assert len(features.unique(dim=0)) == len(states)


def test_features_of_a_lattice():
    wrapped = lattice()
    check_features(wrapped)
    assert wrapped.feature_sizes == (6, 4, 4)
    assert wrapped.features(torch.tensor([[4, 0, -1]])).tolist() == [[5, 1, 0]]


def test_features_of_the_toys():
    check_features(Grid())
    check_features(ToyConstruction(length=1))
    assert ToyConstruction(length=4).feature_sizes == (5,) * 5


def test_bounds_are_levels_exactly():
    problem = ToyVector(dim=2)
    problem.space = Space((real(0.1, 0.7), real(-1e-3, 1e9)))
    rows = lattice(problem, 32).original_solutions(torch.tensor([[0, 0], [31, 31]]))
    assert rows.tolist() == [[0.1, -1e-3], [0.7, 1e9]]


def test_a_real_column_of_allowed_values_has_these_as_levels():
    problem = Mixed()
    problem.allowed = {0: (-2.0, -0.3, 0.1, 1.7)}
    wrapped = lattice(problem, levels=9)
    assert wrapped.levels.tolist() == [4, 3, 3]
    assert wrapped.original_solutions(torch.tensor([[1, 0, 0], [3, 2, 2]])).tolist() == [[-0.3, 1, 0], [1.7, 3, 2]]


def test_the_default_number_of_levels():
    assert encode(Mixed(), "construction").levels.tolist() == [32, 3, 3]


def test_a_state_as_a_person_reads_it():
    assert lattice().decode(torch.tensor([[0, 2, 1], [3, 0, 2]])) == [
        "x=-2.0, gears=3, colour=green",
        "x=1.0, gears=1, colour=blue",
    ]


def test_a_column_of_too_many_levels_is_refused():
    problem = ToyVector()
    problem.space = Space((integer(0, 2**30, "huge"), real(0, 1)))
    with pytest.raises(ValueError, match=r"at most 65536 levels. The integer column 'huge' has 1073741825: make it a"):
        encode(problem, "construction")


def test_an_unfinished_state_has_no_values():
    wrapped = lattice()
    with pytest.raises(ValueError, match=r"finished states of 'mixed-as-construction'.*Row 1 is \[1, 1, -1\]"):
        wrapped.evaluate(torch.tensor([[1, 1, 1], [1, 1, -1]]))
    with pytest.raises(ValueError, match=r"levels \[5, 3, 3\] less 1. Row 0 is \[1, 3, 1\]"):
        wrapped.decode(torch.tensor([[1, 3, 1]]))
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 3\]"):
        wrapped.original_solutions(torch.zeros(2, 4))


def test_what_was_really_evaluated_is_no_state():
    problem = Mixed()
    problem.evaluate = lambda solutions, generator=None: Evaluation(
        torch.zeros(len(solutions), 2), torch.zeros(len(solutions), 1), solutions=solutions.round()
    )
    assert lattice(problem).evaluate(torch.zeros(2, 3, dtype=torch.int64)).solutions is None


def test_the_lattice_front_is_exact():
    """Feasible rows only, in the problem's own directions, found by looking at all 45."""
    problem = Mixed()
    wrapped = lattice(problem)
    rows = wrapped.original_solutions(torch.tensor(list(enumerate_objects(wrapped))))
    given = problem.evaluate(rows)
    feasible = (given.constraints <= 0).all(dim=1)
    assert not feasible.all()
    assert sorted(wrapped.oracle.front.tolist()) == front_of(problem, given.objectives[feasible])
    assert wrapped.oracle is wrapped.oracle


@pytest.mark.parametrize("fails", ["nan", "raise", "flag", "constraints"])
def test_the_lattice_front_leaves_failed_rows_out(fails):
    problem = Mixed()
    wrapped = lattice(problem)
    rows = wrapped.original_solutions(torch.tensor(list(enumerate_objects(wrapped))))
    rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] <= 1.5)]
    found = lattice(Mixed(fails)).oracle.front
    assert sorted(found.tolist()) == front_of(problem, problem.evaluate(rows).objectives)


def test_a_lattice_front_is_gathered_chunk_by_chunk(monkeypatch):
    whole = lattice(ToyVector(3, dim=3), 7).oracle.front
    monkeypatch.setattr("moo.adapters.encodings.CHUNK", 10)
    problem = ToyVector(3, dim=3)
    parts = lattice(problem, 7).oracle.front
    assert sorted(whole.tolist()) == sorted(parts.tolist())
    assert (max(problem.calls), sum(problem.calls)) == (10, 7**3)


def test_no_lattice_front_where_it_is_too_large_or_noisy():
    assert lattice(ToyVector(dim=5), 16).oracle is None  # 1,048,576 rows
    assert lattice(ToyVector(noise=0.1)).oracle is None


def test_a_finite_space_takes_the_front_that_its_problem_knows():
    problem = ToyVector(dim=30)
    problem.space = Space(tuple(integer(0, 1) for _ in range(30)))
    assert lattice(problem).oracle is None
    problem.oracle = Oracle(torch.tensor([[1.0, 2.0]]))
    assert lattice(problem).oracle is problem.oracle
    assert not problem.calls


def test_nothing_feasible_is_an_empty_front():
    assert lattice(ToyVector(infeasible=True)).oracle.front.shape == (0, 2)


@pytest.mark.parametrize("directions", [("min", "min"), ("max", "min")])
def test_random_search_finds_the_lattice_front(directions):
    problem = ToyVector(dim=2, directions=directions)
    wrapped = lattice(problem)
    result = moo.pareto_search(wrapped, "random", budget=400, progress=False)
    assert sorted(result.objectives.tolist()) == sorted(wrapped.oracle.front.tolist())
    assert torch.equal(problem.evaluate(wrapped.original_solutions(result.solutions)), result.objectives)
    assert result.solutions.dtype == torch.int64


@pytest.mark.parametrize("fails", ["", "nan", "raise", "flag"])
def test_constraints_and_failures_pass_through_a_search(fails):
    problem = Mixed(fails)
    wrapped = lattice(problem)
    result = moo.pareto_search(wrapped, "random", budget=300, progress=False)
    assert sorted(result.objectives.tolist()) == sorted(wrapped.oracle.front.tolist())
    assert (result.front.extras["constraints"] <= 0).all()
    assert (len(result.failures) > 0) == bool(fails)
    assert all(result.failures.extras["reason"]) if fails else True
    assert (wrapped.original_solutions(result.failures.solutions)[:, 0] < 0).all()


# --------------------------------------------------------------------------------------------------- vector
@pytest.mark.parametrize(("size", "legal"), [(7, k) for k in range(1, 8)] + [(12, 5)])
def test_values_are_shared_out_evenly_and_a_legal_one_is_itself(size, legal):
    mask = torch.zeros(size, dtype=torch.bool)
    mask[torch.randperm(size, generator=torch.Generator().manual_seed(legal))[:legal]] = True
    values = torch.arange(size)
    actions = legal_actions(values, mask.expand(size, -1))
    assert mask[actions].all()
    assert torch.equal(actions[mask], values[mask])
    counts = torch.bincount(actions, minlength=size)[mask]
    assert set(counts.tolist()) <= {size // legal, -(-size // legal)}


def test_illegal_values_stand_for_the_legal_ones_in_turn():
    mask = torch.tensor([[False, True, False, False, True, False]]).expand(6, -1)
    assert legal_actions(torch.arange(6), mask).tolist() == [1, 1, 4, 1, 4, 4]


def test_every_word_is_reached_and_has_one_row():
    """All 4^5 rows: every word occurs, as often as even shares of the values say."""
    problem = ToyConstruction(length=4)
    wrapped = encode(problem, "vector")
    assert wrapped.space == Space(tuple(integer(0, 3, f"step{i}") for i in range(1, 6)))
    rows = torch.tensor(list(itertools.product(range(4), repeat=5)), dtype=torch.float64)
    states = wrapped.original_solutions(rows)
    words = problem.decode(states)
    # the end takes one value of four at each step; after four letters it takes all of them
    expected = {"".join(w) + "$": max(4 ** (4 - n), 4) for n in range(5) for w in itertools.product("abc", repeat=n)}
    assert {word: words.count(word) for word in set(words)} == expected
    canonical = wrapped.evaluate(rows).solutions
    assert torch.equal(canonical, wrapped.space.canonical(canonical))
    for one, other in ((words, canonical.tolist()), (canonical.tolist(), words)):
        pairs = {str(a): b for a, b in zip(one, other, strict=True)}
        assert all(pairs[str(a)] == b for a, b in zip(one, other, strict=True))
    assert problem.decode(wrapped.original_solutions(canonical)) == words


def test_columns_after_the_end_are_0():
    wrapped = encode(ToyConstruction(length=4), "vector")
    rows = torch.tensor([[0, 3, 1, 2, 3], [3, 2, 2, 2, 2], [2, 1, 1, 2, 1]])
    assert wrapped.evaluate(rows).solutions.tolist() == [[0, 3, 0, 0, 0], [3, 0, 0, 0, 0], [2, 1, 1, 2, 3]]


def test_objects_of_many_trajectories_have_one_row():
    problem = Grid(side=4)
    wrapped = encode(problem, "vector")
    assert (wrapped.space.dim, wrapped.space.size) == (7, 3.0**7)
    rows = torch.tensor(list(itertools.product(range(3), repeat=7)))
    states, canonical = wrapped.original_solutions(rows), wrapped.evaluate(rows).solutions
    assert len(states.unique(dim=0)) == 16 == len(canonical.unique(dim=0))
    assert torch.equal(wrapped.original_solutions(canonical), states)
    assert [0, 0, 1, 2, 0, 0, 0] in canonical.tolist()  # to the right before upwards
    assert torch.equal(wrapped.encoded_solutions(states), canonical)


def test_rows_have_the_values_of_their_objects():
    problem = Grid(fails=True)
    wrapped = encode(problem, "vector")
    rows = random_rows(wrapped, 200)
    assert evaluated(wrapped, rows) == evaluated(problem, wrapped.original_solutions(rows))
    result = moo.pareto_search(wrapped, "random", budget=200, progress=False)
    assert len(result.failures) > 0
    assert (wrapped.original_solutions(result.failures.solutions)[:, 0] == 3).all()
    assert result.objectives[:, 1].max() == 4


def test_constraints_of_a_construction_pass_through():
    inner = lattice()
    wrapped = encode(inner, "vector")
    assert wrapped.num_constraints == 1
    rows = random_rows(wrapped, 50)
    given = wrapped.evaluate(rows)
    assert torch.equal(given.constraints, inner.evaluate(wrapped.original_solutions(rows)).constraints)
    assert evaluated(wrapped, rows) == evaluated(inner, wrapped.original_solutions(rows))


def test_no_rows_give_no_objects():
    wrapped = encode(ToyConstruction(), "vector")
    given = wrapped.evaluate(torch.empty(0, 5))
    assert (given.objectives.shape, given.solutions.shape) == ((0, 2), (0, 5))


@pytest.mark.parametrize(("method", "budget", "options"), [("random", 2500, {}), ("nsga2", 300, {"population": 30})])
def test_methods_for_vectors_find_the_front_of_words(method, budget, options):
    problem = ToyConstruction(length=4)
    wrapped = encode(problem, "vector")
    result = moo.pareto_search(wrapped, method, budget=budget, options=options, progress=False)
    front = wrapped.oracle.front
    assert sorted(result.objectives.tolist()) == sorted(front.tolist())
    states = wrapped.original_solutions(result.solutions)
    assert torch.equal(problem.evaluate(states), result.objectives)
    assert torch.equal(wrapped.encoded_solutions(states), result.solutions)
    assert set("".join(problem.decode(states))) == {"a", "b", "$"}


def test_encodings_of_encodings():
    """NSGA-II on the actions of a lattice finds the lattice's front."""
    inner = lattice(ToyVector(dim=3, directions=("max", "min")), 5)
    wrapped = ActionColumns(inner)
    result = moo.pareto_search(wrapped, "nsga2", budget=300, options={"population": 30}, progress=False)
    assert sorted(result.objectives.tolist()) == sorted(wrapped.oracle.front.tolist())


def test_a_problem_that_breaks_its_contract_is_named():
    dead = Grid()
    dead.action_mask = lambda state: torch.zeros(len(state), 3, dtype=torch.bool)
    rows = torch.zeros(2, 7)
    with pytest.raises(ValueError, match=r"'grid' should have a legal action in every .*After 0 steps .* \[0, 0, 0\]"):
        encode(dead, "vector").original_solutions(rows)
    endless = Grid()
    endless.max_steps = 3
    with pytest.raises(ValueError, match=r"'grid' should finish every object within its `max_steps`, 3. .*\[3, 0, 0\]"):
        encode(endless, "vector").original_solutions(rows[:, :3])
    with pytest.raises(ValueError, match=r"'grid' should build .* `max_steps`, 3. The way back from \[2, 2, 1\]"):
        encode(endless, "vector").encoded_solutions(torch.tensor([[2, 2, 1]]))
    endless.max_steps = None
    with pytest.raises(TypeError, match=r"`max_steps of grid` should be a whole number. Found None"):
        encode(endless, "vector")
    endless.max_steps, endless.num_actions = 3, 0
    with pytest.raises(ValueError, match=r"`num_actions of grid` should be at least 1"):
        encode(endless, "vector")


# --------------------------------------------------------------------------------------------------- which one fits
def method(**declared):
    base = {
        "kinds": ("construction",),
        "columns": ("real",),
        "encodings": ("vector", "environment", "construction"),
        "max_objectives": None,
        "constraints": True,
    }
    return SimpleNamespace(**{**base, **declared})


def test_the_encoding_that_makes_a_method_fit():
    assert encoding_for(Mixed(), method()) == "construction"
    assert encoding_for(Mixed(), method(kinds=("environment",))) == "environment"
    assert encoding_for(Mixed(), method(kinds=("environment", "construction"))) == "environment"  # the first declared
    assert encoding_for(Grid(), method(kinds=("vector",), columns=("integer",))) == "vector"
    assert misfit(Grid(), method(kinds=("vector",), columns=("integer",))) == ""


def test_no_encoding_where_none_is_needed():
    assert encoding_for(Grid(), method()) == ""
    assert misfit(Grid(), method()) == ""
    assert encoding_for(Mixed(), RandomSearch) == ""


def test_no_encoding_where_none_helps():
    none_declared = method(encodings=())
    assert encoding_for(Mixed(), none_declared) == ""
    assert misfit(Mixed(), none_declared) == "it takes construction problems, this one is vector"
    of_numbers = method(kinds=("vector",), columns=("real", "integer"), encodings=())
    assert encoding_for(Mixed(), of_numbers) == ""
    assert "columns, not categorical" in misfit(Mixed(), of_numbers)
    for declared, reason in (
        ({"constraints": False}, "as a construction problem: it takes no constraints, this problem has 1"),
        ({"max_objectives": 1}, "as a construction problem: it takes at most 1 objectives, this problem has 2"),
    ):
        assert encoding_for(Mixed(), method(**declared)) == ""
        assert misfit(Mixed(), method(**declared)) == reason
    real_only = method(kinds=("vector",))
    assert misfit(Grid(), real_only) == "as a vector problem: it takes real columns, not integer"


def test_an_encoding_that_cannot_be_made_says_why():
    problem = ToyVector()
    problem.space = Space((integer(0, 2**30, "huge"),))
    assert encoding_for(problem, method()) == ""
    assert "The integer column 'huge' has 1073741825" in misfit(problem, method())


def test_a_declared_encoding_that_does_not_exist():
    with pytest.raises(ValueError, match=r"Unknown encoding 'lattice'. Known: construction, environment, vector"):
        encoding_for(Mixed(), method(encodings=("lattice",)))
