"""MORL/D: every axis of its taxonomy does what it says; what is found on exact problems."""

import itertools

import pytest
import torch
from asserts import assert_same_candidates
from inputs import ToyEnvironment, finite_model

import moo
from moo.base import Setting
from moo.dominance import non_dominated
from moo.generators import morld
from moo.generators.morld import MORLD
from moo.indicators import hypervolume
from moo.metered import metered
from moo.options import resolve_options
from moo.preferences import grid, moved_apart
from moo.rl.cooperation import neighbourhoods
from moo.rl.finite import FiniteEnvironment
from moo.rl.rollouts import episode_returns
from moo.rl.utilities import SCALARISATIONS
from moo.seeding import torch_generator
from moo.space import Space, integer
from moo.storage import read_state, write_state

SMALL = {"policies": 5, "copies": 2, "steps": 6, "episodes": 2, "updates": 2, "batch": 8, "hidden": 8, "layers": 1}
AXES = {
    "learner": ("q", "soft"),
    "criterion": ("ser", "esr"),
    "scalarisation": SCALARISATIONS,
    "adaptation": ("none", "psa", "random"),
    "sharing": ("none", "neighbours", "all"),
    "structure": ("independent", "conditioned"),
}


def make(problem=None, budget=4000, seed=0, **options):
    problem = problem or ToyEnvironment()
    options = resolve_options(MORLD.options, {**SMALL, **options}, "morl-d")
    return MORLD(metered(problem, budget, seed), budget=budget, seed=seed, device="cpu", **options)


def advance(method, steps, preferences=None):
    m, k = method.problem.num_objectives, method.preferences_per_round
    setting = Setting(grid(m, k)[:k] if preferences is None else preferences)
    return [method.step(setting) for _ in range(steps) if method.problem.remaining]


def learns(monkeypatch):
    """Notes the samples of every gradient step."""
    noted = []
    for kind in (morld.DoubleQ, morld.Soft):
        original = kind.improve

        def spy(self, samples, stream, original=original):
            noted.append(samples)
            return original(self, samples, stream)

        monkeypatch.setattr(kind, "improve", spy)
    return noted


def all_combinations():
    names = list(AXES)
    rows = itertools.product(*AXES.values())
    return [dict(zip(names, row, strict=True)) for number, row in enumerate(rows) if number % 7 == 0]


# --------------------------------------------------------------------------------------------------- the axes
@pytest.mark.parametrize("options", all_combinations(), ids=lambda options: "-".join(options.values()))
def test_axes_go_together_and_a_stored_state_goes_on(options, tmp_path):
    problem = ToyEnvironment(3, slip=0.1)
    method, other = make(problem, **options), make(problem, **options)
    advance(method, 4)
    write_state(tmp_path / "state", [method.state_dict(), method.problem.state_dict()])
    state, meter = read_state(tmp_path / "state")
    other.load_state_dict(state)
    other.problem.load_state_dict(meter)
    assert_same_candidates(method.finals(), other.finals())
    for first, second in zip(advance(method, 8), advance(other, 8), strict=True):
        assert_same_candidates(first, second)
    assert len(method.finals()) == 5
    assert torch.isfinite(method.finals().objectives).all()


@pytest.mark.parametrize("criterion", ["ser", "esr"])
def test_continuous_actions_lie_in_their_bounds_and_go_on(criterion, tmp_path):
    problem = ToyEnvironment(continuous=True)
    method, other = (make(problem, criterion=criterion, structure="conditioned") for _ in range(2))
    advance(method, 4)
    write_state(tmp_path / "state", [method.state_dict(), method.problem.state_dict()])
    state, meter = read_state(tmp_path / "state")
    other.load_state_dict(state)
    other.problem.load_state_dict(meter)
    for first, second in zip(advance(method, 6), advance(other, 6), strict=True):
        assert_same_candidates(first, second)
    stream = torch.Generator().manual_seed(0)
    actions = method.act(method.finals(), torch.zeros(5, 1), None, 3, stream)
    assert actions.shape == (5, 1)
    assert (actions.abs() <= 1).all()


@pytest.mark.parametrize("sharing", ["none", "neighbours", "all"])
def test_a_policy_learns_from_those_it_shares_with(sharing, monkeypatch):
    method = make(sharing=sharing, neighbours=1)
    pools = []
    original = type(method._experience.replay).sample

    def spy(self, allowed, *rest):
        pools.append(allowed)
        return original(self, allowed, *rest)

    monkeypatch.setattr(type(method._experience.replay), "sample", spy)
    advance(method, 2)
    near = neighbourhoods(grid(2, 5), 1)
    own = torch.eye(5, dtype=torch.bool)
    expected = {"none": own, "neighbours": own | near, "all": torch.ones_like(own)}[sharing]
    assert pools
    assert all(torch.equal(allowed, expected) for allowed in pools)


@pytest.mark.parametrize(("sharing", "who"), [("none", [0, 1]), ("neighbours", [0, 1, 4]), ("all", [0, 1, 2, 3, 4])])
def test_those_who_hear_of_a_turn_learn(sharing, who, monkeypatch):
    noted = learns(monkeypatch)
    method = make(active=2, sharing=sharing, neighbours=1, turn=100)
    advance(method, 1)  # 0 and 1 act; of (0,1) (1,0) (.5,.5) (.75,.25) (.25,.75) 4 is near 0, 3 near 1 and 2
    expected = {*who, 3} if sharing == "neighbours" else set(who)
    assert len(noted) == SMALL["updates"]
    for samples in noted:
        found = range(5) if samples.rows is None else samples.rows.tolist()
        assert set(found) == expected


def test_turns_go_round():
    method = make(active=2, turn=2)
    turns = []
    for _ in range(10):
        advance(method, 1)
        turns.append(method._turn.tolist())
    assert turns == [[0, 1], [0, 1], [2, 3], [2, 3], [4, 0], [4, 0], [1, 2], [1, 2], [3, 4], [3, 4]]
    assert (method._experience.replay.counts > 40).all()


def test_roulette_prefers_what_adds_to_the_front(monkeypatch):
    method = make(active=1, turn=1, selection="roulette", evaluation=0.0, budget=100_000)
    advance(method, 1)
    method._returns = torch.tensor([[0.0, 0.0]] * 4 + [[1.0, 1.0]], dtype=torch.float64)
    method._experience.low, method._experience.high = torch.zeros(2).double(), torch.ones(2).double()
    turns = []
    for number in range(400):
        method._begin_turn(torch_generator(0, "turn", number))
        turns.append(int(method._turn))
    assert turns.count(4) / 400 == pytest.approx(0.6, abs=0.07)  # half of it by what it adds, a tenth as any other
    assert set(turns) == set(range(5))


def test_preferences_are_adapted_by_annealing_after_each_exchange():
    method = make(ToyEnvironment(3, slip=0.1), adaptation="psa", delta=1.5, exchange=2, budget=100_000, evaluation=0.5)
    preferences, evaluations = grid(3, 5)[:5], 0
    for _ in range(25):
        (found,) = advance(method, 1)
        if not len(found):
            continue
        evaluations += 1
        assert torch.equal(found.preferences, preferences)
        if evaluations % 2 == 0:
            moved = [
                moved_apart(own, reached, method._front, 1.5)
                for own, reached in zip(preferences, found.objectives, strict=True)
            ]
            preferences = torch.stack(moved)
        assert torch.allclose(method._preferences, preferences)
        preferences = method._preferences.clone()
    assert evaluations > 3
    assert not torch.equal(preferences, grid(3, 5)[:5])
    assert torch.allclose(preferences.sum(dim=1), torch.ones(5, dtype=torch.float64))


def test_preferences_are_drawn_anew_or_stay():
    for adaptation in ("none", "random"):
        method = make(adaptation=adaptation)
        found = [part for part in advance(method, 30) if len(part)]
        same = torch.equal(found[0].preferences, found[1].preferences)
        assert same == (adaptation == "none")
        assert torch.equal(found[0].preferences, grid(2, 5))


def test_a_better_neighbours_networks_are_taken_over():
    method = make(transfer="best", neighbours=2, normalise=False)
    advance(method, 1)
    method._returns = torch.tensor([[0.0, 1.0], [1.0, 0.0], [9.0, 9.0], [8.0, 2.0], [2.0, 8.0]], dtype=torch.float64)
    before = method._learner.critic.weights[0].detach().clone()
    method._exchange(torch.Generator())
    after = method._learner.critic.weights[0].detach()
    near = neighbourhoods(grid(2, 5), 2)
    for policy, preference in enumerate(grid(2, 5)):
        known = [policy, *torch.nonzero(near[policy]).flatten().tolist()]
        best = max(known, key=lambda other, own=preference: float(method._returns[other] @ own))
        assert torch.equal(after[policy], before[best])
    assert torch.equal(after[3], before[2])


def test_those_who_begin_begin_as_their_nearest_neighbour_that_was_trained():
    method = make(active=1, turn=1, transfer="start", neighbours=4)
    advance(method, 1)  # policy 0: (0, 1)
    before = method._learner.critic.weights[0].detach().clone()
    method._begin_turn(torch.Generator())  # policy 1: (1, 0)
    assert torch.equal(method._learner.critic.weights[0][1], before[0])
    assert torch.equal(method._learner.critic.weights[0][2:], before[2:])
    method._trained[:] = True
    before = method._learner.critic.weights[0].detach().clone()
    method._begin_turn(torch.Generator())
    assert torch.equal(method._learner.critic.weights[0], before)


@pytest.mark.parametrize(
    ("options", "problem", "words"),
    [
        ({"learner": "q"}, ToyEnvironment(continuous=True), "learner='q' is for discrete actions"),
        ({"structure": "conditioned", "transfer": "best"}, None, "transfer='best' is for policies with a network each"),
        ({"sharing": "neighbours", "neighbours": 0}, None, "sharing='neighbours' needs neighbours. Found neighbours=0"),
        ({"sharing": "all", "transfer": "start", "neighbours": 0}, None, "transfer='start' needs neighbours"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, problem, words):
    with pytest.raises(ValueError, match=words):
        make(problem, **options)


# --------------------------------------------------------------------------------------------------- utilities
def test_units_make_preferences_independent_of_an_objectives_size():
    """The same corridor with one objective in thousandths learns the same, bit for bit but for rounding."""

    class Scaled(ToyEnvironment):
        def step(self, state, actions, generator=None):
            state, rewards, *ends = super().step(state, actions, generator)
            return state, rewards * torch.tensor([1024.0, 2.0**-10], dtype=torch.float64), *ends

    one, other = make(Scaled()), make(ToyEnvironment())
    factors = torch.tensor([1024.0, 2.0**-10], dtype=torch.float64)
    for method, size in ((one, factors), (other, torch.ones_like(factors))):
        method._experience.note(size * torch.tensor([[0.0, -32.0], [32.0, 0.0]]))  # so that no unit changes
        method._span = method._experience.span
    found = [[part for part in advance(method, 12) if len(part)] for method in (one, other)]
    for scaled, plain in zip(*found, strict=True):
        assert torch.allclose(scaled.objectives, plain.objectives * factors)
    raw = make(Scaled(), normalise=False)
    advance(raw, 12)
    span = raw._experience.span
    expected = raw._preferences * span / (raw._preferences * span).sum(dim=1, keepdim=True)
    assert torch.allclose(raw._aims().in_units, expected)


def test_critics_say_the_same_when_the_range_grows():
    method = make()
    advance(method, 6)
    inputs = torch.randn(5, 3, method._sight.columns, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([[1.0, 0.0]]).expand(5, 2)  # so that units change no choice
    said = method._learner.expected(inputs, None, weights) * method._experience.span
    method._experience.note(torch.tensor([[-100.0, -100.0], [100.0, 300.0]]))
    method._measure()
    assert method._span.tolist() == [200.0, 400.0]
    assert torch.allclose(method._learner.expected(inputs, None, weights) * method._span, said, rtol=1e-4)


def choices(rewards):
    """One step from the start, each action with its vector."""
    n = len(rewards)
    model = finite_model([[[0]] * n], [[[1.0]] * n], [[[row] for row in rewards]], [[[True]] * n])
    return FiniteEnvironment(
        "choices", model, torch.zeros(1, 1), Space((integer(0, 0, "place"),)), [str(i) for i in range(n)],
        ["one", "other"], 0.9, 3, [0.0, 0.0],
    )  # fmt: skip


CONCAVE = choices([[1.0, 0.0], [0.4, 0.4], [0.0, 1.0]])  # no linear preference wants the second


@pytest.mark.parametrize("learner", ["q", "soft"])
@pytest.mark.parametrize(("scalarisation", "found"), [("weighted-sum", False), ("tchebycheff", True)])
def test_utility_of_returns_finds_concave_points_with_tchebycheff_alone(learner, scalarisation, found):
    options = {"criterion": "esr", "updates": 6, "spread": 0.01, "learning_rate": 3e-3}
    method = make(CONCAVE, 6000, scalarisation=scalarisation, learner=learner, **options)
    advance(method, 40)
    reached = {tuple(row) for row in method.finals().objectives.tolist()}
    assert ((0.4, 0.4) in reached) == found
    assert {(1.0, 0.0), (0.0, 1.0)} <= reached


def test_utility_of_expected_returns_lets_a_policy_mix():
    """SER with Tchebycheff: the best expected returns of an even preference are (.5, .5), by drawing."""
    options = {"scalarisation": "tchebycheff", "learner": "soft", "greedy": False, "spread": 0.01, "policies": 1}
    method = make(CONCAVE, 20_000, **options, updates=6, episodes=400, evaluation=0.9, learning_rate=3e-3)
    even = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    last = torch.cat([part.objectives for part in advance(method, 80, even) if len(part)])[-8:]
    assert float(last.amin(dim=1).mean()) > 0.4
    assert ((last > 0.02) & (last < 0.98)).any()


def test_policies_for_are_the_best_of_the_last_evaluated():
    method = make(CONCAVE, 3000, updates=4, normalise=False)
    with pytest.raises(ValueError, match="needs a policy that has been evaluated"):
        method.policies_for(grid(2, 5))
    advance(method, 40)
    wanted = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    best = method.policies_for(wanted)
    utilities = wanted.double() @ method.finals().objectives.T
    assert torch.equal((wanted * best.objectives).sum(dim=1), utilities.amax(dim=1))


# --------------------------------------------------------------------------------------------------- evaluating
def test_evaluations_keep_to_their_share():
    method = make(budget=20_000, evaluation=0.3)
    before = 0
    for _ in range(60):
        used = method.problem.used
        (found,) = advance(method, 1)
        if len(found):
            before += method.problem.used - used - 60
            assert before <= 0.3 * method.problem.used
    assert before > 0.2 * method.problem.used


@pytest.mark.parametrize(("options", "episodes"), [({}, 1), ({"learner": "soft", "greedy": False}, 2)])
def test_what_is_certain_is_evaluated_once(options, episodes):
    for slip, expected in ((0.0, episodes), (0.1, 2)):
        method = make(ToyEnvironment(slip=slip), **options)
        found = next(part for part in advance(method, 20) if len(part))
        assert (found.extras["episodes"] == expected).all()


def test_candidates_act_as_the_learner_does():
    for options in ({}, {"criterion": "esr"}, {"structure": "conditioned", "criterion": "esr"}):
        method = make(ToyEnvironment(3), **options)
        advance(method, 10)
        policies, aims = method._policies(), method._aims()
        for time, place in itertools.product((0, 5), (-1.0, 0.0, 3.0)):
            seen = torch.full((5, 1), place)
            inputs = method._sight(seen, torch.full((5,), time), method._preferences)[:, None]
            chances = method._learner.behaviour(None, inputs, None, aims.weights, torch.Generator())
            found = method.act(policies, seen, None, time, torch.Generator().manual_seed(0))
            assert torch.equal(found, chances[:, 0].argmax(dim=1))


def test_objectives_are_the_returns_of_the_stored_policies():
    method = make(ToyEnvironment(3))
    advance(method, 15)
    finals = method.finals()
    again = metered(ToyEnvironment(3), 1000, 0)
    returns, *_ = episode_returns(again, lambda *seen: method.act(finals, *seen, torch.Generator()), 5)
    assert torch.allclose(returns, finals.objectives)


# --------------------------------------------------------------------------------------------------- what is found
@pytest.mark.slow
def test_the_convex_deep_sea_is_learned():
    """The exact front has 854.85, one treasure alone at most 689."""
    problem = moo.get_problem("deep-sea-treasure")
    result = moo.pareto_search(problem, "morl-d", budget=40_000, progress=False)
    assert hypervolume(result.front.objectives, problem.reference_point) > 760
    assert non_dominated(result.front.objectives).all()
