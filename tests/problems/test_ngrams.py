"""N-grams: counts against a loop over strings, the exact law against all strings, and the published tasks' truths."""

import itertools
import math
import pickle
import random

import pytest
import torch

import moo
from moo.dominance import non_dominated
from moo.gflow.trajectories import uniform_objects
from moo.indicators import hypervolume as hypervolume_of
from moo.metered import metered
from moo.problems import get_problem
from moo.problems.ngrams import NGrams

SMALL = [
    (("AB", "BA"), 4, 4),
    (("AB", "BC"), 4, 0),
    (("AA", "AB", "B"), 4, 2),
    (("A", "B"), 4, 3),
    (("A", "B", "C"), 3, 0),
    (("ABA", "BB"), 4, 1),
    (("ABC", "C", "BC"), 4, 3),
    (("AAA", "AA"), 4, 4),
    (("ABAB", "BAB"), 4, 2),
]


def small(ngrams, length, min_length):
    return NGrams(ngrams, length, min_length, alphabet="ABC")


def every_string(problem):
    lengths = range(problem.min_length, problem.length + 1)
    return ["".join(row) for t in lengths for row in itertools.product(problem.alphabet, repeat=t)]


def occurrences(string, ngram):
    return sum(string[i : i + len(ngram)] == ngram for i in range(len(string)))


def counts_of(problem, strings):
    return torch.tensor([[occurrences(string, ngram) for ngram in problem.ngrams] for string in strings])


def every_state(problem):
    """All states, unfinished and finished, each with how many trajectories reach it, by following all legal actions."""
    layer, unfinished, finished = {tuple(problem.start(1)[0].tolist()): 1}, {}, {}
    while layer:
        unfinished |= layer
        state, before = torch.tensor(list(layer)), list(layer.values())
        rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
        moved, done = problem.step(state[rows], actions)
        layer = {}
        for row, after, end in zip(rows.tolist(), moved.tolist(), done.tolist(), strict=True):
            into = finished if end else layer
            into[tuple(after)] = into.get(tuple(after), 0) + before[row]
    return unfinished, finished


def random_strings(problem, n, seed=0):
    stream = random.Random(seed)
    lengths = [stream.randint(problem.min_length, problem.length) for _ in range(n)]
    return ["".join(stream.choices(problem.alphabet, k=length)) for length in lengths]


# --------------------------------------------------------------------------------------------------- values
@pytest.mark.parametrize(
    "ngrams", [("AV", "VC"), ("A", "V", "C"), ("AA", "AVA"), ("AVA", "VAV", "AAA"), ("A", "AV", "AVC", "VC"), "AV+CCC"]
)
def test_counts_are_those_of_a_loop_over_the_string(ngrams):
    problem = NGrams(ngrams, 20, 10, alphabet="AVC")
    strings = [*random_strings(problem, 300), "A" * 20, "V" * 20, "AV" * 10, "AVA" * 6, "AVC" * 6]
    states = problem.encode(strings)
    counts = counts_of(problem, strings)
    assert (problem.evaluate(states) * problem.scale).round().long().tolist() == counts.tolist()
    assert problem.features(states)[:, 2:].tolist() == counts.tolist()


@pytest.mark.parametrize(
    ("ngram", "length", "most"), [("A", 18, 18), ("AV", 36, 18), ("AV", 35, 17), ("AA", 36, 35), ("AVA", 9, 4)]
)
def test_the_default_scale_is_the_most_that_a_string_can_hold(ngram, length, most):
    problem = NGrams((ngram, "Y"), length)
    assert problem.scale.tolist() == [most, length]
    best = problem.encode([(ngram[: 2 if ngram == "AVA" else None] * length)[:length]])
    assert problem.evaluate(best)[0, 0] == 1


@pytest.mark.parametrize("ngram", ["AB", "AA", "ABA", "AAB", "ABAB"])
def test_no_string_holds_more_than_the_scale(ngram):
    problem = NGrams((ngram, "C"), 7, 7, alphabet="ABC")
    strings = ["".join(letters) for letters in itertools.product("AB", repeat=7)]
    assert max(occurrences(string, ngram) for string in strings) == problem.scale[0]
    assert problem.evaluate(problem.encode(strings))[:, 0].max() == 1


def test_a_scale_of_ones_own():
    problem = NGrams(("AV", "VC"), length=12, scale=3)
    assert problem.evaluate(problem.encode(["AVCAVCAVAVAV"])).tolist() == [[5 / 3, 2 / 3]]


def test_what_is_said_of_it():
    problem = get_problem("ngrams:ngrams=AV+VC+CA,length=36")
    assert (problem.kind, problem.unit, problem.stochastic) == ("construction", "evaluations", False)
    assert (problem.ngrams, problem.num_objectives) == (("AV", "VC", "CA"), 3)
    assert (problem.directions, problem.objective_names) == (("max",) * 3, ("AV", "VC", "CA"))
    assert (problem.length, problem.min_length, problem.scale.tolist()) == (36, 33, [18, 18, 18])
    assert (problem.num_actions, problem.max_steps, problem.unit_objectives) == (21, 36, True)
    assert problem.reference_point.tolist() == [0, 0, 0]
    assert problem.feature_sizes == (37, 5, 19, 19, 19)
    assert get_problem(problem.spec).ngrams == problem.ngrams
    assert NGrams().ngrams == ("AV", "VC")
    assert NGrams(["A", "V"], 2).min_length == 0


# --------------------------------------------------------------------------------------------------- moves
@pytest.mark.parametrize("case", SMALL, ids=str)
def test_every_string_is_reached_by_one_trajectory(case):
    problem = small(*case)
    _, finished = every_state(problem)
    strings = problem.decode(torch.tensor(list(finished)))
    assert set(finished.values()) == {1}
    assert sorted(strings) == sorted(every_string(problem))
    assert problem.encode(strings).tolist() == [list(state) for state in finished]


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_undo_takes_a_step_back(case):
    problem = small(*case)
    unfinished, finished = every_state(problem)
    state = torch.tensor(list(unfinished))
    rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
    before = state.clone()
    moved, done = problem.step(state[rows], actions)
    assert torch.equal(state, before)
    assert torch.equal(problem.undo(moved, actions), state[rows])
    assert torch.equal(problem.backward_mask(moved), torch.nn.functional.one_hot(actions, 4).bool())
    assert [tuple(row) in finished for row in moved.tolist()] == done.tolist()
    assert not set(unfinished) & set(finished)
    assert not problem.backward_mask(problem.start(2)).any()


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_masks(case):
    problem = small(*case)
    unfinished, finished = every_state(problem)
    for state in unfinished:
        t = sum(letter >= 0 for letter in state[: problem.length])
        assert problem.action_mask(torch.tensor([state])).tolist() == [[True] * 3 + [t >= problem.min_length]]
    ended = torch.tensor(list(finished))
    assert not problem.action_mask(ended).any()
    for action in range(4):
        still, done = problem.step(ended, torch.full((len(ended),), action))
        assert torch.equal(still, ended)
        assert done.all()


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_features_are_all_that_matters(case):
    problem = small(*case)
    unfinished, finished = every_state(problem)
    state = torch.tensor([*unfinished, *finished])
    features, masks = problem.features(state), problem.action_mask(state)
    assert features.dtype == torch.int64
    assert (features >= 0).all()
    assert (features < torch.tensor(problem.feature_sizes)).all()
    values = problem.evaluate(torch.tensor(list(finished))).tolist()
    known = {}
    for number, row in enumerate(features.tolist()):
        legal = torch.nonzero(masks[number]).flatten()
        moved, done = problem.step(state[number].expand(len(legal), -1), legal)
        follows = (legal.tolist(), problem.features(moved).tolist(), done.tolist())
        seen = (*follows, values[number - len(unfinished)] if number >= len(unfinished) else None)
        assert known.setdefault(tuple(row), seen) == seen
    assert len(known) < len(state)


def test_features_hold_the_end_that_may_become_an_ngram():
    problem = NGrams(("AVC", "VA"), 6, 1)
    state, seen = problem.start(1), []
    for letter in "AVCVAV":
        state = problem.step(state, torch.tensor([problem.alphabet.index(letter)]))[0]
        seen.append(problem.features(state)[0].tolist())
    none, a, v, av, ended = range(5)
    assert seen == [
        [1, a, 0, 0],
        [2, av, 0, 0],
        [3, none, 1, 0],
        [4, v, 1, 0],
        [5, a, 1, 1],
        [6, ended, 1, 1],
    ]
    assert problem.feature_sizes == (7, 5, 3, 4)


def test_random_strings_of_the_published_length():
    problem = NGrams(("AV", "VC", "CA"))
    states = uniform_objects(metered(problem, 1, 0), 500, torch.Generator().manual_seed(0))
    strings = problem.decode(states)
    assert set(map(len, strings)) == {33, 34, 35, 36}
    assert torch.equal(problem.encode(strings), states)
    assert torch.equal(problem.features(states)[:, 2:], counts_of(problem, strings))
    step_back, actions = states, problem.backward_mask(states).int().argmax(dim=1)
    for _ in range(36):
        some = problem.backward_mask(step_back).any(dim=1)
        step_back = torch.where(some[:, None], problem.undo(step_back, actions), step_back)
    assert torch.equal(step_back, problem.start(500))


def test_potential_is_that_of_the_counts_so_far():
    problem = NGrams(("AV", "VC"), 6, 2, scale=4)
    state = problem.start(1)
    assert problem.potential(state).tolist() == [[0, 0]]
    for letter in "AVCAV":
        state = problem.step(state, torch.tensor([problem.alphabet.index(letter)]))[0]
    assert problem.potential(state).tolist() == [[0.5, 0.25]]
    ended = problem.step(state, torch.tensor([problem.stop]))[0]
    assert torch.equal(problem.potential(ended), problem.evaluate(ended))


def test_what_is_made_of_a_state_is_on_its_device():
    problem = NGrams(("AV", "VC", "CA"))
    state = problem.start(4).to("meta")  # a device without values, which no other may be mixed with
    actions = torch.zeros(4, dtype=torch.int64, device="meta")
    moved, done = problem.step(state, actions)
    made = [moved, done, problem.undo(moved, actions), problem.action_mask(state), problem.backward_mask(state)]
    made += [problem.features(state), problem.potential(state)]
    assert {of.device.type for of in made} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_states_stay_on_their_device():
    problem = NGrams(("AV", "VC", "CA"))
    actions = torch.randint(0, 20, (36, 50), generator=torch.Generator().manual_seed(0))
    here, there = problem.start(50), problem.start(50).cuda()
    for action in actions:
        here, there = problem.step(here, action)[0], problem.step(there, action.cuda())[0]
        for of in (problem.action_mask, problem.backward_mask, problem.features, problem.potential):
            assert of(there).is_cuda
            assert torch.equal(of(there).cpu(), of(here))
        assert torch.equal(problem.undo(there, action.cuda()).cpu(), problem.undo(here, action))
    assert torch.equal(problem.evaluate(there).cpu(), problem.evaluate(here))
    assert torch.equal(problem.oracle.index(there).cpu(), problem.oracle.index(here))


# --------------------------------------------------------------------------------------------------- oracle
@pytest.mark.parametrize("case", [(*case[:2], low) for case in SMALL for low in range(case[1] + 1)], ids=str)
def test_the_law_is_that_of_all_strings(case):
    problem = small(*case)
    oracle = problem.oracle
    strings = every_string(problem)
    states = problem.encode(strings)
    distinct, number = counts_of(problem, strings).unique(dim=0, return_counts=True)
    known = {tuple(row): n for row, n in zip((distinct / problem.scale).tolist(), number.tolist(), strict=True)}
    found = zip(oracle.objectives.tolist(), oracle.log_counts.exp().tolist(), strict=True)
    assert {tuple(row): round(n, 6) for row, n in found} == known
    assert torch.equal(oracle.objectives[oracle.index(states)], problem.evaluate(states))
    values = problem.evaluate(states)
    assert sorted(oracle.front.tolist()) == sorted(values[non_dominated(values)].tolist())
    assert torch.equal(problem.reference_front, oracle.front)
    preferences = torch.full((1, problem.num_objectives), 1 / problem.num_objectives, dtype=torch.float64)
    exact = (values.mean(dim=1).clamp(min=1e-30).log() * 2).logsumexp(dim=0)
    assert oracle.log_z(preferences, 2.0).item() == pytest.approx(exact.item())


@pytest.mark.parametrize(("length", "min_length", "alphabet"), [(36, 33, 20), (18, 17, 20), (36, 0, 20), (60, 60, 4)])
def test_all_strings_are_counted(length, min_length, alphabet):
    problem = NGrams(("AC", "CD"), length, min_length, alphabet="ACDEFGHIKLMNPQRSTVWY"[:alphabet])
    strings = sum(alphabet**t for t in range(min_length, length + 1))  # a whole number, however large
    assert problem.oracle.log_counts.logsumexp(dim=0).item() == pytest.approx(math.log(strings), abs=1e-10)


@pytest.mark.parametrize(
    ("ngrams", "length", "cells", "points", "hypervolume"),
    [
        ("A+V", 18, 190, 19, 0.4722),
        ("A+V+C", 18, 1330, 190, 0.1399),
        ("AV+VC", 36, 241, 13, 0.6296),
        ("AV+VC+CA", 36, 2451, 21, 0.4093),
        ("AV+VC+CA+AW", 36, 16476, 309, 0.1062),
    ],
)
def test_fronts_of_the_published_tasks(ngrams, length, cells, points, hypervolume):
    problem = NGrams(ngrams, length, 33 if length == 36 else 17)
    front = problem.oracle.front
    assert problem.scale.unique().tolist() == [18]
    assert (len(problem.oracle.objectives), len(front)) == (cells, points)
    assert hypervolume_of(front, problem.reference_point) == pytest.approx(hypervolume, abs=5e-5)


@pytest.mark.parametrize(
    ("ngrams", "length", "beta", "low", "high"),
    [
        ("A+V", 18, 16, 22.6, 28.9),
        ("A+V", 18, 32, 2.2, 16.7),
        ("A+V", 18, 96, -50.6, 1.2),
        ("A+V+C", 18, 96, -85.3, 1.2),
        ("AV+VC", 36, 32, 38.3, 51.0),
        ("AV+VC", 36, 64, 1.7, 26.9),
        ("AV+VC", 36, 96, -24.0, 13.7),
        ("AV+VC+CA", 36, 32, 32.8, 51.0),
        ("AV+VC+CA", 36, 64, -6.4, 26.9),
        ("AV+VC+CA", 36, 96, -32.4, 13.7),
    ],
)
def test_normalising_constants_of_the_published_tasks(ngrams, length, beta, low, high):
    problem = NGrams(ngrams, length, 33 if length == 36 else 17)
    tenths = [row for row in itertools.product(range(10), repeat=problem.num_objectives) if sum(row) == 9]
    found = problem.oracle.log_z(torch.tensor(tenths, dtype=torch.float64) / 9, float(beta))
    assert [round(found.min().item(), 1), round(found.max().item(), 1)] == [low, high]


@pytest.mark.parametrize("case", [(("AB", "BA"), 4, 2), (("AA", "AB", "B"), 4, 0), (("ABA", "BB"), 4, 4)], ids=str)
def test_draws_are_uniform_within_a_cell(case):
    problem = small(*case)
    oracle, strings = problem.oracle, every_string(problem)
    cell_of = oracle.index(problem.encode(strings))
    cell = int(cell_of.bincount().argmax())
    members = [string for string, c in zip(strings, cell_of.tolist(), strict=True) if c == cell]
    drawn = problem.decode(oracle.draw(torch.full((200 * len(members),), cell), torch.Generator().manual_seed(0)))
    chi2 = sum((drawn.count(string) - 200) ** 2 / 200 for string in members)
    assert set(drawn) == set(members)
    assert len(members) > 5
    assert chi2 < len(members) + 4 * (2 * len(members)) ** 0.5


@pytest.mark.parametrize("ngrams", ["AV+VC+CA", "A+V", "AVA+VV", "AA+AAA"])
def test_draws_are_of_their_cell(ngrams):
    problem = NGrams(ngrams, 36, 33)
    oracle = problem.oracle
    cells = torch.arange(len(oracle.objectives)).repeat(2)
    states = oracle.draw(cells, torch.Generator().manual_seed(3))
    assert torch.equal(oracle.index(states), cells)
    assert torch.equal(problem.evaluate(states), oracle.objectives[cells])
    assert torch.equal(problem.encode(problem.decode(states)), states)
    again = oracle.draw(cells, torch.Generator().manual_seed(3))
    other = oracle.draw(cells, torch.Generator().manual_seed(4))
    assert torch.equal(states, again)
    assert not torch.equal(states, other)


def test_draws_have_every_length():
    problem = NGrams(("AV", "VC"))
    cell = problem.oracle.index(problem.encode(["C" * 36]))
    lengths = problem.oracle.draw(cell.expand(2000), torch.Generator().manual_seed(0))[:, :36]
    shares = ((lengths >= 0) & (lengths < 20)).sum(dim=1).bincount()[33:] / 2000
    assert shares.tolist() == pytest.approx([0.0001, 0.0025, 0.05, 0.95], abs=0.02)  # twenty times as many each


def test_the_perfect_sampler_follows_the_preference():
    problem = NGrams(("AV", "VC", "CA"))
    objects = problem.oracle.perfect_sampler(torch.eye(3, dtype=torch.float64), 96.0, 64, seed=1)
    means = torch.stack([problem.evaluate(some).mean(dim=0) for some in objects])
    assert (means.argmax(dim=1) == torch.arange(3)).all()
    assert means.diagonal().min() > 0.7


def test_no_oracle_where_there_are_too_many_counts(monkeypatch):
    assert NGrams([f"{letter}Y" for letter in "ACDEFGHIKLMNPQRSTV"], 36).oracle is None
    assert NGrams([f"{letter}Y" for letter in "ACDEFGHIKLMNPQRSTV"], 36).reference_front is None
    assert NGrams(("AV", "VC")).oracle is not None
    monkeypatch.setattr("moo.problems.ngrams.MOST_NODES", 9000)  # there are 9,120
    assert NGrams(("AV", "VC")).oracle is None


def test_a_problem_with_its_oracle_is_stored():
    problem = NGrams(("AV", "VC"), 12)
    before = problem.oracle.draw(torch.tensor([3, 5]), torch.Generator().manual_seed(0))
    again = pickle.loads(pickle.dumps(problem))
    assert torch.equal(again.oracle.draw(torch.tensor([3, 5]), torch.Generator().manual_seed(0)), before)


def test_a_search_finds_only_strings():
    result = moo.pareto_search(NGrams(("A", "V"), 8, 4), "random", budget=300, progress=False)
    assert len(result.objectives) > 1
    assert torch.equal(NGrams(("A", "V"), 8, 4).evaluate(result.solutions), result.objectives)


# --------------------------------------------------------------------------------------------------- faults
def test_strings_and_states_are_each_others_inverse():
    problem = NGrams()
    strings = random_strings(problem, 50)
    states = problem.encode(strings)
    assert problem.decode(states) == strings
    assert states.shape == (50, 40)
    assert problem.encode([]).shape == (0, 40)
    assert problem.decode(problem.start(1)) == [""]


def test_strings_that_the_problem_does_not_have():
    problem = NGrams(("AV", "VC"), 6, 3)
    with pytest.raises(ValueError, match=r"`strings` should have 3 to 6 letters, all of 'ACD.*String 1 is 'AV', 2 let"):
        problem.encode(["AVC", "AV"])
    with pytest.raises(ValueError, match=r"String 0 is 'AVCAVCA', 7 letters"):
        problem.encode(["AVCAVCA"])
    with pytest.raises(ValueError, match=r"String 0 is 'AVB', 3 letters"):
        problem.encode(["AVB"])


def test_states_that_have_no_values():
    problem = NGrams(("AV", "VC"), 6, 3)
    state = problem.step(problem.start(2), torch.tensor([0, 1]))[0]
    with pytest.raises(ValueError, match=r"`solutions` should be finished strings\. Row 0 is not: 'A'\."):
        problem.evaluate(state)
    with pytest.raises(ValueError, match=r"Row 1 is not: 'C'\."):
        problem.oracle.index(torch.cat([problem.encode(["AVC"]), state[1:]]))
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 10\]\. Found \[2, 6\]\."):
        problem.evaluate(state[:, :6])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"ngrams": ("AV", "AB")},
            r"`ngrams` should be made of the letters of `alphabet`, 'ACD.*'B' of 'AB' is none of",
        ),
        ({"ngrams": ("AV", "")}, r"`ngrams` should be made of the letters .* Here one is empty"),
        ({"ngrams": "AV"}, r"`ngrams` should be at least two different strings\. Found AV\."),
        ({"ngrams": ()}, r"`ngrams` should be at least two different strings\. Found none\."),
        ({"ngrams": ("AV", "VC", "AV")}, r"at least two different strings\. Found AV, VC, AV\."),
        ({"ngrams": ("AV", "VCA"), "length": 2}, r"`length` should be at least 3\. Found 2\."),
        ({"length": 20, "min_length": 33}, r"`min_length` should be from 0 to 20\. Found 33\."),
        ({"min_length": -1}, r"`min_length` should be from 0 to 36\. Found -1\."),
        ({"alphabet": "A"}, r"`alphabet` should be at least two different letters\. Found 'A'\."),
        ({"alphabet": "AVCA"}, r"`alphabet` should be at least two different letters\. Found 'AVCA'\."),
        ({"scale": 0.0}, r"`scale` should be above 0 and finite, what counts are divided by\. Found 0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        NGrams(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ngrams": ("AV", 3)}, r"`ngrams` should be strings, such as \['AV', 'VC'\]\. Found 3\."),
        ({"ngrams": 3}, r"`ngrams` should be strings, such as \['AV', 'VC'\]\. Found 3\."),
        ({"alphabet": 10}, r"`alphabet` should be a text of letters, such as 'ACD.*Found 10\."),
        ({"length": "long"}, r"`length` should be a whole number\. Found 'long'\."),
        ({"scale": "18"}, r"`scale` should be a number, what counts are divided by\. Found '18'\."),
    ],
)
def test_options_of_the_wrong_type(options, message):
    with pytest.raises(TypeError, match=message):
        NGrams(**options)
