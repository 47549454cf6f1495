import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from inputs import ToyVector

from moo.base import Candidates, Setting
from moo.choosing import make_tuner
from moo.corners import corner_preferences
from moo.indicators.volume import hypervolume
from moo.preferences import grid
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


def test_before_anything_is_observed_many_are_unit_vectors_and_few_cycle_the_lattice():
    assert torch.equal(bayesian(3).suggest(12).preferences, torch.eye(3, dtype=torch.float64).repeat(4, 1))
    tuner = bayesian(3)
    found = torch.cat([tuner.suggest(k).preferences for k in (1, 5, 8)])
    assert torch.equal(found, grid(3, 100)[:14])


def test_until_enough_is_observed_the_lattice_is_cycled():
    tuner = bayesian(3)
    observe(tuner, torch.eye(3), torch.eye(3))
    observe(tuner, torch.eye(3).repeat(9, 1), torch.eye(3).repeat(9, 1))  # the same three again
    found = torch.cat([tuner.suggest(k).preferences for k in (40, 2, 90)])
    assert torch.equal(found, grid(3, 100).repeat(2, 1)[:132])


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


def rows_of(found, among):
    """Which row of `among` each row of `found` is; every one must be there."""
    away = torch.cdist(found, among)
    assert (away.amin(dim=1) < 1e-6).all()  # cdist rounds
    return away.argmin(dim=1)


def test_many_cycle_the_corners_if_there_are_no_more_of_them_and_else_the_lattice():
    tuner = bayesian(spec="bayesian:guard=1")
    preferences = grid(2, 12)
    observe(tuner, circle(preferences), preferences)
    corners = corner_preferences(circle(preferences))  # 13: the unit vectors, and one between any two neighbours
    assert len(corners) == 13
    assert torch.equal(tuner.suggest(30).preferences, corners.repeat(3, 1)[:30])
    assert torch.equal(tuner.suggest(13).preferences, corners[(30 + torch.arange(13)) % 13])
    assert torch.equal(tuner.suggest(12).preferences, grid(2, 100)[43:55])
    observe(tuner, [[9.0, 9.0]], [[0.5, 0.5]])
    assert torch.equal(tuner.suggest(13).preferences[1:3], torch.eye(2, dtype=torch.float64))


def test_more_than_six_objectives_cycle_the_lattice():
    tuner = bayesian(7, "bayesian:guard=1")
    assert torch.equal(tuner.suggest(20).preferences, grid(7, 100)[:20])


@pytest.mark.parametrize("guard", [0.0, 0.4])
def test_preferences_are_passed_over_by_what_training_for_them_is_expected_to_bring(guard):
    """The gains are estimated anew, by draws of the returns that the model predicts, with and without the step."""
    tuner, lattice = bayesian(spec=f"bayesian:guard={guard}", budget=1000), grid(2, 100)
    preferences = grid(2, 21)
    preferences = preferences[(preferences[:, 0] - 0.5).abs() > 0.275]  # between, the model is unsure
    front = circle(preferences) * torch.tensor([1.0, 3.0])
    observe(tuner, front, preferences, cost=300)
    time = torch.full((100, 1), math.log1p(330) / math.log1p(1000), dtype=torch.float64)
    means, sd = tuner._model.moments(torch.cat([lattice.sqrt(), time], dim=1))
    spread = front.std(dim=0)
    steps = torch.stack([spread**2 * w / math.hypot(*(spread * w).tolist()) for w in lattice])
    normal = torch.randn(100, 2, dtype=torch.float64, generator=torch_generator(0, "normal"))
    before = hypervolume(front, [0.0, 0.0])

    def expected(centre, i):
        drawn = (centre[i] + sd[i] * normal).clamp_min(0)
        return np.mean([hypervolume(torch.cat([front, one[None]]), [0.0, 0.0]) - before for one in drawn])

    gains = torch.tensor([expected(means[0] + steps, i) - expected(means[0], i) for i in range(100)])
    chances = guard + (1 - guard) * (gains / gains.median()).clamp_max(1.0)
    chances[lattice.amax(dim=1) == 1] = 1.0
    found = torch.cat([tuner.suggest(10).preferences for _ in range(2500)])  # there are 11 corners
    counts = torch.bincount(rows_of(found, lattice), minlength=100) / (25_000 / chances.sum())
    assert (chances < 0.8).sum() > 30
    assert torch.allclose(counts, chances, atol=0.12)
    assert float((counts - chances).abs().mean()) < 0.03


def test_many_are_in_the_order_of_the_cycle():
    tuner = bayesian()
    with_a_gap(tuner)
    corners = corner_preferences(tuner._front)
    which = torch.cat([rows_of(tuner.suggest(25).preferences, corners) for _ in range(4)])
    ahead = which.diff().remainder(len(corners))
    assert (ahead > 0).all()
    assert (ahead == 1).double().mean() > 0.5
    assert (ahead > 1).any()


@pytest.mark.parametrize(("k", "rounds"), [(1, 150), (5, 30)])
def test_of_few_the_guarded_share_cycles_the_lattice(k, rounds):
    tuner = bayesian(spec="bayesian:guard=0.3")
    with_a_gap(tuner)
    found = torch.cat([tuner.suggest(k).preferences for _ in range(rounds)])
    same = (found[:, None] == grid(2, 100)[2:]).all(dim=2)  # without the unit vectors, which the pool has too
    cycled = same.any(dim=1)
    assert abs(float(cycled.double().mean()) - 0.3) < 0.1
    assert torch.equal(same[cycled].double().argmax(dim=1), torch.arange(int(cycled.sum())) % 98)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_a_full_guard_leaves_nothing_to_the_model(k):
    tuner = bayesian(spec="bayesian:guard=1")
    with_a_gap(tuner)
    assert torch.equal(tuner.suggest(k).preferences, grid(2, 100)[:k])


def test_it_looks_ahead_in_the_budget():
    """Where the first entry is below a half, returns rise with the budget; looking ahead, the gain is there."""
    shares = []
    for ahead in (0.0, 2.0):
        tuner = bayesian(spec=f"bayesian:guard=0,ahead={ahead}", budget=4000)
        preferences = grid(2, 20)
        rises = (preferences[:, :1] < 0.5).double()
        for used in range(1, 7):
            observe(tuner, circle(preferences) * (1 - 0.1 * (6 - used) * rises), preferences)
        shares.append(float((tuner.suggest(8).preferences[:, 0] < 0.5).double().mean()))
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
