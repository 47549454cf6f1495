import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from inputs import ToyVector
from scipy import stats

from moo.base import Candidates, Setting
from moo.choosing import make_tuner
from moo.indicators.volume import hypervolume
from moo.preferences import dirichlet, grid
from moo.search import pareto_search
from moo.seeding import torch_generator

NAN = float("nan")


class Maximised(ToyVector):
    """Only names what a tuner reads: m maximised objectives from 0."""

    def __init__(self, num_objectives=2):
        super().__init__(num_objectives, directions=("max",) * num_objectives)
        self.reference_point = [0.0] * num_objectives


def bayesian(num_objectives=2, spec="bayesian", seed=0, problem=None, budget=1000):
    problem = problem or Maximised(num_objectives)
    return make_tuner(spec, problem, "toy-conditional", budget=budget, seed=seed)[0]


def circle(preferences):
    """The return of a preference that is served as well as can be: on the unit sphere."""
    return preferences / preferences.norm(dim=1, keepdim=True)


def told(objectives, preferences, **extras):
    rows = torch.as_tensor(objectives, dtype=torch.float64)
    return Candidates.of(torch.zeros(len(rows), 1), rows, torch.as_tensor(preferences, dtype=torch.float64), **extras)


def observe(tuner, objectives, preferences, cost=100, **extras):
    tuner.observe(Setting(), told(objectives, preferences, **extras), cost)


def with_a_gap(tuner):
    """Tell the returns of preferences whose first entry is below .25 or above .75; between, nothing is known."""
    preferences = grid(2, 41)
    known = preferences[(preferences[:, 0] - 0.5).abs() > 0.25]
    observe(tuner, circle(known), known)


def share_in_gap(preferences):
    return float(((preferences[:, 0] - 0.5).abs() < 0.25).double().mean())


@pytest.mark.parametrize("num_objectives", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_preferences_lie_on_the_simplex_before_and_after_anything_is_known(num_objectives, k):
    tuner = bayesian(num_objectives)
    for _ in range(2):
        found = tuner.suggest(k).preferences
        assert found.shape == (k, num_objectives)
        assert found.dtype == torch.float64
        assert (found >= 0).all()
        assert torch.allclose(found.sum(dim=1), torch.ones(k, dtype=torch.float64))
        preferences = grid(num_objectives, 20)
        observe(tuner, circle(preferences), preferences)


def test_until_enough_is_observed_draws_are_uniform():
    tuner = bayesian(3)
    observe(tuner, torch.eye(3), torch.eye(3))
    observe(tuner, torch.eye(3).repeat(9, 1), torch.eye(3).repeat(9, 1))  # the same three again
    drawn = tuner.suggest(2000).preferences
    assert stats.kstest(1 - (1 - drawn[:, 0].numpy()) ** 2, "uniform").pvalue > 0.01
    assert torch.equal(drawn, dirichlet(2000, 3, torch_generator(0, "bayesian", 0)))


def test_many_picks_concentrate_where_the_gain_is():
    tuner = bayesian(spec="bayesian:guard=0")
    with_a_gap(tuner)
    assert share_in_gap(tuner.suggest(1000).preferences) > 0.9
    assert share_in_gap(dirichlet(1000, 2, torch_generator(0, "other"))) < 0.6


@pytest.mark.parametrize("k", [1, 4])
def test_few_picks_lie_where_the_gain_is(k):
    tuner = bayesian(spec="bayesian:guard=0")
    with_a_gap(tuner)
    assert share_in_gap(tuner.suggest(k).preferences) == 1.0


def test_few_picks_are_apart_from_each_other():
    tuner = bayesian(spec="bayesian:guard=0")
    with_a_gap(tuner)
    found = tuner.suggest(4).preferences
    assert torch.pdist(found).min() > 0.03
    volumes = [hypervolume(circle(rows), [0.0, 0.0]) for rows in (found, found[:1].repeat(4, 1))]
    assert volumes[0] > 1.1 * volumes[1]


@pytest.mark.parametrize(("temperature", "sharper"), [(1.0, 1.0), (0.5, 2.0), (3.0, 1 / 3)])
def test_many_picks_are_in_proportion_to_the_gain(temperature, sharper):
    """The gains are estimated anew: by draws of the returns that the tuner's model predicts."""
    tuner = bayesian(spec=f"bayesian:guard=0,temperature={temperature}", budget=1000)
    preferences = grid(2, 12)
    observe(tuner, circle(preferences) * 0.8, preferences, cost=300)
    noisy = preferences[torch.arange(12) % 2 == 0]
    observe(tuner, circle(noisy), noisy, cost=300)
    pool, rows = tuner._pool()
    assert torch.allclose(rows[:, :2], pool.sqrt())
    assert torch.allclose(rows[:, 2], torch.log1p(torch.tensor(660.0).double()) / torch.log1p(torch.tensor(1000.0)))
    means, sd = tuner._model.moments(rows)
    normal = torch.randn(400, 1, 2, dtype=torch.float64, generator=torch_generator(0, "normal"))
    drawn = means + sd * normal
    front = torch.cat([circle(noisy), circle(preferences) * 0.8])
    before = hypervolume(front, [0.0, 0.0])
    picked = torch.arange(0, len(pool), 8)
    gains = torch.tensor(
        [
            sum(hypervolume(torch.cat([front, one[None]]), [0.0, 0.0]) - before for one in drawn[:100, i].clamp_min(0))
            / 100
            for i in picked.tolist()
        ]
    )
    found = tuner.suggest(200_000).preferences
    counts = torch.tensor([float((found == row).all(dim=1).sum()) for row in pool[picked]])
    slope, _ = np.polyfit(gains.log().numpy(), counts.log().numpy(), 1)  # of chances, on logarithmic axes
    assert slope == pytest.approx(sharper, rel=0.15)
    assert np.corrcoef(gains.log().numpy(), counts.log().numpy())[0, 1] > 0.95


@pytest.mark.parametrize(("k", "rounds"), [(1, 300), (5, 60), (40, 50)])
def test_the_guarded_share_is_uniform_and_as_large_as_said(k, rounds):
    """What is drawn uniformly is found by its being off the pool."""
    tuner = bayesian(spec="bayesian:guard=0.3")
    with_a_gap(tuner)
    pool = {tuple(row) for row in tuner._pool()[0].tolist()}
    found = torch.cat([tuner.suggest(k).preferences for _ in range(rounds)])
    blind = torch.tensor([tuple(row) not in pool for row in found.tolist()])
    assert abs(float(blind.double().mean()) - 0.3) < 0.06
    assert stats.kstest(found[blind, 0].numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("k", [1, 3, 20])
def test_a_full_guard_leaves_nothing_to_the_model(k):
    tuner = bayesian(spec="bayesian:guard=1")
    with_a_gap(tuner)
    assert torch.equal(tuner.suggest(k).preferences, dirichlet(k, 2, torch_generator(0, "bayesian", 0)))


def test_it_looks_ahead_in_the_budget():
    """Where the first entry is below a half, returns rise with the budget; looking ahead, the gain is there."""
    shares = []
    for ahead in (0.0, 2.0):
        tuner = bayesian(spec=f"bayesian:guard=0,ahead={ahead}", budget=4000)
        preferences = grid(2, 20)
        rises = (preferences[:, :1] < 0.5).double()
        for used in range(1, 7):
            observe(tuner, circle(preferences) * (1 - 0.1 * (6 - used) * rises), preferences)
        shares.append(float((tuner.suggest(2000).preferences[:, 0] < 0.5).double().mean()))
    assert shares[1] > shares[0] + 0.1, shares


def test_returns_come_maximised_and_the_reference_point_is_turned():
    """Told the negated objectives of a minimised problem, it does as told a maximised one."""
    minimised = ToyVector(2)
    mirrored = SimpleNamespace(
        num_objectives=2, directions=("max", "max"), reference_point=[-4.0, -4.0], name="mirrored"
    )
    one, other = bayesian(problem=minimised), bayesian(problem=mirrored)
    preferences = grid(2, 20)
    for tuner in (one, other):
        observe(tuner, -circle(preferences), preferences)
    assert torch.equal(one._point, torch.tensor([-4.0, -4.0], dtype=torch.float64))
    assert torch.equal(one.suggest(20).preferences, other.suggest(20).preferences)


@pytest.mark.parametrize("num_objectives", [2, 4])
def test_without_a_reference_point_it_is_inferred(num_objectives):
    nameless = SimpleNamespace(num_objectives=num_objectives, directions=("max",) * num_objectives)
    tuner = bayesian(problem=nameless)
    preferences = grid(num_objectives, 20)
    observe(tuner, circle(preferences), preferences)
    assert torch.allclose(tuner._reference_point(), torch.full((num_objectives,), -0.1, dtype=torch.float64))
    assert tuner.suggest(20).preferences.shape == (20, num_objectives)


def test_failed_and_infeasible_rows_count_for_nothing_and_unasked_ones_for_the_front():
    tuner, other = bayesian(), bayesian()
    preferences = grid(2, 20)
    observe(tuner, circle(preferences), preferences)
    bad = torch.arange(22) >= 20
    rows = torch.cat([circle(preferences), torch.full((2, 2), NAN, dtype=torch.float64)])
    observe(other, rows, torch.cat([preferences, preferences[:2]]), cost=50, failed=bad)
    observe(other, [[9.0, 9.0]], [[0.5, 0.5]], cost=50, constraints=torch.ones(1, 1))
    tuner._told[:, 2], other._told[:, 2] = 100.0, 100.0
    assert torch.equal(tuner._told, other._told)
    assert torch.equal(tuner._front, other._front)
    observe(other, [[0.9, 1.0]], [[NAN, NAN]])
    assert other._front[0].tolist() == [0.9, 1.0]
    assert (other._front[1:, 0] > 0.9).all()
    assert len(other._told) == 20
    other.observe(Setting(), Candidates.empty((1,), 2), 7)
    assert other._used == 207


def test_the_model_is_told_the_latest_rows():
    tuner = bayesian(spec="bayesian:rows=30")
    preferences = grid(2, 20)
    for _ in range(3):
        observe(tuner, circle(preferences), preferences)
    assert len(tuner._told) == 30
    assert tuner._told[:, 2].tolist() == [200.0] * 10 + [300.0] * 20


@pytest.mark.parametrize("k", [2, 30])
def test_state_goes_on_exactly(k):
    tuner, other = bayesian(3), bayesian(3)
    preferences = grid(3, 20)
    for _ in range(2):
        observe(tuner, circle(preferences), preferences)
        tuner.suggest(k)
    other.load_state_dict(tuner.state_dict())
    for _ in range(2):
        assert torch.equal(tuner.suggest(k).preferences, other.suggest(k).preferences)
        for each in (tuner, other):
            observe(each, circle(preferences) * 1.1, preferences)


def test_seeds_differ_and_repeat():
    found = []
    for seed in (0, 0, 1):
        tuner = bayesian(seed=seed)
        with_a_gap(tuner)
        found.append(tuner.suggest(30).preferences)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_a_search_stopped_and_resumed_ends_the_same(tmp_path):
    arguments = {"preferences": "bayesian", "progress": False, "seed": 3}
    whole = pareto_search(ToyVector(2), "toy-conditional", budget=200, **arguments)
    pareto_search(ToyVector(2), "toy-conditional", budget=100, checkpoint=tmp_path, **arguments)
    resumed = pareto_search(ToyVector(2), "toy-conditional", budget=200, checkpoint=tmp_path, **arguments)
    assert torch.equal(whole.additions.objectives, resumed.additions.objectives)
    assert torch.equal(whole.additions.preferences, resumed.additions.preferences)


def test_a_suggestion_takes_little_time():
    tuner = bayesian(6)
    preferences = grid(6, 50)
    observe(tuner, circle(preferences), preferences)
    began = time.process_time()
    for _ in range(2):
        observe(tuner, circle(preferences), preferences)
        for _ in range(10):
            tuner.suggest(64)
    assert (time.process_time() - began) / 20 < 0.5  # ten times what it takes
