"""Pareto set learning as a search: what it finds, what it answers, and that it keeps the rules of ask and tell."""

import pytest
import torch
from asserts import assert_same_candidates
from inputs import ToyVector

import moo
from moo.bayes import set_learner
from moo.bayes.beliefs import Beliefs
from moo.bayes.columns import Columns
from moo.bayes.maximise import best_rows
from moo.bayes.pareto_sets import OptimisticBound
from moo.bayes.set_search import SEARCHING
from moo.dominance import non_dominated
from moo.generators.bayesian import Bayesian
from moo.generators.pareto_set_learning import ParetoSetLearning
from moo.indicators.volume import hypervolume
from moo.metered import metered
from moo.options import resolve_options
from moo.preferences import dirichlet
from moo.seeding import torch_generator
from moo.space import Space, categorical, integer, real

SMALL = {"initial_points": 12, "batch": 3, "steps": 30, "step_preferences": 6, "candidates": 60}
WANTED = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]], dtype=torch.float64)


def make(problem=None, *, seed=0, budget=100, initial=None, **options):
    meter = metered(problem or ToyVector(), budget, seed)
    said = resolve_options(ParetoSetLearning.options, {**SMALL, **options}, "pareto-set-learning")
    return ParetoSetLearning(meter, budget=budget, seed=seed, device="cpu", initial=initial, **said), meter


def told(problem=None, rounds=1, **options):
    """A method that has been told its first points and so many batches."""
    method, meter = make(problem, **options)
    for _ in range(1 + rounds):
        method.step(None)
    return method, meter


def test_it_finds_more_than_its_first_points_and_than_random_ones():
    volumes = {}
    for name, options in (("pareto-set-learning", SMALL), ("random", {})):
        result = moo.pareto_search(ToyVector(dim=5), name, budget=30, options=options, progress=False, seed=1)
        volumes[name] = hypervolume(result.front.objectives, [1.5, 1.5], directions="min")
    assert volumes["pareto-set-learning"] > volumes["random"] + 0.2


@pytest.mark.parametrize("selection", ["hypervolume", "improvement"])
def test_every_selection_proposes_rows_near_the_front(selection):
    method, _ = told(rounds=2, selection=selection, steps=100)
    rows = method.ask(3).solutions
    # the front of the toy is the segment between (1, 0, 0) and (0, 1, 0)
    away = (rows[:, 0] + rows[:, 1] - 1).abs() + rows[:, 2]
    assert away.median() < 0.2


def test_the_first_rows_are_spread_and_a_row_known_beforehand_counts():
    method, meter = make()
    first = method.ask(12)
    cells = (first.solutions[:8] * 2).floor() @ torch.tensor([1.0, 2.0, 4.0]).double()
    assert len(cells.unique()) == 8  # a net: one in each octant
    known = meter.evaluate(first.solutions[:11])
    begun, _ = make(initial=known)
    begun.ask(1)
    assert begun._learner.rounds == 0
    begun.ask(1)
    assert begun._learner.rounds == 1


def test_a_set_learns_only_when_something_was_told():
    method, meter = told(rounds=0)
    learner = method._learner
    assert learner.rounds == 0
    rows = method.ask(2)
    method.ask(2)
    assert learner.rounds == 1
    method.tell(meter.evaluate(rows.solutions, extras=rows.extras))
    method.ask(1)
    assert learner.rounds == 2


def test_a_batch_is_the_leading_part_of_a_larger_one():
    (first, _), (second, _), (third, _) = told(), told(), told()
    whole = first.ask(5)
    assert_same_candidates(second.ask(2), whole.rows(slice(2)))
    apart = [third.ask(1) for _ in range(5)]
    assert torch.equal(torch.cat([part.solutions for part in apart]), whole.solutions)


def test_a_batch_is_the_greedy_one_of_brute_force():
    method, meter = told()
    search = method
    rows = method.ask(3).solutions
    known = search._ledger.ordered
    known = known.rows(~known.failed)
    surrogate = search._beliefs.about(known)[2]
    centre, scale = known.objectives.mean(0), known.objectives.std(0, correction=0)
    bound = OptimisticBound(surrogate, 1.0, centre=centre, scale=scale)
    drawn = dirichlet(60, 2, torch_generator(0, "candidates", search._learner.rounds))
    candidates = method.sample(drawn)
    values, front = bound.values(candidates), bound.scaled(known.objectives)
    best = front[non_dominated(front)]
    point = torch.cat([best, bound.scaled(meter.reference_point)[None]]).amin(0)
    for row in rows:
        volumes = [float(hypervolume(torch.cat([front, value[None]]), point)) for value in values]
        chosen = max(range(60), key=lambda k: volumes[k])
        assert torch.allclose(candidates[chosen], row, atol=1e-12)
        front = torch.cat([front, values[chosen][None]])


def test_no_row_is_proposed_twice():
    class Flat(ToyVector):
        def evaluate(self, solutions, generator=None):
            return torch.zeros(len(solutions), 2, dtype=torch.float64)

    method, _ = told(Flat(), rounds=4, steps=3)
    rows = torch.cat([method._ledger.known.solutions, method.ask(5).solutions])
    assert torch.cdist(rows, rows, p=float("inf")).add(torch.eye(len(rows))).min() > 1e-6


@pytest.mark.parametrize("selection", ["hypervolume", "improvement"])
def test_a_small_space_is_used_up_row_by_row(selection):
    problem = ToyVector(dim=2)
    problem.space = Space((integer(0, 4), integer(0, 4)))
    method, _ = make(problem, initial_points=5, selection=selection, steps=5)
    seen = [method.step(None).solutions for _ in range(9)]
    assert method.finished == "every row of the space has been tried"
    assert len(torch.cat(seen)) == len(torch.cat(seen).unique(dim=0)) == 25


def test_samples_follow_the_preference_and_neither_learn_nor_evaluate():
    method, meter = told(rounds=3, steps=150)
    used, state = meter.used, str(method.state_dict())
    rows = method.sample(WANTED)
    assert (meter.used, str(method.state_dict())) == (used, state)
    assert torch.equal(rows, method.sample(WANTED, seed=5))
    found = ToyVector().evaluate(rows)  # minimised
    assert (found[:, 0].diff() > 0).all()
    assert (found[:, 1].diff() < 0).all()


def test_before_anything_is_learned_samples_are_those_of_a_new_network():
    method, _ = make()
    first, again, other = (method.sample(WANTED, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_samples_need_preferences():
    with pytest.raises(ValueError, match="shape \\[k, 2\\]"):
        make()[0].sample(torch.full((2, 3), 1 / 3))


def test_failed_rows_teach_nothing(monkeypatch):
    taught, about = [], Beliefs.about
    monkeypatch.setattr(Beliefs, "about", lambda self, told: taught.append(told) or about(self, told))
    method, meter = told(ToyVector(fails="nan", fails_below=0.3), rounds=2)
    assert meter.used == 18
    assert taught
    assert not any(known.failed.any() for known in taught)
    assert method._ledger.known.failed.any()


def test_noisy_values_are_replaced_by_what_is_believed_of_them():
    told_rows = {}
    for noise in ("none", "learned"):
        method, _ = told(noise=noise, rounds=0)
        known = method._ledger.ordered
        surrogate = method._beliefs.about(known)[2]
        told_rows[noise] = method._reached(known, surrogate)
        believed = surrogate.moments(known.solutions)[0][0]
        assert torch.equal(told_rows[noise], known.objectives if noise == "none" else believed)
    assert not torch.equal(*told_rows.values())


CHANGED = {
    "steps": 20,
    "step_preferences": 3,
    "rate": 1e-2,
    "optimism": 2.0,
    "deviation": "variance",
    "units": "own",
    "reference": "worst",
    "score_every": 30,
    "warm_start": True,
    "candidates": 20,
    "selection": "improvement",
    "noise": "learned",
    "initial_points": 10,
}


def test_all_options_are_tried_here():
    assert set(SEARCHING) == set(CHANGED) | {"batch"}


@pytest.mark.parametrize("name", CHANGED)
def test_every_option_changes_the_search(name):
    rounds = 2 if name == "warm_start" else 1
    plain, changed = (told(rounds=rounds, **options)[0] for options in ({}, {name: CHANGED[name]}))
    assert not torch.equal(plain.ask(3).solutions, changed.ask(3).solutions)
    assert not torch.equal(plain.sample(WANTED), changed.sample(WANTED)) or name in ("candidates", "selection")


# --- a learned set in the search of another method --------------------------------------------------------------------
BAYES = {"initial_points": 10, "raw_samples": 16, "restarts": 2, "fantasies": 4}


def bayesian(problem=None, **options):
    meter = metered(problem or ToyVector(), 100, 0)
    said = resolve_options(Bayesian.options, {**BAYES, **options}, "bayesian")
    return Bayesian(meter, budget=100, seed=0, device="cpu", initial=None, **said)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(set_learner, "STEPS", 5)


def test_rows_of_a_learned_set_are_screened_with_the_others(short, monkeypatch):
    seen = []

    def watched(*arguments, **settings):
        seen.append(settings["further"])
        return best_rows(*arguments, **settings)

    monkeypatch.setattr("moo.generators.bayesian.best_rows", watched)
    method = bayesian(set_candidates=7)
    method.step(None)
    method.step(None)
    (rows,) = seen
    assert rows.shape == (7, 3)
    drawn = dirichlet(7, 2, torch_generator(0, "set candidates", 10))
    assert torch.equal(rows, method._set._learner.rows(drawn))


def test_the_best_of_further_rows_is_found_where_nothing_climbs():
    columns, stream = Columns(ToyVector().space), torch.Generator().manual_seed(0)
    best = torch.full((1, 3), 0.123456, dtype=torch.float64)

    def worth(rows, versions=None):
        return 1 - 1e3 * (rows - best).abs().amax(dim=1) + 0 * rows.sum(1)

    options = {"raw": 16, "restarts": 1, "iterations": 1}
    assert torch.allclose(best_rows(worth, columns, best[:0], stream, **options, further=best)[0], best[0], atol=1e-9)
    assert not torch.allclose(best_rows(worth, columns, best[:0], stream, **options)[0], best[0], atol=1e-9)


def test_the_set_of_another_method_goes_on_where_it_was(short):
    method, fresh = bayesian(set_candidates=7), bayesian(set_candidates=7)
    for _ in range(2):
        method.step(None)
    fresh.load_state_dict(method.state_dict())
    assert fresh._set._learner.rounds == method._set._learner.rounds == 1
    assert_same_candidates(fresh.ask(2), method.ask(2))


def test_without_set_candidates_nothing_is_learned():
    method = bayesian()
    method.step(None)
    method.step(None)
    assert method._set is None
    assert method.state_dict()["set"] is None


def test_set_candidates_need_slopes_and_our_own_search():
    problem = ToyVector()
    problem.space = Space((real(0, 1), real(0, 1), categorical(["a", "b"])))
    with pytest.raises(ValueError, match="`set_candidates` should be 0 where columns are categorical"):
        bayesian(problem, set_candidates=7)
    with pytest.raises(ValueError, match="takes no `set_candidates`"):
        bayesian(set_candidates=7, acquisition="qlogehvi", surrogate="botorch")
