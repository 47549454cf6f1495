import math

import pytest
import torch

from moo.gflow.rewards import FOCUS, SCALARISATIONS, RewardScale, cosine, log_reward

OBJECTIVES = torch.tensor([[0.2, 0.8], [0.5, 0.5], [0.0, 1.0], [0.9, 0.1]], dtype=torch.float64)
PREFERENCE = torch.tensor([0.3, 0.7], dtype=torch.float64)


def test_weighted_sum():
    expected = [math.log(0.3 * a + 0.7 * b) for a, b in OBJECTIVES.tolist()]
    assert log_reward(OBJECTIVES, PREFERENCE, "weighted-sum").tolist() == pytest.approx(expected)


def test_log_sum():
    expected = [0.3 * math.log(max(a, 0.01)) + 0.7 * math.log(max(b, 0.01)) for a, b in OBJECTIVES.tolist()]
    assert log_reward(OBJECTIVES, PREFERENCE, "log-sum", floor=0.01).tolist() == pytest.approx(expected)


def test_tchebycheff_falls_as_points_get_worse():
    """The published code rewards distance from the ideal point; the sign matters."""
    ideal = log_reward(torch.ones(2), PREFERENCE, "tchebycheff")
    near, far = log_reward(torch.tensor([[0.9, 0.9], [0.1, 0.1]]), PREFERENCE, "tchebycheff")
    assert ideal > near > far
    expected = [-(max(0.3 * (1 - a), 0.7 * (1 - b)) + 0.05 * (0.3 * (1 - a) + 0.7 * (1 - b))) for a, b in OBJECTIVES]
    assert log_reward(OBJECTIVES, PREFERENCE, "tchebycheff").tolist() == pytest.approx([float(e) for e in expected])


def test_points_of_a_concave_front_can_be_the_likeliest():
    first = torch.linspace(0.05, 0.95, 10, dtype=torch.float64)
    front = torch.stack([first, (1 - first**0.5) ** 2], dim=1)  # bulges towards the origin
    share = torch.linspace(0, 1, 1001, dtype=torch.float64)
    preferences = torch.stack([share, 1 - share], dim=1)
    best = {name: log_reward(front, preferences[:, None], name).argmax(dim=1).unique() for name in SCALARISATIONS}
    assert len(best["tchebycheff"]) >= 8  # the augmentation costs the ends
    assert len(best["goal"]) >= 8  # a cone can hold a neighbour of more reward
    assert len(best["weighted-sum"]) == 2


def test_a_goal_is_worth_ten_times_its_edge_and_falls_on_outside():
    angle = torch.tensor([0.0, math.acos(FOCUS), 0.3, 0.5], dtype=torch.float64)
    points = torch.stack([(math.pi / 4 + angle).cos(), (math.pi / 4 + angle).sin()], dim=1)
    points = points / points.sum(dim=1, keepdim=True)  # of equal sums
    on_axis, edge, outside, far = log_reward(points, torch.tensor([0.5, 0.5]).double(), "goal").tolist()
    assert math.exp(on_axis - edge) == pytest.approx(10)
    assert on_axis > edge > outside > far > on_axis - 15
    across = log_reward(torch.tensor([[0.0, 1.0]]).double(), torch.tensor([1.0, 0.0]).double(), "goal")
    assert across.item() == pytest.approx(math.log(0.5) - 15)


def test_zero_rows_have_a_cosine_of_zero_and_finite_rewards():
    zeros = torch.zeros(1, 2, dtype=torch.float64)
    assert cosine(zeros, PREFERENCE).item() == 0
    for name in SCALARISATIONS:
        assert torch.isfinite(log_reward(zeros, PREFERENCE, name)).all(), name


def test_broadcasts_over_preferences():
    preferences = torch.tensor([[0.3, 0.7], [1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    for name in SCALARISATIONS:
        table = log_reward(OBJECTIVES[:, None], preferences, name)
        assert table.shape == (4, 3)
        for column in range(3):
            assert torch.allclose(table[:, column], log_reward(OBJECTIVES, preferences[column], name))


def test_an_unknown_scalarisation_lists_the_known_ones():
    with pytest.raises(ValueError, match="weighted-sum"):
        log_reward(OBJECTIVES, PREFERENCE, "weightedsum")


def test_a_scale_is_fixed_once_and_stored():
    scale = RewardScale(unit=False)
    assert not scale.fixed
    scale.fix(torch.tensor([[-4.0, 2.0], [-2.0, 1.0]]), torch.tensor([-6.0, 2.0]))
    other = RewardScale(unit=False)
    other.load_state_dict(scale.state_dict())
    for one in (scale, other):
        assert one.fixed
        found = one(torch.tensor([[-6.0, 2.0], [-2.0, 3.0], [-9.0, 0.0], [0.0, 0.0]]))
        assert found.tolist() == [[0, 0], [1, 1], [0, 0], [1.5, 0]]  # no range: as it is


def test_unit_objectives_stay_as_they_are():
    scale = RewardScale(unit=True)
    assert scale.fixed
    assert torch.equal(scale(OBJECTIVES), OBJECTIVES)
