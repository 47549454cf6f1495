import itertools

import pytest
import torch
from encoded_toys import Grid, evaluated, lattice, random_rows
from inputs import ToyConstruction, ToyVector

import moo
from moo.adapters.encodings import ActionColumns, encode, legal_actions
from moo.space import Space, integer


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
