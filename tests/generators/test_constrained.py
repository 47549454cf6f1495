"""Constraints on bandits whose best feasible policies are known, and each update against a literal loop."""

import math
import warnings

import pytest
import torch
from inputs import ToyConstruction, ToyEnvironment, ToyText

import moo
from moo.base import Evaluation, Setting
from moo.generators.constrained import Constrained
from moo.metered import metered
from moo.options import resolve_options
from moo.problems.bandit import Bandit
from moo.rl.advantages import Advantages
from moo.storage import read_state, write_state

BANDIT = "bandit:arms=6,num_objectives=2,layout=3,rules=2"
PREFERENCES = torch.tensor([[0.9, 0.1], [0.5, 0.5]], dtype=torch.float64)
QUICK = {"policies": 2, "copies": 16, "hidden": 8, "layers": 1}
FAST = {"learning_rate": 0.03}


def a_method(problem=BANDIT, seed=0, budget=10**6, **options):
    problem = moo.get_problem(problem) if isinstance(problem, str) else problem
    said = resolve_options(Constrained.options, {**QUICK, **options}, "constrained")
    return Constrained(metered(problem, budget, seed), budget=budget, seed=seed, device="cpu", **said)


def two_arms(second=(0.0, 1.0), directions=("max", "max")):
    """A bandit of the arms (1, 0) and `second`."""
    problem = Bandit(arms=2, num_objectives=2)
    problem.model.rewards[0, :, 0] = torch.tensor([[1.0, 0.0], second], dtype=torch.float64)
    problem.directions = directions
    return problem


def advance(method, steps, preferences=PREFERENCES):
    for _ in range(steps):
        method.step(Setting(preferences))
    return method


def chances(method):
    """What the policies do on a bandit, `[p, arms]`."""
    with torch.no_grad():
        inputs = torch.ones(method.net.policies, 1, method.observer.inputs)
        return method.net.law(inputs, None).logits[:, 0].double().exp()


def late_chances(method, steps):
    """The same, the mean over the last quarter of so many steps."""
    advance(method, 3 * steps // 4)
    return torch.stack([chances(advance(method, 1)) for _ in range(steps // 4)]).mean(dim=0)


def gains_of(method, preferences=PREFERENCES):
    episodes, _ = method._sample(preferences)
    method.levels.see(episodes)
    values = torch.zeros_like(episodes.rewards) if method._said.estimator == "ppo" else None
    return method.gains(Advantages(episodes, method._said.estimator, values, 0.9), preferences), episodes


# --------------------------------------------------------------------------------------------------- multipliers
@pytest.mark.parametrize("estimator", ["rloo", "grpo"])
@pytest.mark.parametrize("form", ["projected", "sigmoid", "tanh"])
def test_gains_by_multipliers_are_those_of_a_literal_loop(form, estimator):
    said = {"multipliers": form, "thresholds": [None, 0.7], "ascent": 0.5, "proportional": 3.0, "rate": 0.9}
    method = a_method(estimator=estimator, judges=["rule 1"], **said)
    for _ in range(3):  # so that means run
        gains, episodes = gains_of(method)
    span = method._ranges.span
    means = episodes.returns.mean(dim=1)
    kept = moo.get_problem(BANDIT).kept[:, 0][episodes.actions[:, :, 0]].double()
    for p in range(2):
        running = method._running[p]
        lacking = [0.7 / span[1] - running[1] / span[1], 0.9 - running[2]]
        asked = [0.7 / span[1] - means[p, 1] / span[1], 0.9 - kept[p].mean()]
        assert asked[0] == pytest.approx(float(0.7 / span[1] - method._now[p, 1] / span[1]))
        assert asked[1] == pytest.approx(float(0.9 - method._now[p, 2]))
        held = [float(method.multipliers.raw[p, i] + 3 * lacking[i]) for i in range(2)]
        if form == "projected":
            prices = [max(one, 0.0) for one in held]
            weights = [1 / (1 + sum(prices)), *(one / (1 + sum(prices)) for one in prices)]
        else:
            prices = [math.tanh(one) if form == "tanh" else 1 / (1 + math.exp(-one)) for one in held]
            weights = [2 - sum(prices), *prices]
        returns = episodes.returns[p]
        wanted = PREFERENCES[p] * torch.tensor([1.0, form != "tanh"])
        rows = [returns @ wanted / (wanted @ span), returns[:, 1] / span[1], kept[p]]
        expected = torch.zeros(16, dtype=torch.float64)
        for weight, row in zip(weights, rows, strict=True):
            away = row - row.mean()
            unit = 15 / 16 if estimator == "rloo" else float(row.std(correction=0)) or 1.0
            expected += float(weight) * away / unit
        torch.testing.assert_close(gains[p, :, 0], expected, rtol=0, atol=1e-9)


def test_without_constraints_the_reward_alone_counts():
    found = []
    for form in ("projected", "sigmoid"):
        method = a_method("bandit:arms=6,num_objectives=2", multipliers=form)
        gains, episodes = gains_of(method)
        scale = (PREFERENCES @ method._ranges.span)[:, None, None]
        expected = Advantages(episodes, "rloo").weighted(PREFERENCES) / scale
        torch.testing.assert_close(gains, expected)
        found.append(advance(method, 2).step(Setting(PREFERENCES)))
    assert "constraints" not in found[0].extras


@pytest.mark.parametrize("form", ["projected", "sigmoid", "tanh"])
def test_two_arms_are_mixed_as_the_threshold_asks(form):
    # (1, 0) and (0, 1): the first is preferred, the second needed for .3
    method = a_method(two_arms(), thresholds=[None, 0.3], multipliers=form, copies=64)
    assert late_chances(method, 200)[0].tolist() == pytest.approx([0.7, 0.3], abs=0.04)
    assert (method.multipliers.raw[0] >= 0).all() or form != "projected"


def test_a_minimised_objectives_threshold_is_a_ceiling():
    # (1, 0) and (0, -1) where the second objective is minimised: at most -.3
    method = a_method(two_arms((0.0, -1.0), ("max", "min")), thresholds=[None, -0.3], copies=64)
    assert late_chances(method, 200)[0].tolist() == pytest.approx([0.7, 0.3], abs=0.04)


def test_equality_pushes_back_what_is_beyond_and_a_floor_does_not():
    mine = {}
    for form in ("tanh", "projected"):  # .8 of the first objective are wanted anyway
        method = a_method(two_arms(), thresholds=[0.4, None], multipliers=form, copies=64)
        mine[form] = float(late_chances(method, 240)[0, 0])
    assert mine["tanh"] == pytest.approx(0.4, abs=0.05)
    assert mine["projected"] > 0.9


def test_judges_are_satisfied_at_the_rate_that_is_asked():
    # arms 0 and 1 keep the rule, and the second policy's best arm is another
    problem = moo.get_problem("bandit:arms=6,num_objectives=2,layout=3")
    assert float((problem.rewards @ PREFERENCES[1])[:2].max()) < float((problem.rewards @ PREFERENCES[1]).max())
    method = a_method(problem, copies=64, judges="judging:low_arms", rate=0.6)
    assert float(late_chances(method, 240)[1, :2].sum()) == pytest.approx(0.6, abs=0.06)


# --------------------------------------------------------------------------------------------------- CGPO
@pytest.mark.parametrize("optimiser", ["crpg", "codpo", "crraft"])
def test_judged_policies_keep_all_rules_and_are_the_best_that_do(optimiser):
    problem = moo.get_problem(BANDIT)
    method = advance(a_method(optimiser=optimiser, **FAST), 120)
    kept = problem.kept.all(dim=1)
    assert 0 < kept.sum() < 6
    found = chances(method)
    assert (found[:, kept].sum(dim=1) > 0.95).all()
    reward = (found @ problem.rewards * PREFERENCES).sum(dim=1)
    best = (problem.rewards[kept] @ PREFERENCES.T).amax(dim=0)
    assert (reward >= 0.95 * best).all()


@pytest.mark.parametrize("optimiser", ["crpg", "codpo", "crraft"])
def test_with_judges_a_threshold_is_one_of_each_sample(optimiser):
    method = advance(a_method(optimiser=optimiser, thresholds=[None, 0.6], judges=[], **FAST), 120)
    rewards = moo.get_problem(BANDIT).rewards
    assert 0 < (rewards[:, 1] >= 0.6).sum() < 6
    assert (chances(method)[:, rewards[:, 1] >= 0.6].sum(dim=1) > 0.95).all()


def test_fixed_weights_break_the_rules():
    result = moo.pareto_search(
        BANDIT, "fixed-weights", budget=8000, options=QUICK, preferences=PREFERENCES.tolist(), progress=False
    )
    problem = moo.get_problem(BANDIT)
    best = (problem.rewards @ PREFERENCES.T).argmax(dim=0)
    assert not problem.kept.all(dim=1)[best].all()
    assert result.feasible  # they know of no judges


def test_gains_of_crpg_are_those_of_a_literal_loop():
    method = advance(a_method("deep-sea-treasure", optimiser="crpg", limit=0.05, judges=["judging:long"], copies=8), 3)
    gains, episodes = gains_of(method)
    problem = moo.get_problem("deep-sea-treasure")
    span, first = method._ranges.span, method._first_law(episodes)
    log_first = first.log_chance(episodes.actions.flatten(1)).reshape(episodes.moves.shape)
    sign = torch.tensor([1.0 if word == "max" else -1.0 for word in problem.directions], dtype=torch.float64)
    assert sign.numel() == 2
    for p in range(2):
        kept = []
        for c in range(8):
            away = worth = 0.0
            for t in range(episodes.moves.shape[2]):
                if episodes.moves[p, c, t]:
                    away += float(episodes.before[p, c, t] - log_first[p, c, t])
            unit = float(PREFERENCES[p] @ span)
            worth = float((episodes.returns[p, c] - method._base[p]) @ PREFERENCES[p]) / unit
            long = int(episodes.moves[p, c].sum()) > 1
            kept.append(max(0.0, 1 - away / 0.05) / (1 + math.exp(-4 * worth)) if long else 0.0)
        for c in range(8):
            for t in torch.nonzero(episodes.moves[p, c]).flatten().tolist():
                assert float(gains[p, c, t]) == pytest.approx(kept[c] - sum(kept) / 8, abs=1e-5)
    assert (gains[~episodes.live] == 0).all()


def test_rewards_are_calibrated_by_the_first_policies():
    method = advance(a_method(), 1)
    first = method._base.clone()
    advance(method, 5)
    assert torch.equal(method._base, first)
    assert torch.isfinite(first).all()


# --------------------------------------------------------------------------------------------------- constraints
class Limited(ToyConstruction):
    """At most one letter a."""

    num_constraints = 1

    def evaluate(self, solutions, generator=None):
        return Evaluation(super().evaluate(solutions), (solutions == 0).sum(dim=1, keepdim=True) - 1.0)


def share_that_keeps_the_limit(problem, **options):
    """Of the objects of the last ten of 120 steps, those with at most one letter a."""
    method = a_method(problem, **options, **FAST)
    told = [method.step(Setting(PREFERENCES)) for _ in range(120)][-10:]
    return float(((torch.cat([part.solutions for part in told]) == 0).sum(dim=1) <= 1).double().mean())


@pytest.mark.parametrize("optimiser", ["multipliers", "crpg", "codpo", "crraft"])
def test_constraints_of_a_problem_are_learned(optimiser):
    assert share_that_keeps_the_limit(Limited(), optimiser=optimiser) > 0.9


def test_what_no_constraint_asks_for_is_not_learned():
    assert share_that_keeps_the_limit(ToyConstruction()) < 0.6


@pytest.mark.parametrize("optimiser", ["multipliers", "crraft"])
def test_completions_of_texts_are_judged(optimiser):
    text = {"model": "characters", "length": 6, "prompts": 2, "interval": 1}
    method = a_method(ToyText(), optimiser=optimiser, judges="judging:short", **text)
    episodes, _ = method._sample(PREFERENCES)
    expected = torch.tensor([len(text) <= 3 for text in episodes.texts]).reshape(2, 16)
    assert torch.equal(method._satisfied[..., 0], expected)
    told = advance(method, 2).finals()
    assert told.extras["constraints"].shape == (2, 1)
    if optimiser == "crraft":
        gains, episodes = gains_of(method)
        rewarded = (gains > 0).any(dim=2)
        assert (rewarded & ~method._satisfied[..., 0]).sum() == 0
        assert (rewarded.reshape(2, 2, 8).sum(dim=2) <= 1).all()


def test_infeasible_objects_enter_no_front():
    result = moo.pareto_search(Limited(), "constrained", budget=600, options=QUICK, progress=False)
    assert result.feasible
    assert (result.front.extras["constraints"] <= 0).all()


# --------------------------------------------------------------------------------------------------- reports
def test_policies_carry_their_constraints_and_only_those_that_keep_them_make_the_front():
    options = {**QUICK, "thresholds": [None, 0.5], "interval": 1, "copies": 64}
    result = moo.pareto_search(
        two_arms(), "constrained", budget=20_000, options=options, preferences=[[1.0, 0.0]] * 2, progress=False
    )
    constraints = result.additions.extras["constraints"]
    assert constraints.shape[1] == 1
    assert (constraints <= 0).all()
    assert result.feasible
    assert (result.front.objectives[:, 1] >= 0.5 - 0.02 - 0.1).all()  # the means ran; these are fresh
    finals = result.finals.extras["multipliers"]
    assert (finals >= 0).all()


def test_where_no_threshold_can_be_met_the_least_violating_are_reported_and_a_warning_says_so():
    options = {**QUICK, **FAST, "thresholds": [None, 1.5], "interval": 1}
    with pytest.warns(UserWarning, match=r"The threshold of objective 2 is 1.5, and the best return .* so far is 1\. "):
        result = moo.pareto_search(
            two_arms(), "constrained", budget=4_000, options=options, preferences=[[1.0, 0.0]] * 2, progress=False
        )
    assert not result.feasible
    assert len(result.front) == 0
    least = result.least_violating
    assert (least.objectives[:, 1] > 0.9).all()
    assert (least.extras["constraints"] > 0.4).all()


def test_thresholds_within_reach_bring_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        advance(a_method(two_arms(), thresholds=[None, 0.5]), 30)


# --------------------------------------------------------------------------------------------------- the search
SEARCH = {"thresholds": [0.4, None], "gold": "judging:gold", "multipliers": "tanh", "copies": 128}


def test_thresholds_are_searched_for_what_they_stand_for():
    # gold is r1 + r2 - 4 max(r1 - .7, 0) of each arm: (.6, .8) has 1.4, (1, 0) has -.2
    # so the mean score falls from 1.4 to -.2 as the threshold of the first goes from .6 to 1
    problem = two_arms((0.6, 0.8))
    method = a_method(problem, policies=1, patience=25, **{**SEARCH, "thresholds": [0.9, None], "learning_rate": 0.01})
    advance(method, 400, PREFERENCES[:1])
    found = method.found_thresholds
    assert found.shape == (1, 2)
    assert found[0, 1].isnan()
    assert float(found[0, 0]) < 0.75
    assert len(method._searches[0]._values) == 2


def test_a_search_waits_until_the_threshold_is_held_or_for_its_patience():
    method = a_method(two_arms(), policies=1, patience=3, reached=0.0, **SEARCH)
    asked = [float(advance(method, 1, PREFERENCES[:1]).thresholds[0, 0]) for _ in range(9)]
    assert asked[:3] == [0.4] * 3
    assert len(set(asked[3:6])) == 1
    assert asked[3] == pytest.approx(0.6)  # a fifth of the range further


# --------------------------------------------------------------------------------------------------- state, refusals
@pytest.mark.parametrize(
    "options",
    [
        {"thresholds": [None, 0.7], "momentum": 0.5},
        {"optimiser": "crpg"},
        {"optimiser": "codpo"},
        {**SEARCH, "copies": 16, "patience": 2},
    ],
)
def test_a_stored_state_goes_on_exactly(options, tmp_path):
    first = advance(a_method(**options), 7)
    write_state(tmp_path / "state", first.state_dict())
    other = a_method(**options)
    other.problem.load_state_dict(first.problem.state_dict())
    other.load_state_dict(read_state(tmp_path / "state"))
    for method in (first, other):
        advance(method, 6)
    assert torch.equal(chances(first), chances(other))
    assert torch.equal(first.multipliers.raw, other.multipliers.raw)
    assert torch.equal(first.thresholds, other.thresholds)
    for one, same in zip(first.finals().extras.values(), other.finals().extras.values(), strict=True):
        assert not isinstance(one, torch.Tensor) or torch.equal(one, same)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"optimiser": "codpo", "copies": 12},
            ValueError,
            "Option `group` should divide `copies` .* Found group=8 and 12",
        ),
        (
            {"gold": "judging:gold"},
            ValueError,
            "Option `gold` searches thresholds that are held, .* multipliers=projected",
        ),
        ({**SEARCH, "optimiser": "crpg"}, ValueError, "Found optimiser=crpg, multipliers=tanh"),
        ({**SEARCH, "thresholds": None}, ValueError, "Option `gold` is for a search of thresholds. Set `thresholds`"),
        ({**SEARCH, "gold": "golden"}, ValueError, r"Unknown gold 'golden'.* named as 'module:function'"),
        ({"thresholds": [1.0]}, ValueError, r"`thresholds` should have shape \[1, 2\]"),
        ({"judges": "rule 3"}, ValueError, r"Unknown judge 'rule 3'\. Did you mean 'rule [12]'"),
        ({"estimator": "gdpo"}, ValueError, "Option `estimator` should be one of"),
        ({"optimiser": "ppo"}, ValueError, "Option `optimiser` should be one of"),
    ],
)
def test_what_contradicts_itself_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        a_method(**options)


@pytest.mark.parametrize(
    ("judge", "message"), [("nan", "What judge 'judging:nan' says should hold no NaN"), ("too_few", r"shape \[32\]")]
)
def test_a_judge_that_fails_is_named(judge, message):
    with pytest.raises(ValueError, match=message):
        advance(a_method(judges=f"judging:{judge}"), 1)


def test_episodes_that_failed_are_not_judged():
    heard = []

    class Judged(ToyEnvironment):
        judges = {"it": lambda samples: heard.append(len(samples)) or torch.ones(len(samples))}

    method = advance(a_method(Judged(nan_at=-1)), 3)
    assert max(heard) < 32
    assert torch.isfinite(method._running).all()
