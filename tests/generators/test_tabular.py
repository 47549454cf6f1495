"""Tabular learning: exact fronts of small environments, and everything else that the method promises."""

import numpy as np
import pytest
import torch
from asserts import assert_same_candidates, assert_same_results
from inputs import ToyEnvironment

import moo
from moo.base import Candidates
from moo.choosing import make_tuner
from moo.generators.tabular import Tabular
from moo.indicators import hypervolume
from moo.metered import metered
from moo.options import resolve_options
from moo.rl.exploration import EXPLORATIONS
from moo.space import Space, categorical, integer, real
from moo.storage import read_state, write_state

SEA = "deep-sea-treasure"
CONCAVE = f"{SEA}:variant=concave"
TREE = "fruit-tree:depth=5"


def search(problem, budget, seed=0, preferences=None, checkpoint=None, **options):
    said = {} if preferences is None else {"preferences": preferences}
    return moo.pareto_search(
        problem, "tabular", budget=budget, seed=seed, options=options, checkpoint=checkpoint, progress=False, **said
    )


def make(problem, budget=10_000, seed=0, **options):
    """A method, its metered problem and its tuner."""
    problem = moo.get_problem(problem) if isinstance(problem, str) else problem
    meter = metered(problem, budget, seed)
    options = resolve_options(Tabular.options, options, "tabular")
    method = Tabular(meter, budget=budget, seed=seed, device="cpu", **options)
    return method, meter, make_tuner("auto", problem, "tabular", budget=budget, seed=seed)[0]


def advance(method, meter, tuner, steps):
    """Some steps of the loop; what each returned."""
    seen = []
    for _ in range(steps):
        setting = tuner.suggest(method.preferences_per_round) if method.wants_setting else None
        seen.append(method.step(setting) if meter.remaining else Candidates.empty((1,), meter.num_objectives))
    return seen


def volume(problem, objectives):
    return hypervolume(objectives, moo.get_problem(problem).reference_point)


def sorted_rows(objectives):
    return np.unique(objectives.numpy().round(9), axis=0)


def played(problem, method, policies):
    """The discounted return of each policy in one episode, one copy at a time, beside the meter."""
    returns = []
    for i in range(len(policies)):
        state, total = problem.reset(1), torch.zeros(problem.num_objectives, dtype=torch.float64)
        for time in range(problem.max_steps):
            seen, mask = problem.observe(state), problem.action_mask(state)
            action = method.act(policies.rows(slice(i, i + 1)), seen, mask, time, torch.Generator())
            state, rewards, terminated, truncated = problem.step(state, action)
            total += problem.gamma**time * rewards[0]
            if terminated or truncated:
                break
        returns.append(total)
    return torch.stack(returns)


# --------------------------------------------------------------------------------------------------- what is found
def test_the_convex_sea_is_learned_exactly():
    result = search(SEA, 20_000)
    assert result.hypervolume == pytest.approx(854.8504, abs=1e-3)
    assert volume(SEA, result.finals.objectives) == pytest.approx(854.8504, abs=1e-3)
    front = moo.get_problem(SEA).oracle.front
    np.testing.assert_allclose(sorted_rows(result.finals.objectives), sorted_rows(front), rtol=0, atol=1e-8)


@pytest.mark.parametrize(("learner", "points", "expected"), [("linear", 2, 3391.566), ("pareto", 10, 3688.377)])
def test_sets_find_what_no_linear_preference_does(learner, points, expected):
    result = search(CONCAVE, 12_000, learner=learner, policies=100)
    oracle = moo.get_problem(CONCAVE).oracle
    front = oracle.coverage_set if learner == "linear" else oracle.front
    assert len(front) == points
    np.testing.assert_allclose(sorted_rows(result.finals.objectives), sorted_rows(front), rtol=0, atol=1e-8)
    assert volume(CONCAVE, result.finals.objectives) == pytest.approx(expected, abs=1e-3)


def test_sets_find_every_leaf_of_a_tree():
    result = search(TREE, 4000, learner="pareto")
    front = moo.get_problem(TREE).oracle.front
    assert len(front) == 32
    np.testing.assert_allclose(sorted_rows(result.finals.objectives), sorted_rows(front), rtol=0, atol=1e-8)
    assert result.finals.preferences.isnan().all()


@pytest.mark.parametrize("seed", [0, 1])
def test_resources_are_gathered_as_well_as_can_be_in_spite_of_chance(seed):
    finals = search("resource-gathering", 30_000, seed, policies=45, episodes=5).finals.objectives
    front = moo.get_problem("resource-gathering").oracle.front
    assert len(front) == 3
    for vector in front:
        assert (finals - vector).abs().amax(dim=1).min() < 1e-8


# --------------------------------------------------------------------------------------------------- preferences
def test_preferences_that_nobody_follows_are_learned_as_well():
    """With share 1 every action explores: all that is known of any preference comes from others' transitions."""
    result = search(SEA, 14_000, share=1.0, policies=100)
    assert volume(SEA, result.finals.objectives) == pytest.approx(854.8504, abs=1e-3)


def test_policies_follow_the_preferences_that_were_given():
    given = [[1.0, 0.0], [0.05, 0.95], [0.5, 0.5]]
    finals = search(SEA, 14_000, preferences=given, policies=3).finals
    front = moo.get_problem(SEA).oracle.front
    found = {tuple(row) for row in finals.preferences.tolist()}
    assert found <= {tuple(row) for row in given}
    for preference in torch.tensor(given, dtype=torch.float64):
        assert (finals.objectives @ preference).max() == pytest.approx(float((front @ preference).max()), abs=1e-8)
    for objectives, preference in zip(finals.objectives, finals.preferences, strict=True):
        assert objectives @ preference == pytest.approx(float((front @ preference).max()), abs=1e-8)


@pytest.mark.parametrize("exploration", EXPLORATIONS)
@pytest.mark.parametrize("learner", ["linear", "pareto"])
def test_every_exploration_finds_much_of_the_front(learner, exploration):
    found = search(SEA, 6000, exploration=exploration, learner=learner, policies=100).hypervolume
    assert 600 < found < 854.851


# --------------------------------------------------------------------------------------------------- evaluating
@pytest.mark.parametrize(("problem", "learner"), [(SEA, "linear"), (CONCAVE, "pareto"), (TREE, "linear")])
def test_act_plays_what_was_evaluated(problem, learner):
    method, meter, tuner = make(problem, learner=learner, policies=40)
    returned = Candidates.cat([part for part in advance(method, meter, tuner, 9) if len(part)])
    assert len(returned) > 8
    again = played(moo.get_problem(problem), method, returned)
    torch.testing.assert_close(again, returned.objectives, rtol=0, atol=1e-12)
    assert not returned.failed.any()


def test_a_policy_acts_legally_where_it_knows_nothing():
    method, _, _ = make(ToyEnvironment())
    ignorant = Candidates.of(
        torch.arange(3)[:, None],
        torch.zeros(3, 2, dtype=torch.float64),
        **{"parameters.actions": torch.zeros(3, 25, dtype=torch.uint8)},
    )
    mask = torch.tensor([[True, True], [False, True], [True, False]])
    actions = method.act(ignorant, torch.zeros(3, 1), mask, 0, torch.Generator())
    assert actions.tolist() == [0, 1, 0]
    assert method.act(ignorant, torch.zeros(3, 1), None, 0, torch.Generator()).tolist() == [0, 0, 0]


@pytest.mark.parametrize("exploration", EXPLORATIONS)
@pytest.mark.parametrize("learner", ["linear", "pareto"])
def test_illegal_actions_are_never_taken(learner, exploration):
    class OneWay(ToyEnvironment):
        """On the right of the start there is no way back."""

        def action_mask(self, state):
            return torch.stack([state[:, 0] <= 0, torch.ones(len(state), dtype=torch.bool)], dim=1)

        def step(self, state, actions, generator=None):
            legal.append(bool(self.action_mask(state)[torch.arange(len(state)), actions].all()))
            return super().step(state, actions, generator)

    legal = []
    method, meter, tuner = make(OneWay(), 2500, exploration=exploration, learner=learner, copies=8, steps=16)
    advance(method, meter, tuner, 12)
    assert len(method.finals()) > 0
    assert len(legal) > 100
    assert all(legal)


@pytest.mark.parametrize(
    ("problem", "options"), [(CONCAVE, {"learner": "pareto"}), (CONCAVE, {"policies": 40}), ("toy", {})]
)
def test_finals_are_the_policies_at_the_last_evaluation(problem, options):
    chance = problem == "toy"
    method, meter, tuner = make(ToyEnvironment(slip=0.2) if chance else problem, copies=16, steps=16, **options)
    before, changed, kept, evaluations = method.finals(), 0, 0, 0
    for _ in range(40):
        (fresh,) = advance(method, meter, tuner, 1)
        finals = method.finals()
        if len(fresh) and not meter.trimmed:
            evaluations += 1
            ids, old = set(finals.solutions.flatten().tolist()), set(before.solutions.flatten().tolist())
            new = set(fresh.solutions.flatten().tolist())
            assert new <= ids
            assert ids - new <= (set() if chance else old)  # the rest was known; with chance all are evaluated again
            assert not new & old
            changed += not old <= ids
            kept += len(old & ids)
        elif not len(fresh):
            assert set(finals.solutions.flatten().tolist()) <= set(before.solutions.flatten().tolist())
        before = finals
    assert evaluations > 2
    assert changed > 0  # or nothing was ever dropped
    assert (kept > 0) != chance


def test_policies_are_numbered_in_the_order_of_their_evaluation():
    method, meter, tuner = make(SEA, policies=20)
    ids = [row for part in advance(method, meter, tuner, 6) for row in part.solutions.flatten().tolist()]
    assert ids == list(range(len(ids)))
    assert len(ids) > 3


def test_with_chance_a_policy_is_evaluated_by_several_episodes():
    method, meter, tuner = make(ToyEnvironment(slip=0.2), episodes=7)
    rows = Candidates.cat([part for part in advance(method, meter, tuner, 6) if len(part)])
    assert (rows.extras["episodes"] == 7).all()
    assert rows.extras["standard_error"].isfinite().all()
    method, meter, tuner = make(ToyEnvironment(), episodes=7)
    rows = Candidates.cat([part for part in advance(method, meter, tuner, 6) if len(part)])
    assert (rows.extras["episodes"] == 1).all()


def test_five_times_what_an_evaluation_cost_is_learned_from_before_the_next():
    method, meter, tuner = make(ToyEnvironment(slip=0.2), 60_000, episodes=50, steps=8)
    since = last = evaluations = 0
    while meter.remaining > 30_000:
        before = meter.used
        advance(method, meter, tuner, 1)
        since, cost = since + 32 * 8, meter.used - before - 32 * 8
        if cost:
            assert since >= 5 * last
            assert since - 32 * 8 < max(5 * last, meter.used / 4)  # and no later than that
            since, last, evaluations = 0, cost, evaluations + 1
    assert evaluations > 2
    assert last > 100


# --------------------------------------------------------------------------------------------------- small budgets
@pytest.mark.parametrize("budget", [1024, 1500, 2048])
def test_a_small_budget_evaluates_what_it_can_surely_pay(budget):
    result = search(SEA, budget)
    assert result.record["used"] == budget
    assert len(result.failures) == 0
    if budget > 1024:
        assert len(result.front) > 0


@pytest.mark.parametrize(
    ("problem", "options"), [(SEA, {"policies": 40}), (TREE, {"policies": 40}), (CONCAVE, {"learner": "pareto"})]
)
@pytest.mark.parametrize("first", [1024, 1500])
def test_a_larger_budget_goes_on_to_what_it_would_have_found_at_once(problem, options, first, tmp_path):
    search(problem, first, checkpoint=tmp_path, **options)
    continued = search(problem, 4000, checkpoint=tmp_path, **options)
    assert_same_results(continued, search(problem, 4000, **options))


@pytest.mark.parametrize("learner", ["linear", "pareto"])
def test_rewards_that_are_not_finite_teach_nothing(learner):
    """On the left lies a place that fails: what is found is the treasure on the right."""
    result = search(ToyEnvironment(nan_at=-1), 3000, learner=learner)
    assert result.front.objectives[:, 0].tolist() == pytest.approx([10 * 0.9**5])


# --------------------------------------------------------------------------------------------------- state
@pytest.mark.parametrize("exploration", ["sticky", "laws", "counts"])
@pytest.mark.parametrize(("problem", "learner"), [(SEA, "linear"), (CONCAVE, "pareto"), ("toy", "linear")])
def test_a_stored_method_goes_on_identically(problem, learner, exploration, tmp_path):
    def prepared():
        start = ToyEnvironment(slip=0.2) if problem == "toy" else problem
        return make(start, exploration=exploration, learner=learner, policies=40)

    parts = prepared()
    advance(*parts, 3)
    write_state(tmp_path / "state", [part.state_dict() for part in parts])
    expected = advance(*parts, 4)
    fresh = prepared()
    advance(*fresh, 1)  # also into one that has begun otherwise
    for part, state in zip(fresh, read_state(tmp_path / "state"), strict=True):
        part.load_state_dict(state)
    found = advance(*fresh, 4)
    assert sum(map(len, expected)) > 0
    for a, b in zip(expected, found, strict=True):
        assert_same_candidates(a, b)
    assert_same_candidates(parts[0].finals(), fresh[0].finals())


def test_a_loaded_result_plays_its_policies(tmp_path):
    result = search(SEA, 5000, policies=40)
    result.save(tmp_path / "run")
    loaded = moo.load_result(tmp_path / "run")
    again = played(moo.get_problem(SEA), loaded.generator, loaded.front)
    torch.testing.assert_close(again, result.front.objectives, rtol=0, atol=1e-9)
    assert_same_candidates(loaded.generator.finals(), result.generator.finals())


# --------------------------------------------------------------------------------------------------- refusals
class Spaced(ToyEnvironment):
    """The corridor with other declarations."""

    def __init__(self, observations=None, actions=None, **options):
        super().__init__(**options)
        self.observation_space = observations or self.observation_space
        self.action_space = actions or self.action_space


def test_real_observations_are_refused():
    problem = Spaced(observations=Space((real(-1, 1, "position"),)))
    with pytest.raises(ValueError, match=r"it takes integer, categorical observations, not real"):
        search(problem, 1000)
    with pytest.raises(ValueError, match=r"needs at most 1,000,000 different observations\. 'toy-environment' has inf"):
        make(problem)


def test_continuous_actions_are_refused():
    with pytest.raises(ValueError, match=r"it takes categorical actions, not real"):
        search(ToyEnvironment(continuous=True), 1000)


def test_too_many_observations_are_refused():
    problem = Spaced(observations=Space((integer(0, 999, "row"), integer(0, 1000, "column"))))
    message = (
        r"needs at most 1,000,000 different observations\. 'toy-environment' has 1\.001e\+06\. Choose a method with"
    )
    with pytest.raises(ValueError, match=message):
        make(problem)


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ((categorical(range(257), "push"),), "1 columns of actions, 257 in all"),
        ((categorical("lr", "push"), categorical("ud", "pull")), "2 columns of actions, 4 in all"),
    ],
)
def test_too_many_actions_are_refused(columns, found):
    message = rf"needs one action of at most 256 choices\. 'toy-environment' has {found}\."
    with pytest.raises(ValueError, match=message):
        make(Spaced(actions=Space(columns)))


def test_sets_are_not_for_chance():
    message = r"learner='pareto' is for environments without chance\. 'resource-gathering' has some\."
    with pytest.raises(ValueError, match=message):
        search("resource-gathering", 1000, learner="pareto")


class TwoStarts(ToyEnvironment):
    """The corridor, every second copy beginning one place further."""

    def reset(self, n, generator=None):
        state = super().reset(n)
        state[1::2, 0] = 1
        return state


def test_sets_need_one_start():
    with pytest.raises(
        ValueError, match=r"learner='pareto' needs an environment with one start\. Use learner='linear'"
    ):
        search(TwoStarts(), 1000, learner="pareto")


def test_several_starts_are_weighed_by_how_often_they_are():
    """What the far treasure is worth: 10 * .9^5 from the one start, 10 * .9^4 from the other."""
    problem = TwoStarts()
    method, meter, _ = make(problem, 4000, policies=1, copies=7)
    tuner = make_tuner([[1.0, 0.0]], problem, "tabular", budget=4000, seed=0)[0]
    advance(method, meter, tuner, 10)
    state = method.state_dict()
    starts = state["starts"][problem.observation_space.number(torch.tensor([[0.0], [1.0]]))]
    assert starts.sum() == state["starts"].sum()
    assert starts[0] > starts[1] > 0
    shares = starts / starts.sum()
    expected = 10 * 0.9**5 * shares[0] + 10 * 0.9**4 * shares[1]
    assert state["predicted"][:, 0] == pytest.approx([float(expected)], abs=1e-9)
