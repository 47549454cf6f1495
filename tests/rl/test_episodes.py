"""Episodes of many policies at once, against policies played one by one from the record."""

from types import SimpleNamespace

import pytest
import torch
from inputs import ToyConstruction, ToyEnvironment

import moo
from moo.metered import metered
from moo.rl.episodes import build, play, spaces_of
from moo.rl.policies import ActorCritic, Observer
from moo.seeding import torch_generator


def a_player(problem, policies=3, budget=10**6):
    """A metered problem, policies for it that are far from uniform, and what they see."""
    meter = metered(problem, budget, 0)
    read, done = spaces_of(meter)
    observer = Observer(read)
    shape = (policies, observer.inputs, done, problem.num_objectives, 8, 1)
    net = ActorCritic(*shape, torch_generator(0, "networks"))
    with torch.no_grad():
        net.actor.weights[-1].mul_(100)
    return meter, net, observer


def stream(seed=0):
    return torch_generator(seed, "episodes")


def replayed(problem, actions):
    """Rewards and whether it is over, of one episode's actions, one after the other."""
    state, rewards = problem.reset(1), []
    for action in actions:
        state, reward, terminated, truncated = problem.step(state, torch.tensor([action]))
        rewards.append(reward[0].tolist())
    return rewards, bool(terminated | truncated)


def test_each_episode_equals_its_actions_played_alone():
    problem = ToyEnvironment()
    meter, net, observer = a_player(problem)
    found = play(meter, net, observer, 5, stream())
    assert found.sound.all()
    assert int(found.moves.sum()) == meter.used
    for p in range(3):
        for c in range(5):
            length = int(found.moves[p, c].sum())
            assert found.moves[p, c, :length].all()
            rewards, over = replayed(problem, found.actions[p, c, :length].tolist())
            assert over
            assert found.rewards[p, c, :length].tolist() == rewards
            assert (found.rewards[p, c, length:] == 0).all()
            total = sum(torch.tensor(r, dtype=torch.float64) * 0.9**t for t, r in enumerate(rewards))
            assert torch.allclose(found.returns[p, c], total)


@pytest.mark.parametrize("kind", ["environment", "construction"])
def test_what_is_recorded_gives_the_log_chances_again(kind):
    meter, net, observer = a_player(ToyEnvironment() if kind == "environment" else ToyConstruction())
    if kind == "environment":
        found = play(meter, net, observer, 5, stream())
    else:
        found, _ = build(meter, net, observer, 5, stream(), torch.full((3, 2), 0.5, dtype=torch.float64))
    masks = None if found.masks is None else found.masks.flatten(1, 2)
    law = net.law(found.inputs.flatten(1, 2), masks)
    again = law.log_chance(found.actions.flatten(1)).reshape(found.moves.shape)
    assert torch.allclose(again[found.moves], found.before[found.moves], atol=1e-5)
    assert found.before[found.moves].min() < -0.1


def test_means_and_standard_errors_are_those_of_sound_episodes():
    meter, net, observer = a_player(ToyEnvironment(nan_at=2.0))
    found = play(meter, net, observer, 40, stream())
    assert found.failed.any()
    for p in range(3):
        rows = found.returns[p][~found.failed[p]]
        assert torch.allclose(found.means[p], rows.mean(dim=0))
        assert torch.allclose(found.standard_errors[p], rows.std(dim=0) / len(rows) ** 0.5)
    assert (found.returns[found.failed] == 0).all()
    assert not found.live[found.failed].any()


def test_nothing_sound_has_no_mean_and_one_episode_no_standard_error():
    meter, net, observer = a_player(ToyEnvironment(nan_at=-1.0), policies=1)
    with torch.no_grad():
        net.actor.biases[-1].copy_(torch.tensor([50.0, -50.0]))  # always to the left
    found = play(meter, net, observer, 2, stream())
    assert found.failed.all()
    assert found.means.isnan().all()
    assert found.standard_errors.isnan().all()


def test_the_budget_cuts_the_last_rows_and_is_spent():
    meter, net, observer = a_player(ToyEnvironment(), budget=40)
    found = play(meter, net, observer, 5, stream())
    assert meter.remaining == 0
    assert found.cut.any()
    assert not (found.sound & found.cut).any()
    assert (found.returns[found.cut] == 0).all()


def test_policies_differ_and_streams_decide():
    meter, net, observer = a_player(ToyEnvironment())
    first, again, other = (play(meter, net, observer, 20, stream(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.actions, again.actions)
    assert first.actions.shape != other.actions.shape or not torch.equal(first.actions, other.actions)
    assert not torch.allclose(first.means[0], first.means[1])


def test_objects_are_built_by_their_actions_and_rewarded_at_their_last():
    problem = ToyConstruction()
    meter, net, observer = a_player(problem)
    preferences = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    found, told = build(meter, net, observer, 6, stream(), preferences)
    assert (len(told), meter.used) == (18, 18)
    assert torch.equal(told.preferences, preferences.repeat_interleave(6, dim=0))
    for row in range(18):
        p, c = divmod(row, 6)
        length, state = int(found.moves[p, c].sum()), problem.start(1)
        for t in range(length):
            assert found.masks[p, c, t].tolist() == problem.action_mask(state)[0].tolist()
            assert torch.equal(found.inputs[p, c, t], observer(problem.features(state))[0])
            state, finished = problem.step(state, found.actions[p, c, t, None])
        assert finished.all()
        assert torch.equal(told.solutions[row], state[0])
        assert torch.equal(found.rewards[p, c, length - 1], told.objectives[row])
        assert torch.equal(found.returns[p, c], told.objectives[row])


def test_what_is_drawn_does_not_depend_on_what_can_be_paid():
    preferences = torch.full((3, 2), 0.5, dtype=torch.float64)
    rich, poor = a_player(ToyConstruction()), a_player(ToyConstruction(), budget=7)
    whole, all_told = build(*rich, 6, stream(), preferences)
    part, told = build(*poor, 6, stream(), preferences)
    assert torch.equal(whole.actions, part.actions)
    assert torch.equal(told.solutions, all_told.solutions[:7])
    assert part.cut.flatten().tolist() == [False] * 7 + [True] * 11


class Faulty(ToyConstruction):
    def evaluate(self, solutions, generator=None):
        objectives = super().evaluate(solutions)
        return torch.where((solutions[:, :1] == 0), float("nan"), objectives)  # words that begin with "a"


def test_an_object_that_fails_is_dropped():
    meter, net, observer = a_player(Faulty())
    found, told = build(meter, net, observer, 20, stream(), torch.full((3, 2), 0.5, dtype=torch.float64))
    assert 0 < int(told.failed.sum()) < 60
    assert torch.equal(found.failed.flatten(), told.failed)
    assert torch.isfinite(found.returns).all()
    assert torch.isfinite(found.means).all()


def test_a_construction_problem_without_features_is_refused():
    mute = SimpleNamespace(kind="construction", name="mute", num_actions=3)
    with pytest.raises(ValueError, match=r"A policy needs a construction problem with `features`.*'mute' lacks them"):
        spaces_of(mute)


def test_it_plays_the_bandit():
    problem = moo.get_problem("bandit:arms=5")
    meter, net, observer = a_player(problem)
    found = play(meter, net, observer, 7, stream())
    assert found.actions.shape == (3, 7, 1)
    assert torch.equal(found.returns, problem.rewards[found.actions[..., 0]])
