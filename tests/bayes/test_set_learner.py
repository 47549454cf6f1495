"""A set learned again and again: against closed forms, torch's own layers and volumes written out."""

from types import SimpleNamespace

import pytest
import torch
from inputs import ToyVector
from segment import Segment, on_segment

from moo.base import Candidates
from moo.bayes import set_learner
from moo.bayes.columns import Columns
from moo.bayes.pareto_sets import FLOOR, SetModel, plain_descent, train
from moo.bayes.set_learner import LEARNING, SetCandidates, SetLearner
from moo.indicators.volume import hypervolume
from moo.metered import metered
from moo.preferences import dirichlet, grid
from moo.seeding import torch_generator
from moo.space import Space, categorical, real

KNOWN = torch.tensor([[-0.5, -4.0], [-2.0, -1.0], [-3.0, -9.0]], dtype=torch.float64)  # the last one is dominated
POINT = torch.tensor([-1.0, -5.0], dtype=torch.float64)
SQUARE = Columns(Space((real(0, 1), real(0, 1))))
WANTED = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]], dtype=torch.float64)
SEEN = torch.tensor([[-0.1, -0.5], [-0.5, -0.1], [-0.3, -0.3]], dtype=torch.float64)  # so that the ideal point is 0


def said(**options):
    return SimpleNamespace(**{**{name: option.default for name, option in LEARNING.items()}, "steps": 4, **options})


def learner(monkeypatch=None, *, seed=5, **options):
    """A learner of the segment, and what it hands to training."""
    handed = []

    def watched(model, bound, descent, ideal, score, stream, **settings):
        handed.append((model.parameters.clone(), ideal, score))
        train(model, bound, descent, ideal, score, stream, **settings)

    if monkeypatch is not None:
        monkeypatch.setattr(set_learner, "train", watched)
    return SetLearner(2, SQUARE, plain_descent, said(**options), seed), handed


def learn(found, known=KNOWN, point=POINT):
    found.learn(found.bound(Segment(), known), known, point)
    return found


def literal_rows(parameters, preferences):
    """What the network of these parameters gives, by torch's own layers."""
    model = SetModel(2, 2, torch.Generator())
    model.parameters = parameters
    values = preferences + FLOOR
    for number, (matrix, biases) in enumerate(model.layers()):
        values = torch.nn.functional.linear(values if number == 0 else values.relu(), matrix, biases)
    return values.sigmoid()


# --- what is learned --------------------------------------------------------------------------------------------------
def test_a_learned_set_gives_the_known_solution_of_each_preference():
    options = {"steps": 400, "score_every": 20, "units": "own", "optimism": 0.0}
    found = learn(learner(**options)[0], SEEN, torch.full((2,), -0.6).double())
    assert (found.rows(WANTED) - on_segment(WANTED)).abs().amax() < 0.06


def test_rows_are_those_of_the_stored_network():
    found = learn(learner()[0])
    parameters = found.state_dict()["parameters"]
    assert torch.allclose(found.rows(WANTED), literal_rows(parameters, WANTED), rtol=1e-12)
    assert torch.equal(found.rows(WANTED, seed=1), found.rows(WANTED, seed=2))  # what was learned needs no seed


def test_before_anything_is_learned_rows_are_those_of_a_new_network_of_the_seed():
    found, _ = learner()
    fresh = SetModel(2, 2, torch_generator(3, "unlearned set")).parameters
    assert torch.allclose(found.rows(WANTED, seed=3), literal_rows(fresh, WANTED), rtol=1e-12)
    assert not torch.equal(found.rows(WANTED, seed=3), found.rows(WANTED, seed=4))
    assert found.rounds == 0


def test_what_is_learned_follows_from_the_seed():
    first, same, other = (learn(learner(seed=seed)[0]).rows(WANTED) for seed in (5, 5, 6))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


# --- what it is learned by --------------------------------------------------------------------------------------------
def test_standard_units_are_those_of_the_values_told():
    bound = learner(optimism=0.0)[0].bound(Segment(), KNOWN)
    scaled = bound.scaled(KNOWN)
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(2).double())
    torch.testing.assert_close(scaled.square().mean(dim=0), torch.ones(2).double())
    values = Segment().moments(WANTED)[0][0]
    torch.testing.assert_close(bound.values(WANTED), bound.scaled(values))


def test_an_objective_that_never_differs_is_not_divided_by_nothing():
    same = torch.tensor([[-0.5, -2.0], [-1.5, -2.0]], dtype=torch.float64)
    assert learner()[0].bound(Segment(), same).scaled(same).tolist() == [[1.0, 0.0], [-1.0, 0.0]]


def test_own_units_are_the_problems():
    assert torch.equal(learner(units="own")[0].bound(Segment(), KNOWN).scaled(KNOWN), KNOWN)


@pytest.mark.parametrize(
    ("deviation", "optimism", "added"), [("std", 3.0, 1.5), ("variance", 3.0, 0.75), ("std", 0.0, 0.0)]
)
def test_deviations_are_added_as_many_times_as_said(deviation, optimism, added):
    class Unsure(Segment):
        def moments(self, rows):
            return super().moments(rows)[0], torch.full((len(rows), 2), 0.5, dtype=torch.float64)

    found, _ = learner(units="own", deviation=deviation, optimism=optimism)
    values = found.bound(Unsure(), KNOWN).values(WANTED)
    torch.testing.assert_close(values, Segment().moments(WANTED)[0][0] + added)


@pytest.mark.parametrize(
    ("units", "expected"),
    [("own", [0.0, 0.0]), ("standard", [1.297 + 0.1, 1.111 + 0.1])],  # (-.5 + 1.8333) / 1.0274, (-1 + 4.6667) / 3.2998
)
def test_the_ideal_point_is_a_little_better_than_the_best_values(units, expected, monkeypatch):
    found, handed = learner(monkeypatch, units=units)
    learn(found)
    assert handed[0][1].tolist() == pytest.approx(expected, abs=2e-3)
    learn(found, KNOWN + 2.0)
    assert handed[1][1].tolist() == pytest.approx([1.6, 1.1] if units == "own" else expected, abs=2e-3)


@pytest.mark.parametrize("reference", ["front", "worst"])
def test_a_set_is_scored_by_the_hypervolume_of_even_preferences(reference, monkeypatch):
    found, handed = learner(monkeypatch, reference=reference, units="own", deviation="variance", optimism=0.0)
    learn(found)
    model = SetModel(2, 2, torch.Generator().manual_seed(0))
    values = Segment().moments(model.rows(grid(2, 200)))[0][0]
    front = KNOWN[:2]  # whose worst values are (-2, -4): the point is worse in the second alone
    point = torch.tensor([-2.0, -5.0]).double() if reference == "front" else torch.cat([front, values]).amin(0)
    assert handed[0][2](model) == pytest.approx(float(hypervolume(values, point)))


# --- again and again --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("warm", [True, False])
def test_a_warm_start_goes_on_from_the_last_network(warm, monkeypatch):
    found, handed = learner(monkeypatch, warm_start=warm)
    before = learn(found).state_dict()["parameters"]
    learn(found)
    assert torch.equal(handed[1][0], before) is warm
    assert not torch.equal(handed[0][0], handed[1][0])
    assert found.rounds == 2


def test_a_stored_learner_goes_on_where_it_was():
    (first, _), (second, _) = learner(warm_start=True), learner(warm_start=True)
    learn(first)
    second.load_state_dict(first.state_dict())
    learn(first)
    learn(second)
    assert torch.equal(first.rows(grid(2, 5)), second.rows(grid(2, 5)))


# --- for another method -----------------------------------------------------------------------------------------------
def candidates(count=6, *, seed=2, reference=True):
    problem = ToyVector(dim=2, reference=reference)
    return SetCandidates(metered(problem, 100, 0), SQUARE, count, seed)


def told(objectives=SEEN):
    return Candidates.of(torch.zeros(len(objectives), 2, dtype=torch.float64), objectives)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(set_learner, "STEPS", 5)


def test_candidates_come_to_lie_on_the_known_set():
    found, away = candidates(50), []
    for asked in (0, 1):
        drawn = dirichlet(50, 2, torch_generator(2, "set candidates", asked))
        away.append((found.rows(Segment(), told(), asked) - on_segment(drawn)).norm(dim=1).mean())
    unlearned = (0.5 - on_segment(drawn)).norm(dim=1).mean()  # all in the middle
    assert away[1] < 0.9 * away[0] < 0.9 * unlearned


def test_candidates_are_the_sets_rows_for_drawn_preferences(short):
    found = candidates(6, seed=2)
    rows = found.rows(Segment(), told(), 7)
    drawn = dirichlet(6, 2, torch_generator(2, "set candidates", 7))
    assert torch.allclose(rows, literal_rows(found.state_dict()["parameters"], drawn), rtol=1e-12)


def test_rows_that_lack_an_objective_teach_nothing(short):
    gap = torch.tensor([[float("nan"), 5.0]], dtype=torch.float64)
    whole, gaps = (candidates().rows(Segment(), told(rows), 0) for rows in (SEEN, torch.cat([SEEN[:1], gap, SEEN[1:]])))
    assert torch.equal(whole, gaps)


def test_without_a_reference_point_or_a_whole_row_there_are_no_candidates(short):
    gap = torch.tensor([[float("nan"), 5.0]], dtype=torch.float64)
    assert candidates().rows(Segment(), told(gap), 0) is None
    assert candidates(reference=False).rows(Segment(), told(), 0) is None


def test_candidates_go_on_from_the_last_set_and_after_storing(short):
    first, second = candidates(), candidates()
    first.rows(Segment(), told(), 0)
    second.load_state_dict(first.state_dict())
    assert second.state_dict()["rounds"] == 1
    assert torch.equal(first.rows(Segment(), told(), 1), second.rows(Segment(), told(), 1))
    assert not torch.equal(candidates().rows(Segment(), told(), 1), first.rows(Segment(), told(), 1))


def test_candidates_need_slopes():
    problem = ToyVector(dim=2)
    problem.space = Space((real(0, 1), categorical(["a", "b"])))
    with pytest.raises(ValueError, match="`set_candidates` should be 0 where columns are categorical"):
        SetCandidates(metered(problem, 10, 0), Columns(problem.space), 5, 0)
