"""One network told the preference: its policies are plain networks, differ by preference, and are learned."""

import itertools

import pytest
import torch
from asserts import assert_same_candidates
from inputs import ToyEnvironment

import moo
from moo.base import Candidates, Setting
from moo.dominance import non_dominated
from moo.generators.ppo_preference import PPOPreference
from moo.indicators import hypervolume
from moo.metered import metered
from moo.options import resolve_options
from moo.preferences import dirichlet, grid
from moo.rl.policies import law_of, stacked
from moo.rl.ppo import towards
from moo.storage import read_state, write_state

SMALL = {"copies": 8, "steps": 6, "episodes": 2, "evaluated": 5, "interval": 2, "hidden": 8, "layers": 1, "epochs": 2}
DEEP_SEA = {"copies": 32, "interval": 10, "evaluated": 11, "episodes": 5, "hidden": 32, "bonus": 0.1}


def make(problem=None, budget=4000, seed=0, **options):
    problem = problem or ToyEnvironment()
    options = resolve_options(PPOPreference.options, {**SMALL, **options}, "ppo-preference")
    return PPOPreference(metered(problem, budget, seed), budget=budget, seed=seed, device="cpu", **options)


def settings(method, seed=0):
    """Preferences of one round after the other."""
    stream = torch.Generator().manual_seed(seed)
    while True:
        yield Setting(dirichlet(method.preferences_per_round, method.problem.num_objectives, stream))


def advance(method, steps, seed=0):
    return [method.step(setting) for setting in itertools.islice(settings(method, seed), steps)]


def laws_of(policies, inputs):
    """The laws of candidates at inputs `[n, i]`, by the networks that they carry."""
    rows, layers = policies.extras, sum(name.startswith("parameters.actor.weights") for name in policies.extras)
    parts = [[rows[f"parameters.actor.{kind}.{i}"] for i in range(layers)] for kind in ("weights", "biases")]
    return law_of(stacked(*parts, inputs.expand(len(policies), -1, -1)), None, rows.get("parameters.log_std"))


# --------------------------------------------------------------------------------------------------- policies
@pytest.mark.parametrize("problem", [ToyEnvironment(3), ToyEnvironment(3, continuous=True)])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_policy_acts_as_the_network_that_is_told_its_preference(problem, layers):
    method = make(problem, layers=layers)
    advance(method, 3)
    preferences, net = grid(3, 10), method._trainer.net
    seen = method._trainer.observer(torch.arange(-12.0, 13)[:, None])
    policies = method.policies_for(preferences)
    assert torch.equal(policies.preferences, preferences)
    assert policies.objectives.isnan().all()
    with torch.no_grad():
        own = laws_of(policies, seen)
        for i, preference in enumerate(preferences):
            told = torch.cat([seen, preference.float().expand(len(seen), -1)], dim=1)
            law = net.law(told[None], None)
            assert torch.allclose(own.logits[i], law.logits[0], rtol=0, atol=1e-5)
            if law.log_std is not None:
                assert torch.equal(own.log_std[i], law.log_std[0])
        spread = own.logits.std(dim=0).amax()
    assert spread > 1e-4  # a hundred times less would be rounding


def test_making_policies_changes_and_costs_nothing():
    method = make()
    advance(method, 2)
    state, used = str(method.state_dict()), method.problem.used
    first, second = (method.policies_for(torch.eye(2)) for _ in range(2))
    assert_same_candidates(first, second)
    assert (str(method.state_dict()), method.problem.used) == (state, used)


@pytest.mark.parametrize("problem", [ToyEnvironment(), ToyEnvironment(continuous=True)])
def test_candidates_carry_actors_alone(problem):
    method = make(problem)
    parts = [*advance(method, 2), method.finals(), method.policies_for(torch.eye(2))]
    actor = {"actor"} | ({"log_std"} if problem.action_space.kinds == {"real"} else set())
    for part in parts[1:]:
        assert {name.split(".")[1] for name in part.extras if name.startswith("parameters.")} == actor


# --------------------------------------------------------------------------------------------------- learning
def test_each_copy_plays_its_episodes_by_a_preference_of_its_own(monkeypatch):
    method, batches = make(budget=10_000, copies=4), []
    collect = method._trainer.collect
    monkeypatch.setattr(method._trainer, "collect", lambda *given: batches.append(collect(*given)) or batches[-1])
    wanted = [setting.preferences for setting in itertools.islice(settings(method), 4)]
    advance(method, 4)
    followed = torch.cat([batch.conditions[0].reshape(6, 4, 2) for batch in batches])
    begins = torch.cat([batch.discounts[0].reshape(6, 4) == 1 for batch in batches])
    for copy in range(4):
        current = None
        for time in range(24):
            if begins[time, copy]:
                current = wanted[time // 6][copy]
            assert torch.equal(followed[time, copy], current)
    assert begins[0].all()
    assert begins[1:].any()
    assert not begins[6].all()  # preferences last beyond a window


def test_advantages_are_weighted_by_the_preference_that_a_sample_was_made_for():
    method = make(bonus=0.2)
    preferences = next(settings(method)).preferences
    batch = method._trainer.collect(torch.Generator().manual_seed(0), lambda begins: preferences)
    generator = torch.Generator().manual_seed(1)
    ratios = 1 + 0.1 * torch.randn(batch.weights.shape, generator=generator, dtype=torch.float64)
    gains = [
        float(advantages[:2] @ preference + advantages[2])
        for advantages, preference in zip(batch.advantages[0], batch.conditions[0], strict=True)
    ]
    gains = torch.tensor(gains, dtype=torch.float64)
    gains = (gains - gains.mean()) / gains.std(correction=0)
    least = torch.minimum(ratios[0] * gains, ratios[0].clamp(0.8, 1.2) * gains)
    found = towards(batch, batch.conditions, 0.2)(ratios, slice(None))
    assert found.tolist() == pytest.approx([float((batch.weights[0] * least).mean())], abs=1e-6)


def test_evaluations_take_place_at_their_interval_for_the_whole_lattice():
    method = make(interval=3)
    found = advance(method, 9)
    assert [len(part) for part in found] == [0, 0, 5, 0, 0, 5, 0, 0, 5]
    assert torch.equal(found[2].preferences, grid(2, 5))
    assert torch.cat([part.solutions[:, 0] for part in found]).tolist() == list(range(15))
    assert_same_candidates(method.finals(), found[8])
    assert not torch.equal(found[5].objectives, found[8].objectives)


def test_nothing_evaluated_no_finals():
    method = make(interval=3)
    assert [len(part) for part in advance(method, 2)] == [0, 0]
    assert len(method.finals()) == 0
    assert method.finals().objectives.shape == (0, 2)


def test_an_evaluation_that_the_budget_would_cut_is_left_out():
    method, found = make(budget=700), []
    for setting in settings(method):
        found.append(method.step(setting))
        if not method.problem.remaining:
            break
    assert method.problem.used == 700
    assert not Candidates.cat(found).failed.any()
    assert sum(len(part) > 0 for part in found) > 2


@pytest.mark.parametrize("problem", [ToyEnvironment(slip=0.1), ToyEnvironment(continuous=True)])
@pytest.mark.parametrize("steps", [1, 4])
def test_a_stored_state_goes_on_identically(problem, steps, tmp_path):
    method = make(problem)
    advance(method, steps)
    write_state(tmp_path / "state", [method.state_dict(), method.problem.state_dict()])
    other = make(problem)
    state, meter = read_state(tmp_path / "state")
    other.load_state_dict(state)
    other.problem.load_state_dict(meter)
    assert_same_candidates(method.finals(), other.finals())
    for first, second in zip(advance(method, 5, seed=7), advance(other, 5, seed=7), strict=True):
        assert_same_candidates(first, second)
    assert len(method.finals()) == 5
    assert_same_candidates(method.finals(), other.finals())
    assert_same_candidates(method.policies_for(torch.eye(2)), other.policies_for(torch.eye(2)))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_deep_sea_treasure_is_learned_and_preferences_matter(seed):
    """The re-evaluated front; the exact one of deterministic policies has 854.85, one treasure alone at most 689."""
    problem = moo.get_problem("deep-sea-treasure")
    result = moo.pareto_search(problem, "ppo-preference", budget=120_000, seed=seed, options=DEEP_SEA, progress=False)
    alone = max(hypervolume(point[None], problem.reference_point) for point in problem.oracle.front)
    assert alone < 690
    assert hypervolume(result.front.objectives, problem.reference_point) > 800
    finals = result.finals
    assert len(finals.objectives[non_dominated(finals.objectives)]) > 3
    for_treasure, for_time = (finals.objectives[finals.preferences[:, i].argmax()] for i in range(2))
    assert for_treasure[0] > for_time[0] + 5
    assert for_time[1] > for_treasure[1] + 3
    policies = result.generator.policies_for(torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64))
    start = result.generator._trainer.observer(torch.zeros(1, 2))
    chances = laws_of(policies, start).logits.exp()[:, 0]
    assert chances[1, 1] > 0.8  # down, to the nearest treasure
    assert chances[0, 3] > chances[1, 3] + 0.3  # right, to a better one
