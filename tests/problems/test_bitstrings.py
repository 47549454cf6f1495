"""Bit strings: the exact law against all strings, the planted front against enumeration, and its shape."""

import itertools
import math
import pickle

import pytest
import torch

import moo
from moo.dominance import non_dominated
from moo.gflow.trajectories import uniform_objects
from moo.metered import metered
from moo.problems import get_problem
from moo.problems.bitstrings import BitStrings

SMALL = [(3, 2), (6, 2), (10, 2), (4, 3), (10, 3), (5, 4), (9, 4), (6, 5), (10, 5)]


def every_string(length):
    return torch.tensor(list(itertools.product((0, 1), repeat=length)))


def every_state(problem):
    """All states by the number of bits, by following both actions."""
    layers = [problem.start(1)]
    for _ in range(problem.length):
        state = layers[-1]
        rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
        layers.append(problem.step(state[rows], actions)[0])
    return layers


def points(rows):
    return {tuple(row) for row in rows.tolist()}


# --------------------------------------------------------------------------------------------------- values
def test_values_by_hand():
    """Of seven bits 0, 3, 6 are wanted by both targets, 1 and 4 by the first, 2 and 5 by the second."""
    problem = BitStrings(7, 2)
    assert problem.targets.tolist() == [[1, 1, 0, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1, 1]]
    assert problem.sizes.tolist() == [3, 2, 2]
    states = problem.encode(["1101101", "1011011", "0000000", "1000001"])
    assert problem.evaluate(states).tolist() == [[1, 3 / 7], [3 / 7, 1], [2 / 7, 2 / 7], [4 / 7, 4 / 7]]
    squared = BitStrings(7, 2, exponent=2.0).evaluate(states)
    assert torch.equal(squared, problem.evaluate(states) ** 2)


def test_bits_that_matter_to_others_alone():
    problem = BitStrings(8, 3)
    assert problem.targets.tolist() == [[1, 1, 2, 0] * 2, [1, 0, 1, 2] * 2, [1, 2, 0, 1] * 2]
    states = problem.encode(["11001100", "11101110", "00010001"])
    assert problem.evaluate(states).tolist() == [[1, 1 / 3, 2 / 3], [1, 2 / 3, 1 / 3], [0, 1 / 3, 2 / 3]]


@pytest.mark.parametrize("m", [2, 3, 4, 5, 7])
def test_each_target_can_be_met_and_missed_entirely(m):
    problem = BitStrings(3 * m, m, exponent=0.5)
    met = torch.where(problem.targets == 2, 1, problem.targets)
    assert problem.evaluate(met).diagonal().tolist() == [1.0] * m
    assert problem.evaluate(1 - met).diagonal().tolist() == [0.0] * m
    assert points(problem.evaluate(met)) <= points(problem.oracle.front)


def test_what_is_said_of_it():
    problem = get_problem("bitstrings:length=12,num_objectives=3,exponent=2")
    assert (problem.kind, problem.unit, problem.stochastic) == ("construction", "evaluations", False)
    assert (problem.num_objectives, problem.directions) == (3, ("max",) * 3)
    assert problem.objective_names == ("target 1", "target 2", "target 3")
    assert (problem.num_actions, problem.max_steps, problem.unit_objectives) == (2, 12, True)
    assert problem.reference_point.tolist() == [0, 0, 0]
    assert problem.feature_sizes == (13, 4, 4, 4, 4)
    assert torch.equal(get_problem(problem.spec).targets, problem.targets)
    assert (BitStrings().length, BitStrings().num_objectives, BitStrings().exponent) == (16, 2, 1.0)


# --------------------------------------------------------------------------------------------------- moves
@pytest.mark.parametrize(("length", "m"), SMALL)
def test_moves_and_masks(length, m):
    problem = BitStrings(length, m)
    layers = every_state(problem)
    assert points(layers[-1]) == points(every_string(length))
    assert not problem.backward_mask(layers[0]).any()
    for t, state in enumerate(layers):
        assert len(points(state)) == len(state) == 2**t
        assert (problem.action_mask(state) == (t < length)).all()
        if t < length:
            rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
            moved, done = problem.step(state[rows], actions)
            assert (done == (t + 1 == length)).all()
            assert torch.equal(problem.undo(moved, actions), state[rows])
            assert torch.equal(problem.backward_mask(moved), torch.nn.functional.one_hot(actions, 2).bool())
    still, done = problem.step(layers[-1], torch.zeros(2**length, dtype=torch.int64))
    assert torch.equal(still, layers[-1])
    assert done.all()


@pytest.mark.parametrize(("length", "m"), SMALL)
def test_features_are_all_that_matters(length, m):
    problem = BitStrings(length, m)
    layers = every_state(problem)
    for state in layers:
        features = problem.features(state)
        assert features.dtype == torch.int64
        assert (features >= 0).all()
        assert (features < torch.tensor(problem.feature_sizes)).all()
        seen = [problem.features(problem.step(state, torch.full((len(state),), bit))[0]) for bit in (0, 1)]
        follows = torch.cat([features, *seen, problem.action_mask(state), problem.potential(state)], dim=1)
        assert len(points(features)) == len(points(follows))
    assert len(points(torch.cat([problem.features(state) for state in layers]))) < 2**length or length < 7


def test_potential_counts_what_is_right_so_far():
    problem = BitStrings(7, 2, exponent=2.0)
    state = problem.start(1)
    assert problem.potential(state).tolist() == [[0, 0]]
    for bit in (1, 1, 0):
        state = problem.step(state, torch.tensor([bit]))[0]
    assert problem.potential(state).tolist() == [[(3 / 7) ** 2, (1 / 7) ** 2]]
    ended = problem.encode(["1100110"])
    assert torch.equal(problem.potential(ended), problem.evaluate(ended))


def test_what_is_made_of_a_state_is_on_its_device():
    problem = BitStrings(20, 3)
    state = problem.start(4).to("meta")  # a device without values, which no other may be mixed with
    actions = torch.zeros(4, dtype=torch.int64, device="meta")
    moved, done = problem.step(state, actions)
    made = [moved, done, problem.undo(moved, actions), problem.action_mask(state), problem.backward_mask(state)]
    made += [problem.features(state), problem.potential(state)]
    assert {of.device.type for of in made} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_states_stay_on_their_device():
    problem = BitStrings(20, 3)
    actions = torch.randint(0, 2, (20, 50), generator=torch.Generator().manual_seed(0))
    here, there = problem.start(50), problem.start(50).cuda()
    for action in actions:
        here, there = problem.step(here, action)[0], problem.step(there, action.cuda())[0]
        for of in (problem.action_mask, problem.backward_mask, problem.features, problem.potential):
            assert of(there).is_cuda
            assert torch.allclose(of(there).cpu().double(), of(here).double(), atol=1e-12)
        assert torch.equal(problem.undo(there, action.cuda()).cpu(), problem.undo(here, action))
    assert torch.allclose(problem.evaluate(there).cpu(), problem.evaluate(here), atol=1e-12)
    assert torch.equal(problem.oracle.index(there).cpu(), problem.oracle.index(here))


# --------------------------------------------------------------------------------------------------- oracle
@pytest.mark.parametrize(("length", "m"), SMALL)
@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
def test_the_law_is_that_of_all_strings(length, m, exponent):
    problem = BitStrings(length, m, exponent)
    oracle, states = problem.oracle, every_string(length)
    values = problem.evaluate(states)
    cells = oracle.index(states)
    assert cells.bincount(minlength=len(oracle.objectives)).tolist() == oracle.log_counts.exp().round().long().tolist()
    assert oracle.log_counts.logsumexp(dim=0).item() == pytest.approx(length * math.log(2), abs=1e-10)
    assert torch.equal(oracle.objectives[cells], values)
    assert points(oracle.front) == points(values[non_dominated(values)])
    assert len(points(oracle.front)) == len(oracle.front)
    assert torch.equal(problem.reference_front, oracle.front)
    preferences = torch.full((1, m), 1 / m, dtype=torch.float64)
    exact = (values.mean(dim=1).clamp(min=1e-30).log() * 2).logsumexp(dim=0)
    assert oracle.log_z(preferences, 2.0).item() == pytest.approx(exact.item())


@pytest.mark.parametrize(("length", "m"), [(16, 2), (16, 3), (20, 4), (24, 5)])
def test_the_front_is_a_plane_of_all_dimensions(length, m):
    problem = BitStrings(length, m)
    front = problem.oracle.front
    assert len(front) > 2 * m
    matters = (problem.targets < 2).sum(dim=1).double()
    assert torch.allclose(front @ matters, (front @ matters)[:1], atol=1e-9)
    assert torch.linalg.matrix_rank(front - front[0], atol=1e-9) == m - 1


@pytest.mark.parametrize(("m", "corners"), [(2, 2), (3, 6)])
def test_the_exponent_bends_the_front(m, corners):
    """Points that are the only best for some weighted sum: all where it is concave, else the corners."""
    stream = torch.Generator().manual_seed(0)
    weights = torch.rand(20_000, m, dtype=torch.float64, generator=stream)
    weights = weights / weights.sum(dim=1, keepdim=True)

    def supported(exponent):
        front = BitStrings(8, m, exponent).oracle.front
        return len((weights @ front.T).argmax(dim=1).unique()), len(front)

    found, known = supported(0.5)
    assert found == known
    assert known > corners
    assert supported(1.0)[0] == supported(3.0)[0] == corners


def test_an_exponent_above_one_bulges_inwards():
    ends = torch.tensor([0.5, 0.5], dtype=torch.float64)
    for exponent, sign in ((0.5, 1), (2.0, -1)):
        front = BitStrings(15, 2, exponent).oracle.front
        first, last = front[front[:, 0].argmin()], front[front[:, 0].argmax()]
        inner = front[(front[:, 0] > first[0]) & (front[:, 0] < last[0])]
        above = inner @ ends - (first @ ends)  # both ends have the same sum
        assert (sign * above > 0).all()


@pytest.mark.parametrize(("length", "m"), [(9, 2), (9, 3)])
def test_draws_are_uniform_within_a_cell(length, m):
    problem = BitStrings(length, m)
    oracle = problem.oracle
    cell = int(oracle.log_counts.argmax())
    members = round(oracle.log_counts[cell].exp().item())
    drawn = problem.decode(oracle.draw(torch.full((200 * members,), cell), torch.Generator().manual_seed(0)))
    numbers = [drawn.count(string) for string in set(drawn)]
    assert len(numbers) == members > 5
    assert sum((n - 200) ** 2 / 200 for n in numbers) < members + 4 * (2 * members) ** 0.5


@pytest.mark.parametrize(("length", "m"), [(16, 2), (20, 3), (16, 4), (17, 5)])
def test_draws_are_of_their_cell(length, m):
    problem = BitStrings(length, m)
    oracle = problem.oracle
    cells = torch.arange(len(oracle.objectives))
    states, again, other = (oracle.draw(cells, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(oracle.index(states), cells)
    assert torch.equal(problem.evaluate(states), oracle.objectives)
    assert torch.equal(states, again)
    assert not torch.equal(states, other)


def test_the_perfect_sampler_follows_the_preference():
    problem = BitStrings(30, 3)
    objects = problem.oracle.perfect_sampler(torch.eye(3, dtype=torch.float64), 64.0, 50, seed=1)
    means = torch.stack([problem.evaluate(some).mean(dim=0) for some in objects])
    assert (means.argmax(dim=1) == torch.arange(3)).all()
    assert means.diagonal().min() > 0.9


def test_long_strings():
    problem = BitStrings(200, 2)
    oracle = problem.oracle
    assert oracle.log_counts.logsumexp(dim=0).item() == pytest.approx(200 * math.log(2), abs=1e-9)
    assert len(oracle.front) == 134
    states = uniform_objects(metered(problem, 1, 0), 100, torch.Generator().manual_seed(0))
    assert torch.equal(oracle.objectives[oracle.index(states)], problem.evaluate(states))


def test_no_oracle_where_there_are_too_many_cells():
    problem = BitStrings(64, 5)
    assert problem.oracle is None
    assert problem.reference_front is None
    assert problem.evaluate(torch.ones(1, 64, dtype=torch.int64)).shape == (1, 5)


def test_a_problem_with_its_oracle_is_stored():
    problem = BitStrings(9, 2)
    before = problem.oracle.draw(torch.tensor([3, 5]), torch.Generator().manual_seed(0))
    again = pickle.loads(pickle.dumps(problem))
    assert torch.equal(again.oracle.draw(torch.tensor([3, 5]), torch.Generator().manual_seed(0)), before)


def test_a_search_finds_the_front():
    problem = BitStrings(8, 2, 2.0)
    result = moo.pareto_search(problem, "random", budget=2000, progress=False)
    assert points(result.objectives) == points(problem.oracle.front)
    assert torch.equal(problem.evaluate(result.solutions), result.objectives)


# --------------------------------------------------------------------------------------------------- faults
def test_strings_and_states_are_each_others_inverse():
    problem = BitStrings(6, 2)
    states = every_string(6)
    strings = problem.decode(states)
    assert strings[5] == "000101"
    assert torch.equal(problem.encode(strings), states)
    assert problem.encode([]).shape == (0, 6)
    assert problem.decode(problem.start(1)) == [""]


def test_strings_that_the_problem_does_not_have():
    problem = BitStrings(5, 2)
    with pytest.raises(
        ValueError, match=r"`strings` should have 5 characters, each 0 or 1\. String 1 is '0110', 4 char"
    ):
        problem.encode(["01101", "0110"])
    with pytest.raises(ValueError, match=r"String 0 is '01102', 5 characters\."):
        problem.encode(["01102"])


def test_states_that_have_no_values():
    problem = BitStrings(4, 2)
    with pytest.raises(ValueError, match=r"`solutions` should be finished strings\. Row 1 is \[1, 0, 1, -1\]\."):
        problem.evaluate(torch.tensor([[1, 0, 1, 1], [1, 0, 1, -1]]))
    with pytest.raises(ValueError, match=r"`solutions` should be finished strings\. Row 0 is \[-1, -1, -1, -1\]\."):
        problem.oracle.index(problem.start(1))
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 4\]\. Found \[2, 3\]\."):
        problem.evaluate(torch.zeros(2, 3, dtype=torch.int64))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_objectives": 1}, ValueError, r"`num_objectives` should be at least 2\. Found 1\."),
        ({"length": 3, "num_objectives": 3}, ValueError, r"`length` should be at least 4\. Found 3\."),
        ({"exponent": 0}, ValueError, r"`exponent` should be above 0 and finite, the power of the share of bits\. Fou"),
        ({"length": "long"}, TypeError, r"`length` should be a whole number\. Found 'long'\."),
        ({"exponent": "2"}, TypeError, r"`exponent` should be a number, the power of the share of bits\. Found '2'\."),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        BitStrings(**options)
