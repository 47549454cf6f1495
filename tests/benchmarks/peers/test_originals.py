"""The environments that peers train on are MO-Gymnasium's of the same law as ours."""

import numpy as np
import pytest
import torch
from inputs import ToyEnvironment

import moo
from moo.benchmarks.peers.originals import original, original_id
from moo.metered import metered
from moo.problems import PROBLEMS

pytest.importorskip("mo_gymnasium")
pytestmark = pytest.mark.filterwarnings("ignore:.*precision lowered by casting")
IDS = {
    "deep-sea-treasure": "deep-sea-treasure-v0",
    "deep-sea-treasure:variant=concave": "deep-sea-treasure-concave-v0",
    "deep-sea-treasure:variant=mirrored,gamma=1": "deep-sea-treasure-mirrored-v0",
    "fruit-tree:depth=5": "fruit-tree-v0",
    "resource-gathering": "resource-gathering-v0",
    "four-room": "four-room-v0",
    "minecart": "minecart-v0",
    "minecart-deterministic": "minecart-deterministic-v0",
}


@pytest.mark.parametrize("name", IDS)
def test_it_has_our_first_observation_our_actions_and_ends_as_ours_does(name):
    problem = moo.get_problem(name)
    env = original(metered(problem, 100, 0), seed=3)
    assert original_id(problem)[0] == env.unwrapped.spec.id == IDS[name]
    first, _ = env.reset()
    fresh = problem.observe(problem.reset(1, torch.Generator().manual_seed(0)))[0]
    np.testing.assert_allclose(np.asarray(first, dtype=np.float32), fresh.numpy(), atol=1e-7)
    assert env.action_space.n == problem.action_space.size
    assert env.unwrapped.reward_space.shape == (problem.num_objectives,)
    taken = 0
    while True:
        taken += 1
        if any(env.step(0)[2:4]):
            break
    assert taken <= problem.max_steps


def test_the_time_limit_is_that_of_the_problem():
    problem = moo.get_problem("deep-sea-treasure", max_steps=7)
    env = original(metered(problem, 100, 0), seed=3)
    ends = [env.step(0)[2:4] for _ in range(7)]
    assert ends == [(False, False)] * 6 + [(False, True)]


def test_it_is_seeded_and_ticks_before_each_step():
    meter = metered(moo.get_problem("minecart"), 100, 0)

    def rewards(seed):
        env, ticks = original(meter, seed), []
        env.tick = lambda: ticks.append(len(ticks))
        told = [env.step(env.action_space.sample())[1] for _ in range(40)]
        assert len(ticks) == 40
        return np.array(told)

    assert np.array_equal(rewards(1), rewards(1))
    assert not np.array_equal(rewards(1), rewards(2))


def test_minimised_rewards_are_turned():
    problem = moo.get_problem("deep-sea-treasure")
    plain = original(metered(problem, 100, 0), 3).step(1)[1]
    problem.directions = ("max", "min")
    turned = original(metered(problem, 100, 0), 3).step(1)[1]
    assert plain[0] == turned[0]
    assert plain[1] == -turned[1] == -1


def test_other_problems_are_refused():
    with pytest.raises(ValueError, match=r"train on environments of MO-Gymnasium\. 'toy-environment' is none"):
        original(metered(ToyEnvironment(), 10, 0), 0)
    other = moo.get_problem("deep-sea-treasure")
    other.observation_space = moo.get_problem("minecart").observation_space
    with pytest.raises(ValueError, match=r"shows \[2\] numbers, our deep-sea-treasure 7: a policy of the one"):
        original(metered(other, 10, 0), 0)


def test_every_environment_of_ours_has_an_original_but_the_bandit_and_the_building():
    without = set()
    for name in PROBLEMS:
        problem = moo.get_problem(name)
        if problem.kind == "environment":
            try:
                original_id(problem)
            except ValueError:
                without.add(name)
    assert without == {"bandit", "building"}
