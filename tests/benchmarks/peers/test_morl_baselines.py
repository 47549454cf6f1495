"""morl-baselines' methods as peers: their own training, our accounts, and policies that act as theirs do."""

import contextlib
import random

import numpy as np
import pytest
import torch
from asserts import assert_same_candidates, assert_same_results
from inputs import ToyEnvironment

import moo
import moo.benchmarks.peers
from moo.base import unsuitable
from moo.benchmarks.peers.morl_baselines import CAPQL, GPILS, Envelope
from moo.choosing import find_method
from moo.metered import metered
from moo.options import resolve_options
from moo.seeding import child_seed, quiet_fork, torch_generator

pytest.importorskip("mo_gymnasium")
pytest.importorskip("morl_baselines")
pytestmark = pytest.mark.filterwarnings("ignore")

SEA = "deep-sea-treasure:variant=concave"
TINY = {"hidden": 8, "layers": 2, "updates": 1, "evaluated": 5}
DISCRETE = {"gpi-ls": {**TINY, "episodes": 1}, "envelope": TINY}
PORTION, BUDGET = 100, 150  # a portion and a part of one; learning starts at 100


def search(method, **arguments):
    given = {"options": DISCRETE[method], "budget": BUDGET, "seed": 4, "reevaluations": 2, "progress": False}
    return moo.pareto_search(SEA, method, **{**given, "device": "cpu", **arguments})


def make(kind, problem=SEA, budget=BUDGET, **options):
    meter = metered(moo.get_problem(problem), budget, 4)
    checked = resolve_options(kind.options, {**TINY, **options}, "peer")
    return kind(meter, budget=budget, seed=4, device="cpu", initial=None, **checked), meter


@pytest.fixture(scope="module", autouse=True)
def _short_portions():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moo.benchmarks.peers.morl_baselines.PORTION", PORTION)
        yield


@pytest.fixture(scope="module")
def trained(_short_portions):
    """Each discrete peer after its training, with what it reported."""
    made = {}
    for name, kind in (("gpi-ls", GPILS), ("envelope", Envelope)):
        peer, meter = make(kind, episodes=1) if name == "gpi-ls" else make(kind)
        steps = []
        while meter.remaining and not peer.finished:
            steps.append((meter.used, len(peer.step(None))))
        made[name] = peer, meter, steps
    return made


@pytest.mark.parametrize("method", DISCRETE)
def test_each_transition_of_its_environments_is_paid_and_no_other(method, trained, monkeypatch):
    peer, meter, steps = trained[method]
    assert meter.used == BUDGET
    assert [used for used, _ in steps] == [0, PORTION]
    assert [rows for _, rows in steps] == [0, 5]
    assert peer._paced._made == BUDGET
    assert meter.used_apart > 0
    if method == "envelope":  # all are training: no evaluation steers it
        assert peer._agent.global_step in (BUDGET, BUDGET - 1)
    else:
        assert 0 < peer._agent.global_step < BUDGET


@pytest.mark.parametrize("method", DISCRETE)
def test_policies_act_as_the_agents_own_do(method, trained):
    peer, _, _ = trained[method]
    problem = moo.get_problem(SEA)
    stream = torch.Generator().manual_seed(0)
    seen = torch.randint(0, 11, (60, 2), generator=stream).float()
    rows = peer.finals().rows(torch.randint(0, 5, (60,), generator=stream))
    found = peer.act(rows, seen, problem.action_mask(problem.reset(60)), 0, stream)
    expected = [peer._agent.eval(o, w) for o, w in zip(seen.numpy(), rows.preferences.numpy(), strict=True)]
    assert found.tolist() == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("method", DISCRETE)
def test_reported_policies_are_evaluated_by_us(method, trained):
    peer, meter, _ = trained[method]
    rows = peer.finals()
    assert torch.equal(rows.preferences.sum(dim=1), torch.ones(5, dtype=torch.float64))
    policy = rows.rows(slice(2, 3))
    problem, total, discount = moo.get_problem(SEA), torch.zeros(2, dtype=torch.float64), 1.0
    state = problem.reset(1)
    for time in range(problem.max_steps):
        action = peer.act(policy, problem.observe(state), None, time, torch_generator(0, "x"))
        state, rewards, terminated, truncated = problem.step(state, action)
        total, discount = total + discount * rewards[0], discount * problem.gamma
        if terminated or truncated:
            break
    assert torch.allclose(policy.objectives[0], total)
    assert (rows.extras["used"] == meter.used).all()


@pytest.mark.parametrize("method", DISCRETE)
def test_training_is_that_of_morl_baselines_alone(method, trained):
    # The same agent, trained at once by its own `train` on a plain environment, has the same networks.
    import gymnasium
    import mo_gymnasium

    peer, _, _ = trained[method]
    ours = peer._agent
    fresh, _ = make(type(peer), **({"episodes": 1} if method == "gpi-ls" else {}))
    count = 0

    def seed_all(portion):
        seed = child_seed(4, "training", portion)
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)

    class StopError(Exception):
        pass

    class Counting(gymnasium.Wrapper):
        def step(self, action):
            nonlocal count
            if count == BUDGET:
                raise StopError
            if count % PORTION == 0:  # as each portion begins
                seed_all(count // PORTION)
            count += 1
            return self.env.step(action)

    def plain(name):
        env = Counting(mo_gymnasium.make("deep-sea-treasure-concave-v0", max_episode_steps=100))
        seed = child_seed(4, name) % 2**31
        env.reset(seed=seed)
        env.action_space.seed(seed)
        return env

    with quiet_fork(child_seed(4, "networks")):
        env, steering = plain("train"), plain("steer")
        agent = fresh._agent_of(env)
        seed_all(0)
        with contextlib.suppress(StopError):
            fresh._training(agent, steering)()
    nets = [agent.q_net, ours.q_net] if method == "envelope" else [agent.q_nets[0], ours.q_nets[0]]
    for mine, theirs in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("method", DISCRETE)
def test_the_same_seed_gives_the_same_and_a_run_goes_on_without_paying_again(method, tmp_path):
    whole = search(method)
    search(method, checkpoint=tmp_path, callback=lambda _: True)
    again = search(method, checkpoint=tmp_path)
    assert_same_results(whole, again)
    assert again.record["used"] == BUDGET
    network = "q_net" if method == "envelope" else "q_nets"
    first, other = (getattr(result.generator._agent, network) for result in (whole, search(method, seed=5)))
    one, two = (next(iter((nets[0] if method == "gpi-ls" else nets).parameters())) for nets in (first, other))
    assert not torch.equal(one, two)
    whole.save(tmp_path / "saved")
    loaded = moo.load_result(tmp_path / "saved").generator
    assert_same_candidates(loaded.finals(), again.generator.finals())


def test_a_checkpoint_is_for_its_budget_alone(tmp_path):
    search("envelope", checkpoint=tmp_path, callback=lambda _: True)
    with pytest.raises(ValueError, match="'envelope' plans by its budget, so it cannot go on"):
        search("envelope", checkpoint=tmp_path, budget=BUDGET + 100)


def test_global_streams_and_standard_output_are_left_alone(capsys):
    torch.manual_seed(1)
    np.random.seed(1)
    search("gpi-ls", budget=40)
    drawn = torch.rand(1), np.random.rand()
    torch.manual_seed(1)
    np.random.seed(1)
    assert (drawn[0], drawn[1]) == (torch.rand(1), np.random.rand())
    assert capsys.readouterr().out == ""


def test_discrete_and_continuous_actions_are_told_apart():
    for kind in (GPILS, Envelope):
        assert not unsuitable(kind, ToyEnvironment())
        assert unsuitable(kind, ToyEnvironment(continuous=True)) == "it takes categorical actions, not real"
    assert not unsuitable(CAPQL, ToyEnvironment(continuous=True))
    assert unsuitable(CAPQL, ToyEnvironment()) == "it takes real actions, not categorical"


def test_capql_learns_on_a_continuous_environment_and_acts_as_its_agent_does():
    name = "mo-mountaincarcontinuous-v0"
    try:
        problem = moo.get_problem(name, max_steps=20)
    except ValueError:
        pytest.skip("environments of MO-Gymnasium are no problems here")
    meter = metered(problem, 60, 4)
    options = resolve_options(CAPQL.options, TINY, "capql")
    peer = CAPQL(meter, budget=60, seed=4, device="cpu", initial=None, **options)
    rows = peer.step(None)
    assert (meter.used, len(rows)) == (60, 5)
    seen = torch.rand(5, problem.observation_space.dim)
    found = peer.act(rows, seen, None, 0, torch_generator(0, "x"))
    expected = [peer._agent.eval(o, w) for o, w in zip(seen.numpy(), rows.preferences.numpy(), strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_every_peer_of_an_environment_declares_what_it_needs():
    for name in ("gpi-ls", "envelope", "capql"):
        assert find_method(name).requires == {"morl_baselines": "morl-baselines", "mo_gymnasium": "mo-gymnasium"}
        assert find_method(name).schedules_by_budget
