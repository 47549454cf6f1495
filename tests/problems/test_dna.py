"""DNA: moves by enumeration, values of known strands."""

import itertools
import pickle
import random
import sys

import pytest
import torch

import moo
from moo.base import Evaluation
from moo.chemistry.folding import fold
from moo.gflow.exact import carried, state_graph
from moo.gflow.trajectories import follow, legal_chances
from moo.problems import get_problem
from moo.problems.dna import DNA

pytest.importorskip("RNA")


def random_strands(n, length, seed=0):
    rng = random.Random(seed)
    return ["".join(rng.choices("ACGT", k=length)) for _ in range(n)]


# --------------------------------------------------------------------------------------------------- values
def test_processes_change_no_value():
    alone, shared = DNA(length=20), DNA(length=20, workers=2)
    states = alone.encode(random_strands(40, 20))
    assert torch.equal(alone.evaluate(states).objectives, shared.evaluate(states).objectives)


def test_values_are_between_zero_and_one():
    problem = DNA(length=30)
    values = problem.evaluate(problem.encode(["GC" * 6 + "GTTTTC" + "GC" * 6, "A" * 30])).objectives
    assert values[1].tolist() == [0, 0, 0]
    assert (values[0] > torch.tensor([0.7, 0.1, 0.9])).all()
    assert (values <= 1).all()


# --------------------------------------------------------------------------------------------------- moves
@pytest.mark.parametrize(("length", "min_length"), [(5, 5), (7, 5)])
def test_every_strand_is_built_in_one_way(length, min_length):
    problem = DNA(length=length, min_length=min_length)
    state, ended = problem.start(1), []
    while len(state):
        rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
        moved, done = problem.step(state[rows], actions)
        assert torch.equal(problem.undo(moved, actions), state[rows])
        assert torch.equal(problem.backward_mask(moved), torch.nn.functional.one_hot(actions, 5).bool())
        ended.append(moved[done])
        state = moved[~done]
    states = torch.cat(ended)
    strands = problem.decode(states)
    lengths = range(min_length, length + 1)
    assert sorted(strands) == sorted("".join(s) for t in lengths for s in itertools.product("ACGT", repeat=t))
    assert torch.equal(problem.encode(strands), states)
    assert not problem.action_mask(states).any()
    for action in range(5):
        still, done = problem.step(states, torch.full((len(states),), action))
        assert torch.equal(still, states)
        assert done.all()


# --------------------------------------------------------------------------------------------------- the exact law
def letters_count(strand):
    """A stand-in for folding that differs among short strands: shares of A and C, each more where it comes early."""
    return [sum(2.0**-place for place, letter in enumerate(strand) if letter == wanted) / 2 for wanted in "AC"]


def counted(**options):
    """Strands with these values instead of folds."""
    problem = DNA(objectives="energy+pins", **options)
    problem._score = lambda strands: Evaluation(torch.tensor([letters_count(s) for s in strands], dtype=torch.float64))
    return problem


def test_the_law_is_that_of_a_loop_over_all_strands():
    problem, preference, beta = counted(length=6, min_length=5), [0.3, 0.7], 4.0
    strands = ["".join(s) for n in (5, 6) for s in itertools.product("ACGT", repeat=n)]
    values = [letters_count(strand) for strand in strands]
    masses = [max(preference[0] * a + preference[1] * c, 1e-30) ** beta for a, c in values]
    law = problem.oracle.distribution(torch.tensor([preference], dtype=torch.float64), beta)[0]
    cells = problem.oracle.index(problem.encode(strands))
    assert cells.tolist() == list(range(len(strands)))
    expected = torch.tensor(masses, dtype=torch.float64) / sum(masses)
    assert torch.allclose(law[cells], expected, rtol=1e-12)


def test_the_front_is_that_of_all_pairs_of_strands():
    oracle = counted(length=5).oracle
    rows = {tuple(row) for row in oracle.objectives.tolist()}
    best = {
        row for row in rows if not any(row != other and row[0] <= other[0] and row[1] <= other[1] for other in rows)
    }
    assert 2 < len(best) < len(rows)
    assert sorted(map(tuple, oracle.front.tolist())) == sorted(best)


def test_what_the_oracle_draws_are_the_strands_of_its_cells():
    problem = counted(length=6, min_length=5)
    cells = torch.tensor([0, 1023, 1024, 5119, 77])
    drawn = problem.oracle.draw(cells, torch.Generator())
    assert problem.decode(drawn) == ["AAAAA", "TTTTT", "AAAAAA", "TTTTTT", "ACATC"]
    assert torch.equal(problem.oracle.index(drawn), cells)


def test_the_exact_law_of_a_policy_is_the_frequency_of_its_samples():
    problem = counted(length=6, min_length=5)
    layers = state_graph(problem)
    assert [len(layer.features) for layer in layers] == [4**t for t in range(6)]
    law = carried(layers, lambda _, mask: legal_chances(torch.zeros(mask.shape), mask)[None], 1, 5120)[0]
    assert torch.allclose(law[:1024], torch.tensor(0.25**5 / 5).double(), rtol=1e-6)  # one action in five stops there
    assert torch.allclose(law[1024:], torch.tensor(0.25**5 / 5).double(), rtol=1e-6)
    drawn = follow(problem, 20_000, None, torch.Generator().manual_seed(0)).objects
    short = (problem.oracle.index(drawn) < 1024).double().mean()
    assert abs(short - 0.2) < 4 * (0.16 / 20_000) ** 0.5


def test_strands_too_short_to_fold_are_all_alike():
    problem = DNA(length=6, min_length=5)
    oracle = problem.oracle
    assert oracle.front.tolist() == [[0, 0, 0]]
    assert torch.allclose(oracle.distribution(torch.tensor([[1.0, 0.0, 0.0]]), 8.0), torch.tensor(1 / 5120).double())


@pytest.mark.slow
def test_nine_letters_are_the_fewest_that_fold():
    assert not DNA(length=8).oracle.objectives.any()
    oracle = DNA(length=9).oracle
    folding = oracle.objectives[:, 0] > 0
    assert int(folding.sum()) == 4236
    assert oracle.front.tolist() == [pytest.approx([1 / 9, 1, 1])]
    strands = DNA(length=9).decode(oracle.draw(torch.nonzero(folding).flatten()[:50], torch.Generator()))
    for strand in strands:  # what folds has a pair of letters that match, around three or more
        inner = fold(strand).structure.strip(".")
        ends = strand[fold(strand).structure.index("(")], strand[fold(strand).structure.rindex(")")]
        assert "".join(ends) in ("AT", "TA", "CG", "GC", "GT", "TG")
        assert inner.count(".") >= 3


def test_more_strands_are_not_listed():
    assert DNA(length=10).oracle is None
    assert DNA().oracle is None


# --------------------------------------------------------------------------------------------------- what it says
def test_features_are_all_of_a_state():
    problem = DNA(length=12, min_length=6)
    states = follow(problem, 200, None, torch.Generator().manual_seed(0)).states.flatten(0, 1).unique(dim=0)
    features = problem.features(states)
    assert len(features.unique(dim=0)) == len(states)
    assert (features >= 0).all()
    assert (features < torch.tensor(problem.feature_sizes)).all()
    assert not problem.backward_mask(problem.start(1)).any()


def test_what_is_made_of_a_state_is_on_its_device():
    problem = DNA()
    state = problem.start(4).to("meta")  # a device without values, which no other may be mixed with
    actions = torch.zeros(4, dtype=torch.int64, device="meta")
    moved, done = problem.step(state, actions)
    made = [moved, done, problem.undo(moved, actions), problem.action_mask(state), problem.backward_mask(state)]
    assert {of.device.type for of in [*made, problem.features(state)]} == {"meta"}


# --------------------------------------------------------------------------------------------------- methods, faults
def test_what_is_said_of_it():
    problem = get_problem("dna:objectives=energy+pins,length=12,min_length=8")
    assert (problem.kind, problem.unit, problem.num_actions, problem.max_steps) == (
        "construction",
        "evaluations",
        5,
        12,
    )
    assert problem.objective_names == ("energy", "pins")
    assert problem.reference_point.tolist() == [0, 0]
    assert (get_problem(problem.spec).min_length, DNA(length=9).min_length) == (8, 9)
    assert torch.equal(pickle.loads(pickle.dumps(problem)).start(2), problem.start(2))


@pytest.mark.parametrize("method", ["mogfn", "nsga2", "random"])
def test_searches_run_and_repeat(method):
    problem = DNA(length=10, min_length=8)
    runs = [moo.pareto_search(problem, method, budget=120, seed=3, progress=False, device="cpu") for _ in range(2)]
    assert torch.equal(runs[0].solutions, runs[1].solutions)
    assert torch.equal(problem.evaluate(runs[0].solutions).objectives, runs[0].objectives)
    assert runs[0].record["used"] == 120


def test_without_viennarna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "RNA", None)
    with pytest.raises(ImportError, match=r"Folding needs ViennaRNA: pip install 'moo-suite\[dna\]'\."):
        DNA()


def test_states_that_have_no_values():
    problem = DNA(length=6)
    state = problem.step(problem.start(2), torch.tensor([0, 1]))[0]
    with pytest.raises(ValueError, match=r"`solutions` should be finished strands\. Row 0 is not: 'A'\."):
        problem.evaluate(state)
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 6\]\. Found \[2, 3\]\."):
        problem.evaluate(state[:, :3])


def test_strands_that_the_problem_does_not_have():
    problem = DNA(length=7, min_length=6)
    with pytest.raises(
        ValueError, match=r"`strands` should have 6 to 7 letters, all of 'ACGT'\. Strand 1 is 'ACGT', 4"
    ):
        problem.encode(["ACGTAC", "ACGT"])
    with pytest.raises(ValueError, match=r"Strand 0 is 'ACGUAC', 6 letters"):
        problem.encode(["ACGUAC"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objectives": ("pins", "loops")}, r"Unknown objective 'loops' of dna"),
        ({"objectives": "pins"}, r"`objectives` should be at least two different ones\. Found pins\."),
        ({"length": 4}, r"`length` should be at least 5\. Found 4\."),
        ({"min_length": 31}, r"`min_length` should be from 5 to 30\. Found 31\."),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        DNA(**options)


def test_objectives_are_names():
    with pytest.raises(TypeError, match=r"`objectives` should be names, such as \['energy', 'pins'\]\. Found 3\."):
        DNA(objectives=3)
