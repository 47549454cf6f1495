"""Soups: experts learn alone from one beginning, and averages are those of their weights."""

import pytest
import torch

import moo
from moo.base import Setting
from moo.generators.fixed_weights import FixedWeights
from moo.generators.reward_soup import RewardSoup
from moo.metered import metered
from moo.options import resolve_options
from moo.storage import read_state, write_state

BANDIT = "bandit:arms=6,num_objectives=2,layout=3"
SMALL = {"copies": 16, "hidden": 8, "layers": 1, "learning_rate": 0.03}


def a_method(kind=RewardSoup, budget=10**6, **options):
    said = resolve_options(kind.options, {**SMALL, **options}, "it")
    return kind(metered(moo.get_problem(BANDIT), budget, 0), budget=budget, seed=0, device="cpu", **said)


def actor(method):
    return method.net.rows(actor_alone=True)


def test_experts_begin_as_one_policy_and_each_climbs_its_own_objective():
    soup, alone = a_method(rest=1000), a_method(FixedWeights, policies=2)
    assert all(torch.equal(part[0], part[1]) for part in actor(soup).values())
    alone.net.load_rows(soup.net.rows())
    alone._first = actor(alone)
    for _ in range(4):
        soup.step(None)
        alone.step(Setting(torch.eye(2, dtype=torch.float64)))
    assert all(torch.equal(part, actor(alone)[name]) for name, part in actor(soup).items())
    for _ in range(80):
        soup.step(None)
    rewards = moo.get_problem(BANDIT).rewards
    assert (soup.finals().objectives.diagonal() > 0.9 * rewards.amax(dim=0)).all()


def test_averages_are_those_of_a_literal_loop_and_corners_are_the_experts():
    soup = a_method(rest=1000)
    for _ in range(5):
        soup.step(None)
    wanted = torch.tensor([[1.0, 0.0], [0.3, 0.7], [0.0, 1.0]], dtype=torch.float64)
    found = soup.policies_for(wanted)
    assert found.objectives.isnan().all()
    assert torch.equal(found.preferences, wanted)
    for name, part in actor(soup).items():
        for row, (first, second) in enumerate(wanted.tolist()):
            expected = first * part[0] + second * part[1]
            torch.testing.assert_close(found.extras[f"parameters.{name}"][row], expected)
        assert torch.equal(found.extras[f"parameters.{name}"][0], part[0])


def test_averages_are_evaluated_as_they_are():
    soup = a_method(rest=3, evaluated=3, episodes=2000)
    for _ in range(3):
        told = soup.step(None)
    assert len(told) == 3
    assert told.extras["episodes"].tolist() == [2000] * 3
    rows = {name.removeprefix("parameters."): part for name, part in told.extras.items() if "parameters." in name}
    inputs = torch.ones(3, 1, 1)
    hidden = torch.tanh(inputs @ rows["actor.weights.0"] + rows["actor.biases.0"])
    chances = (hidden @ rows["actor.weights.1"] + rows["actor.biases.1"]).softmax(dim=2)[:, 0].double()
    exact = chances @ moo.get_problem(BANDIT).rewards
    assert ((told.objectives - exact).abs() < 4 * told.extras["standard_error"]).all()
    assert soup.problem.used == 3 * 32 + 3 * 2000


def test_what_cannot_be_paid_is_not_evaluated():
    soup = a_method(rest=1, evaluated=3, episodes=10, budget=32 + 29)
    assert soup.step(None).preferences.tolist() == [[1.0, 0.0], [0.0, 1.0]]  # the experts alone
    assert soup.problem.used == 32
    assert len(soup.finals()) == 2


def test_a_search_gives_the_soups_front():
    result = moo.pareto_search(
        BANDIT, "reward-soup", budget=4000, options={**SMALL, "rest": 20, "evaluated": 5}, progress=False
    )
    assert 2 <= len(result.finals) <= 5  # those of them that fresh episodes find on a front
    assert result.feasible
    inner = (result.additions.preferences > 0).all(dim=1)
    assert inner.any()


def test_a_stored_state_goes_on_exactly(tmp_path):
    first = a_method(rest=3, evaluated=3, episodes=4)
    for _ in range(4):
        first.step(None)
    write_state(tmp_path / "state", first.state_dict())
    other = a_method(rest=3, evaluated=3, episodes=4)
    other.problem.load_state_dict(first.problem.state_dict())
    other.load_state_dict(read_state(tmp_path / "state"))
    assert torch.equal(first.finals().objectives, other.finals().objectives)
    for _ in range(3):
        one, same = first.step(None), other.step(None)
        assert torch.equal(one.objectives, same.objectives)


def test_it_takes_no_number_of_policies():
    with pytest.raises(ValueError, match="policies"):
        a_method(policies=3)
