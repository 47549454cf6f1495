"""Environments of Gymnasium behind the contract: steps, restored states, ends, errors, whole searches."""

import itertools
import pickle

import numpy as np
import pytest
import torch

gymnasium = pytest.importorskip("gymnasium", reason="pip install 'moo-suite[control]'")

from asserts import assert_same_candidates  # noqa: E402
from simulated import Drift, drift  # noqa: E402

import moo  # noqa: E402
from moo.adapters.gymnasium import FromGymnasium  # noqa: E402
from moo.adapters.gymnasium.known import KNOWN  # noqa: E402
from moo.adapters.gymnasium.problem import HEAD, SEED  # noqa: E402
from moo.metered import metered  # noqa: E402
from moo.problems import PROBLEMS  # noqa: E402
from moo.rl.rollouts import Collector, episode_returns  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*precision lowered")  # by gymnasium
ACTIONS = {
    "mo-hopper-2obj-v5": lambda n, g: 2 * torch.rand(n, 3, generator=g) - 1,
    "mo-lunar-lander-v3": lambda n, g: torch.randint(4, (n,), generator=g),
    "drift": lambda n, g: 2 * torch.rand(n, 1, generator=g) - 1,
}
SMOKE = {  # objectives, observed numbers, actions (0: discrete)
    "mo-hopper-v5": (3, 11, 3),
    "mo-hopper-2obj-v5": (2, 11, 3),
    "mo-halfcheetah-v5": (2, 17, 6),
    "mo-walker2d-v5": (2, 17, 6),
    "mo-ant-v5": (3, 105, 8),
    "mo-ant-2obj-v5": (2, 105, 8),
    "mo-humanoid-v5": (2, 348, 17),
    "mo-swimmer-v5": (2, 8, 2),
    "mo-lunar-lander-v3": (4, 8, 0),
}


@pytest.fixture
def made():
    """Makes problems that are closed after the test."""
    problems = []

    def make(environment=None, **options):
        if isinstance(environment, str):
            problems.append(moo.get_problem(environment, **options))
        else:
            problems.append(FromGymnasium(environment or drift(), **{"max_steps": 20, "name": "drift", **options}))
        return problems[-1]

    yield make
    for problem in problems:
        problem.close()


@pytest.fixture
def mujoco(monkeypatch, tmp_path):
    pytest.importorskip("mujoco", reason="pip install 'moo-suite[control]'")
    monkeypatch.chdir(tmp_path)  # where MuJoCo logs its warnings


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def walk(problem, n, steps, seed=0, kind="drift"):
    """States, observations, rewards and ends of random actions, and the actions: each a list over steps."""
    draw, state = stream(seed), problem.reset(n, stream(seed + 1))
    seen = [(state, problem.observe(state))]
    for _ in range(steps):
        actions = ACTIONS[kind](n, draw)
        state, *outcome = problem.step(state, actions)
        seen.append((state, problem.observe(state), *outcome, actions))
    return seen


def equal(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a, b)


# ------------------------------------------------------------------------------------------------- steps
@pytest.mark.parametrize("kind", ["mo-hopper-2obj-v5", "mo-lunar-lander-v3"])
def test_every_copy_steps_as_the_original_does_and_stays_where_it_ends(mujoco, made, kind):
    pytest.importorskip("Box2D", reason="pip install 'moo-suite[control]'")
    problem = made(kind, max_steps=70)
    seen = walk(problem, 3, 80, kind=kind)
    import mo_gymnasium

    env = mo_gymnasium.make(kind)
    ends = 0
    for copy in range(3):
        first, _ = env.reset(seed=int(seen[0][0][copy, SEED]))
        assert np.array_equal(seen[0][1][copy], first.astype(np.float32))
        for time, (state, observed, rewards, terminated, truncated, actions) in enumerate(seen[1:], start=1):
            action = int(actions[copy]) if actions.ndim == 1 else actions[copy].numpy()
            shown, reward, ended, _, _ = env.step(action)
            assert np.array_equal(observed[copy], shown.astype(np.float32))
            assert np.array_equal(rewards[copy], np.asarray(reward, np.float64))
            assert (bool(terminated[copy]), bool(truncated[copy])) == (ended, time == 70 and not ended)
            if ended or time == 70:
                ends += ended
                for later in seen[time + 1 :]:  # nothing resets by itself
                    assert torch.equal(later[0][copy], state[copy])
                    assert not later[2][copy].any()
                break
    assert ends  # some fell


def test_steps_do_not_depend_on_the_number_of_processes(made):
    expected = walk(made(workers=0), 7, 12)
    for workers in (1, 3):
        equal(walk(made(workers=workers), 7, 12), expected)


def test_a_copy_does_not_depend_on_the_others(made):
    together = walk(made(), 6, 5)
    problem = made()
    state = together[0][0][2:3]
    for moved, observed, rewards, *_, actions in together[1:]:
        state, gained, *_ = problem.step(state, actions[2:3])
        assert torch.equal(state, moved[2:3])
        assert torch.equal(problem.observe(state), observed[2:3])
        assert torch.equal(gained, rewards[2:3])


def test_the_state_that_is_handed_in_stays_and_can_be_stepped_again(made):
    problem = made()
    seen = walk(problem, 4, 6)
    middle, before = seen[3][0], seen[3][0].clone()
    for _ in range(2):
        state = middle
        for moved, observed, rewards, terminated, truncated, actions in seen[4:]:
            state, *outcome = problem.step(state, actions)
            equal([(state, problem.observe(state), *outcome)], [(moved, observed, rewards, terminated, truncated)])
    other = problem.step(middle, -seen[4][-1])
    assert not torch.equal(other[1], seen[4][2])
    assert torch.equal(middle, before)


def test_one_state_twice_in_a_batch_is_two_copies(made):
    problem = made()
    state = walk(problem, 2, 3)[-1][0][[0, 0, 0]]
    actions = torch.tensor([[1.0], [1.0], [-1.0]])
    for _ in range(2):
        state, rewards, *_ = problem.step(state, actions)
    assert torch.equal(rewards[0], rewards[1])
    assert rewards[0, 0] > rewards[2, 0]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_state_goes_on_where_no_simulator_has_been(made, workers):
    seen = walk(made(), 4, 9)
    elsewhere = made(workers=workers)  # as in another process: all its simulators are new
    stored = torch.from_numpy(pickle.loads(pickle.dumps(seen[5][0].numpy())))
    assert torch.equal(elsewhere.observe(stored), seen[5][1])
    for moved, observed, rewards, *_, actions in seen[6:]:
        stored, gained, *_ = elsewhere.step(stored, actions)
        assert torch.equal(stored, moved)
        assert torch.equal(elsewhere.observe(stored), observed)
        assert torch.equal(gained, rewards)


def test_mujoco_goes_on_exactly_from_a_stored_state(mujoco, made):
    kind = "mo-hopper-2obj-v5"
    seen = walk(made(kind), 3, 8, kind=kind)
    again = made(kind)
    state, gained, *_ = again.step(seen[6][0], seen[7][-1])
    assert torch.equal(state, seen[7][0])
    assert torch.equal(gained, seen[7][2])


def test_with_too_few_simulators_everything_is_the_same(made):
    expected = walk(made(), 6, 8)
    problem = made()
    problem._places._most = 2
    first = walk(problem, 6, 8)
    walk(problem, 3, 4, seed=9)  # takes simulators that others stood still in
    equal(first, expected)
    state, *_ = problem.step(expected[7][0], expected[8][-1])
    assert torch.equal(state, expected[8][0])
    assert len(problem._places) <= 6


def test_nothing_is_simulated_before_somebody_looks(made):
    problem = made()
    state = problem.reset(1000, stream())
    assert state.shape == (1000, HEAD + 2 + 20)
    assert len(set(state[:, SEED].tolist())) == 1000  # episodes of their own
    assert torch.equal(state, problem.reset(1000, stream()))
    assert len(problem._places) == 0
    assert problem._engine is None


def test_simulators_of_episodes_that_are_over_serve_the_next_ones(made):
    problem = made(max_steps=5)
    for seed in range(4):
        walk(problem, 6, 5, seed=seed)
    assert len(problem._places) == 6


# ------------------------------------------------------------------------------------------------- ends
def test_an_end_of_its_own_is_terminated_the_cap_is_truncated(made):
    problem = made(max_steps=15)
    state, ends = problem.reset(40, stream()), torch.zeros(40, dtype=torch.int64)
    pushes = torch.linspace(-1, 1, 40)[:, None]
    for time in range(1, 16):
        state, _, terminated, truncated = problem.step(state, pushes)
        assert not (terminated & truncated).any()
        assert torch.equal(terminated & (ends == 0), (problem.observe(state)[:, 0] > 3) & (ends == 0))
        ends = torch.where((ends == 0) & (terminated | truncated), time * torch.where(terminated, 1, -1), ends)
    assert (ends > 0).any()
    assert (ends < 0).any()
    assert set(ends[ends < 0].tolist()) == {-15}
    later, rewards, *_ = problem.step(state, pushes)
    assert torch.equal(later, state)
    assert not rewards.any()


def test_a_limit_of_the_environment_itself_truncates(made):
    problem = made(lambda: gymnasium.wrappers.TimeLimit(Drift(), 4), max_steps=9)
    seen = walk(problem, 3, 5)
    assert [bool((terminated | truncated).any()) for *_, terminated, truncated, _ in seen[1:5]] == [False] * 3 + [True]
    assert seen[4][4].all()


def test_learners_see_what_followed_a_cut(made):
    """So that they count it: at a cut the next observation is the episode's own, not the next one's first."""
    problem = metered(made(max_steps=3), 200, seed=0)
    window = Collector(problem, 2).collect(7, lambda seen, mask, begins: (torch.zeros(len(seen), 1), {}))
    assert window.truncated[[2, 5]].all()
    assert not window.terminated.any()
    following, fresh = window.following[2], window.observations[3]
    assert not torch.equal(following, fresh)
    assert (following - window.observations[2]).abs().amax() < 0.6  # a step away
    assert torch.equal(window.following[0], window.observations[1])


def test_returns_are_those_of_a_loop_over_single_environments(made):
    problem, actions = metered(made(gamma=0.9), 1000, seed=3), torch.linspace(-1, 1, 5)[:, None]
    returns, failed, cut = episode_returns(problem, lambda seen, mask, time: actions * (-1) ** time, 5)
    seeds = problem._problem.reset(5, problem._noise("reset", 1))[:, SEED].tolist()
    env, steps = Drift(), 0
    for copy, seed in enumerate(seeds):
        env.reset(seed=seed)
        total = np.zeros(2)
        for time in range(20):
            _, reward, terminated, _, _ = env.step((actions[copy] * (-1) ** time).numpy())
            total += 0.9**time * reward
            steps += 1
            if terminated:
                break
        assert returns[copy].tolist() == pytest.approx(total.tolist())
    assert problem.used == steps
    assert not (failed | cut).any()


# ------------------------------------------------------------------------------------------------- failures
@pytest.mark.parametrize("workers", [0, 2])
def test_what_an_environment_raises_fails_its_copies_and_says_why(made, workers):
    problem = metered(made(drift(what="raise", at=2), workers=workers), 100, seed=0)
    _, failed, _ = episode_returns(problem, lambda seen, mask, time: torch.zeros(len(seen), 1), 3)
    assert failed.all()
    assert "Environment drift raised when it stepped the episode with seed" in problem.failure
    assert "ZeroDivisionError: nothing to divide by" in problem.failure
    _, failed, _ = episode_returns(problem, lambda seen, mask, time: torch.zeros(len(seen), 1), 3)
    assert failed.all()  # and it can be tried again


def test_a_reward_that_is_not_finite_fails_its_copy_alone(made):
    problem = made(drift(what="nan", at=2))
    old, new = problem.reset(2, stream()), problem.reset(2, stream(1))
    zero = torch.zeros(4, 1)
    old, *_ = problem.step(old, zero[:2])
    _, rewards, *_ = problem.step(torch.cat([old, new]), zero)
    assert rewards.isnan().any(dim=1).tolist() == [True, True, False, False]


def test_a_search_whose_worker_dies_ends_with_an_error(made):
    problem = made(drift(what="kill", at=3), workers=2)
    options = {"copies": 4, "steps": 8, "interval": 1, "evaluated": 2, "episodes": 1}
    with pytest.raises(RuntimeError, match=r"of environment drift was killed by signal 9 while it stepped"):
        moo.pareto_search(problem, "ppo-preference", budget=1000, options=options, progress=False)
    assert problem._engine is None
    problem.close()
    assert problem.observe(problem.reset(2, stream())).shape == (2, 2)  # closed, it can begin anew


def test_a_reward_of_another_length_is_an_error(made):
    problem = made(drift(entries=3))
    with pytest.raises(RuntimeError, match="A reward should have 2 entries"):
        problem.step(problem.reset(1, stream()), torch.zeros(1, 1))


def test_actions_of_another_shape_are_refused(made):
    problem = made()
    with pytest.raises(ValueError, match=r"`actions` of drift should have shape \[2, 1\]. Found \[2\]"):
        problem.step(problem.reset(2, stream()), torch.zeros(2))
    with pytest.raises(ValueError, match=r"`generator` should be a torch.Generator"):
        problem.reset(2)


# ------------------------------------------------------------------------------------------------- reading one
def test_ids_objects_and_functions_are_the_same_environment(mujoco):
    id = "mo-hopper-2obj-v5"
    mo_gymnasium = pytest.importorskip("mo_gymnasium")
    env = mo_gymnasium.make(id)
    options = {"copies": 2, "steps": 8, "interval": 1, "evaluated": 2, "episodes": 1, "hidden": 4}
    results = [
        moo.pareto_search(
            problem, "ppo-preference", budget=200, options=options, reevaluations=0, progress=False, seed=4
        )
        for problem in (id, env, lambda: mo_gymnasium.make(id))
    ]
    for result in results[1:]:
        assert_same_candidates(result.front, results[0].front)
    config = results[0].config
    assert (config["problem"], config["registered"]) == (id, True)
    assert config["limits"] == {"max_steps": 1000, "gamma": 0.99}
    assert config["versions"]["mujoco"] == __import__("mujoco").__version__
    assert {"mo-gymnasium", "gymnasium"} <= set(config["versions"])
    assert config["objective_names"] == ["velocity", "height"]
    assert results[0].record["reference_point"] == [-100.0, -100.0]
    assert (results[1].config["problem"], results[1].config["registered"]) == (id, False)


def test_what_stands_behind_the_id_are_options_of_both(mujoco):
    spec = "mo-hopper-v5:cost_objective=false,gamma=0.9,max_steps=50,workers=0,reference_point=-1+-2"
    problem = moo.get_problem(spec)
    assert problem.spec == spec
    assert (problem.num_objectives, problem.gamma, problem.max_steps) == (2, 0.9, 50)
    assert problem.reference_point.tolist() == [-1, -2]
    assert problem.objective_names == ()  # those known are for three
    with pytest.raises(ValueError, match=r"takes no such options as \{'gama': 1\}.*Those of the problem: gamma"):
        moo.get_problem("mo-hopper-v5:gama=1")


def test_unknown_ids_list_the_known_ones(mujoco):
    with pytest.raises(ValueError, match=r"no environment 'mo-hoper-v5' to be had.*Known: .*mo-hopper-v5"):
        moo.get_problem("mo-hoper-v5")
    assert "mo-hopper-v5" not in PROBLEMS


def test_without_gymnasium_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mo_gymnasium", None)
    with pytest.raises(ImportError, match=r"pip install 'moo-suite\[control\]'"):
        moo.get_problem("mo-hopper-v5")


def test_what_is_no_vector_environment_is_refused():
    with pytest.raises(ValueError, match=r"Rewards of 'CartPole-v1' should be vectors.*reward_space"):
        moo.get_problem("CartPole-v1")
    with pytest.raises(ValueError, match="`max_steps` is missing: 'Drift' has no longest episode"):
        FromGymnasium(drift())
    with pytest.raises(TypeError, match=r"should make an environment of Gymnasium. Found int"):
        FromGymnasium(lambda: 3)
    with pytest.raises(TypeError, match=r"an id, an environment of Gymnasium, or a function.*Found float"):
        FromGymnasium(0.5)
    with pytest.raises(ValueError, match="Options such as 'colour' are for ids"):
        FromGymnasium(Drift(), colour=1)
    with pytest.raises(ValueError, match=r"`gamma` should be in \(0, 1\]"):
        FromGymnasium(drift(), gamma=0, max_steps=3)
    with pytest.raises(ValueError, match="`workers` should be at least 0"):
        FromGymnasium(drift(), max_steps=3, workers=-1)


def test_an_environment_that_cannot_be_copied_asks_for_a_function():
    env = Drift()
    env.lock = __import__("threading").Lock()
    with pytest.raises(ValueError, match=r"Drift cannot be copied \(TypeError.*give a function that makes one"):
        FromGymnasium(env, max_steps=3)


def test_a_problem_can_be_pickled_in_the_middle_of_its_work(made):
    problem = made(Drift())
    seen = walk(problem, 2, 3)
    other = pickle.loads(pickle.dumps(problem))
    equal([other.step(seen[2][0], seen[3][-1])], [(seen[3][0], *seen[3][2:5])])


# ------------------------------------------------------------------------------------------------- searches
SMALL = {
    "random": {},
    "c-morl": {"policies": 2, "copies": 2, "steps": 8, "hidden": 4, "episodes": 2, "updates": 1, "selected": 1},
    "ppo-preference": {"copies": 4, "steps": 8, "hidden": 4, "interval": 2, "evaluated": 2, "episodes": 2},
    "morl-d": {"policies": 2, "copies": 2, "updates": 1, "batch": 4, "hidden": 4, "episodes": 2},
}


@pytest.mark.parametrize(("method", "discrete"), list(itertools.product(SMALL, [False, True])))
def test_every_method_searches_and_goes_on_in_the_middle_of_episodes(made, tmp_path, method, discrete):
    def search(budget, **given):
        problem = made(drift(discrete=discrete), reference_point=[-50.0, -50.0])
        options = {"problem": problem, "method": method, "options": SMALL[method], "progress": False}
        return moo.pareto_search(**options, budget=budget, reevaluations=0, seed=5, **given)

    whole = search(700)
    stopped = []

    def stop(result):
        stopped.append(result.record["used"])
        return stopped[-1] > 200

    search(700, checkpoint=tmp_path / "run", callback=stop)
    assert 200 < stopped[-1] < 700
    resumed = search(700, checkpoint=tmp_path / "run")
    assert_same_candidates(resumed.front, whole.front)
    assert resumed.record["used"] == whole.record["used"]
    assert len(whole.front)


@pytest.mark.parametrize("id", SMOKE)
def test_the_known_environments_are_what_is_known_of_them(mujoco, made, id):
    if "lander" in id:
        pytest.importorskip("Box2D", reason="pip install 'moo-suite[control]'")
    problem = made(id)
    m, observed, acted = SMOKE[id]
    known = KNOWN[id]
    assert (problem.num_objectives, problem.observation_space.dim) == (m, observed)
    assert problem.objective_names == known.objectives
    assert problem.directions == ("max",) * m
    assert (problem.gamma, problem.max_steps) == (0.99, 1000)
    point = None if problem.reference_point is None else tuple(problem.reference_point.tolist())
    assert point == known.reference_point
    assert len(known.objectives) == m == len(known.reference_point or known.objectives)
    state = problem.reset(2, stream())
    for _ in range(3):
        actions = 2 * torch.rand(2, acted, generator=stream(2)) - 1 if acted else torch.tensor([1, 2])
        state, rewards, terminated, truncated = problem.step(state, actions)
        assert rewards.isfinite().all()
        assert rewards.shape == (2, m)
        assert problem.observe(state).isfinite().all()
        assert not (terminated | truncated).any()


def test_ids_with_a_version_that_are_ours_stay_ours():
    assert set(KNOWN) == set(SMOKE)
    assert not [name for name in PROBLEMS if name in KNOWN]
