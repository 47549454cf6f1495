"""What tabular learners remember and value: against dictionaries and value iteration written out."""

import copy

import numpy as np
import pytest
import torch

from moo.preferences import das_dennis
from moo.rl.models import FiniteModel, extend_sets, pareto_values
from moo.rl.rollouts import Transitions
from moo.rl.tables import LinearTables, Memory, SetTables

CPU = torch.device("cpu")


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def random_window(steps, copies, places, actions, m, seed, *, chance=True):
    """A window of independent transitions: observations are places, outcomes random, some end, some failed.

    With `chance`, a pair of place and action has up to three outcomes, each ending or not; rewards are random.
    """
    random = np.random.default_rng(seed)
    shape = (steps, copies)
    before, actions_taken = random.integers(places, size=shape), random.integers(actions, size=shape)
    luck = random.integers(3, size=shape) if chance else np.zeros(shape, dtype=np.int64)
    after = (5 * before + 3 * actions_taken + 2 * luck) % places
    terminated = (before + actions_taken + luck) % 4 == 0
    rewards = random.random((*shape, m)) if chance else np.stack([before + 1.0, actions_taken - 0.5], axis=-1)[..., :m]
    window = Transitions(
        observations=torch.from_numpy(before)[..., None],
        masks=None,
        actions=torch.from_numpy(actions_taken),
        rewards=torch.from_numpy(rewards),
        terminated=torch.from_numpy(terminated),
        truncated=torch.zeros(shape, dtype=torch.bool),
        active=torch.from_numpy(random.random(shape) < 0.9),
        following=torch.from_numpy(after)[..., None],
        extras={},
    )
    return window, window.observations[..., 0], window.following[..., 0]


def literal_memory(windows):
    """For each pair of place and action: its outcomes (place after, end) with their rewards."""
    known = {}
    for window, places, following in windows:
        for step in range(len(places)):
            for i in range(places.shape[1]):
                if window.active[step, i]:
                    pair = (int(places[step, i]), int(window.actions[step, i]))
                    outcome = (int(following[step, i]), bool(window.terminated[step, i]))
                    known.setdefault(pair, {}).setdefault(outcome, []).append(window.rewards[step, i].numpy())
    return known


def walk(model, steps, copies, seed, places=None):
    """A window of random walks through a model from random places; who has ended begins anew."""
    generator, rows = stream(seed), []
    s, a, _ = model.successors.shape
    place = torch.randint(s, (copies,), generator=generator)
    for _ in range(steps):
        actions = torch.randint(a, (copies,), generator=generator)
        outcome = torch.multinomial(model.chances[place, actions], 1, generator=generator).squeeze(1)
        after, ends = model.successors[place, actions, outcome], model.ends[place, actions, outcome]
        rows.append((place, actions, model.rewards[place, actions, outcome], ends, after))
        place = torch.where(ends, torch.randint(s, (copies,), generator=generator), after)
    places, actions, rewards, ends, after = (torch.stack(column) for column in zip(*rows, strict=True))
    none = torch.zeros_like(ends)
    window = Transitions(places[..., None], None, actions, rewards, ends, none, ~none, after[..., None], {})
    return window, places, after


def random_model(places, actions, outcomes, m, seed, ending=0.15):
    """A model with random successors, chances, rewards and ends; from place 0."""
    generator = stream(seed)
    chances = torch.rand(places, actions, outcomes, generator=generator, dtype=torch.float64) + 0.1
    return FiniteModel(
        torch.randint(places, (places, actions, outcomes), generator=generator),
        chances / chances.sum(dim=2, keepdim=True),
        torch.rand(places, actions, outcomes, m, generator=generator, dtype=torch.float64) * 2 - 1,
        torch.rand(places, actions, outcomes, generator=generator) < ending,
        0,
    )


def ending_model(places, actions, m, seed):
    """A deterministic model in which every action leads to a place of a higher number, or ends: whole numbers."""
    generator = stream(seed)
    number = torch.arange(places)[:, None, None]
    further = torch.randint(1, 4, (places, actions, 1), generator=generator)
    successors, ends = (number + further).clamp(max=places - 1), number + further >= places
    rewards = torch.randint(-3, 4, (places, actions, 1, m), generator=generator).double()
    return FiniteModel(successors, torch.ones_like(successors).double(), rewards, ends, 0)


# --------------------------------------------------------------------------------------------------- memory
@pytest.mark.parametrize("seed", range(4))
def test_the_memory_equals_a_literal_dictionary(seed):
    places, actions, m = 11, 3, 2
    memory = Memory(places, actions, m, CPU)
    windows = [random_window(7, 6, places, actions, m, 10 * seed + i) for i in range(5)]
    for i, (window, before, after) in enumerate(windows):
        memory.record(window, memory.rows(before), memory.rows(after))
        known = literal_memory(windows[: i + 1])
        place_of = {int(row): place for place, row in enumerate(memory.row.tolist()) if row >= 0}
        chances, means = (table(torch.arange(len(memory.outcomes))) for table in (memory.chances, memory.rewards))
        for place, row in enumerate(memory.row.tolist()):
            for action in range(actions):
                outcomes = known.get((place, action), {})
                count = int(memory.outcomes[row, action]) if row >= 0 else 0
                assert count == len(outcomes)
                total = sum(len(rewards) for rewards in outcomes.values())
                for slot in range(count):
                    place_after = place_of[int(memory.following[row, action, slot])]
                    rewards = outcomes[place_after, bool(memory.ends[row, action, slot])]
                    assert memory.counts[row, action, slot] == len(rewards)
                    assert chances[row, action, slot] == pytest.approx(len(rewards) / total)
                    np.testing.assert_allclose(means[row, action, slot], np.mean(rewards, axis=0))
        assert memory.counts.sum() == sum(len(rewards) for some in known.values() for rewards in some.values())
    assert memory.counts.shape[2] >= 3  # or no slot was ever added


def test_rows_are_made_on_demand_and_stay():
    memory = Memory(100, 2, 3, CPU)
    assert len(memory.outcomes) == 0
    assert memory.rows(torch.tensor([[7, 3], [7, 90]])).tolist() == [[1, 0], [1, 2]]
    assert memory.rows(torch.tensor([90, 4, 3])).tolist() == [2, 3, 0]
    assert len(memory.outcomes) == len(memory.gained) == 4
    assert torch.nonzero(memory.row >= 0).flatten().tolist() == [3, 4, 7, 90]


def test_pairs_with_a_new_outcome_are_named_once():
    memory = Memory(11, 3, 2, CPU)
    window, before, after = random_window(20, 5, 11, 3, 2, 0, chance=False)
    rows = memory.rows(before)
    changed = memory.record(window, rows, memory.rows(after))
    assert changed.tolist() == sorted(set(rows[window.active].tolist()))
    assert memory.record(window, rows, memory.rows(after)).tolist() == []


def test_transitions_that_did_not_take_place_are_not_remembered():
    memory = Memory(11, 3, 2, CPU)
    window, before, after = random_window(4, 5, 11, 3, 2, 0)
    lost = Transitions(**{**vars(window), "active": torch.zeros_like(window.active)})
    assert memory.record(lost, memory.rows(before), memory.rows(after)).tolist() == []
    assert not memory.counts.any()
    assert not memory.gained.any()


def test_a_memory_as_a_model_is_that_of_the_walks():
    model = random_model(6, 2, 1, 2, seed=0)
    memory = Memory(6, 2, 2, CPU)
    window, before, after = walk(model, 60, 20, seed=1)
    memory.record(window, memory.rows(before), memory.rows(after))
    found, row = memory.model(), memory.row
    assert torch.equal(found.successors[row], row[model.successors])
    assert torch.equal(found.chances[row], model.chances)
    assert torch.equal(found.ends[row], model.ends)
    torch.testing.assert_close(found.rewards[row], model.rewards)


# --------------------------------------------------------------------------------------------------- linear
def value_iteration(model, preference, gamma, sweeps=400):
    """Vector values `[s, m]` of the greedy policy for a preference, one place after the other; and its actions."""
    s, a, k = model.successors.shape
    best, chosen = np.zeros((s, model.rewards.shape[-1])), [0] * s
    successors, chances, rewards, ends = (
        table.numpy() for table in (model.successors, model.chances, model.rewards, model.ends)
    )
    for _ in range(sweeps):
        for place in range(s):
            values = [
                sum(
                    chances[place, action, i]
                    * (
                        rewards[place, action, i]
                        + (0 if ends[place, action, i] else gamma) * best[successors[place, action, i]]
                    )
                    for i in range(k)
                )
                for action in range(a)
            ]
            chosen[place] = int(np.argmax([value @ preference for value in values]))
            best[place] = values[chosen[place]]
    return best, chosen


def learned(model, preferences, gamma, windows, length=80, copies=20):
    tables = LinearTables(Memory(len(model.successors), model.successors.shape[1], 2, CPU), preferences, gamma)
    for i in range(windows):
        tables.learn(*walk(model, length, copies, seed=i))
    return tables


PREFERENCES = das_dennis(2, 4)


@pytest.mark.parametrize("seed", range(3))
def test_linear_tables_equal_value_iteration_without_chance(seed):
    model = random_model(7, 3, 1, 2, seed)
    tables = learned(model, PREFERENCES, 0.8, windows=2)
    tables.sweep(150)
    values = tables.best[tables.memory.row]
    actions = tables.policies(torch.arange(len(PREFERENCES)))
    for i, preference in enumerate(PREFERENCES.numpy()):
        expected, chosen = value_iteration(model, preference, 0.8, sweeps=150)
        np.testing.assert_allclose(values[:, i], expected, rtol=0, atol=1e-12)
        assert actions[i].tolist() == chosen


@pytest.mark.parametrize("seed", range(2))
def test_linear_tables_equal_value_iteration_on_what_was_seen_where_there_is_chance(seed):
    model = random_model(6, 2, 3, 2, seed + 10)
    tables = learned(model, PREFERENCES[1:4], 0.8, windows=2)
    tables.sweep(150)
    empirical = tables.memory.model()
    for i, preference in enumerate(PREFERENCES[1:4].numpy()):
        expected, _ = value_iteration(empirical, preference, 0.8, sweeps=150)
        np.testing.assert_allclose(tables.best[:, i], expected, rtol=0, atol=1e-12)
        lawful, _ = value_iteration(model, preference, 0.8, sweeps=150)
        assert np.abs(expected[tables.memory.row] - lawful).max() > 1e-3  # what was seen is not the law itself


def test_many_transitions_with_chance_come_near_the_law_itself():
    model = random_model(6, 2, 3, 2, 12)
    tables = learned(model, PREFERENCES, 0.8, windows=10, copies=200)
    tables.sweep(150)
    for i, preference in enumerate(PREFERENCES.numpy()):
        expected, _ = value_iteration(model, preference, 0.8, sweeps=150)
        found = (tables.best[tables.memory.row][:, i].numpy() * preference).sum(axis=1)
        np.testing.assert_allclose(found, expected @ preference, atol=0.03)


def test_a_window_is_learned_backwards():
    """One episode along a corridor tells the start what lies at its end, without any sweep."""
    n = 9
    places, ends = torch.arange(n)[:, None], torch.arange(n)[:, None] == n - 1
    rewards = torch.stack([10.0 * ends, -torch.ones(n, 1)], dim=-1).double()
    none = torch.zeros_like(ends)
    window = Transitions(
        places[..., None], None, torch.zeros(n, 1).long(), rewards, ends, none, ~none, places[..., None] + 1, {}
    )
    tables = LinearTables(Memory(n + 1, 2, 2, CPU), PREFERENCES, 0.9)
    tables.learn(window, places, places + 1)
    expected = torch.tensor([10 * 0.9 ** (n - 1), -sum(0.9**i for i in range(n))], dtype=torch.float64)
    torch.testing.assert_close(tables.best[tables.memory.row[0]], expected.expand(len(PREFERENCES), 2))


def test_a_place_where_nothing_was_tried_has_the_value_zero():
    """Place 1 was only arrived at: what is known of the first row must not leak into it."""
    places, false = torch.tensor([[0]]), torch.tensor([[False]])
    rewards = torch.tensor([[[1.0, 2.0]]], dtype=torch.float64)
    window = Transitions(places[..., None], None, places, rewards, false, false, ~false, places[..., None] + 1, {})
    tables = LinearTables(Memory(2, 2, 2, CPU), PREFERENCES, 0.9)
    tables.learn(window, places, places + 1)
    tables.sweep(50)
    assert not tables.best[tables.memory.row[1]].any()
    assert torch.equal(tables.best[tables.memory.row[0]], rewards[0].expand(len(PREFERENCES), 2))


def test_actions_never_tried_are_never_chosen():
    model = random_model(7, 3, 1, 2, 0)
    tables = LinearTables(Memory(7, 3, 2, CPU), PREFERENCES, 0.9)
    window, before, after = walk(model, 4, 2, seed=0)
    window = Transitions(**{**vars(window), "rewards": window.rewards - 10.0})  # worse than the 0 of what is unknown
    tables.learn(window, before, after)
    tables.sweep(20)
    tried = {(int(s), int(a)) for s, a in zip(before.flatten(), window.actions.flatten(), strict=True)}
    visited = {place for place, _ in tried}
    assert 0 < len(visited) < 7
    policies = tables.policies(torch.arange(len(PREFERENCES)))
    assert all((place, int(row[place])) in tried for row in policies for place in visited)
    legal = torch.tensor([[True, False, True]], dtype=torch.float64).expand(7, 3)
    for number in range(len(PREFERENCES)):
        chances = tables.greedy(torch.arange(7), torch.full((7,), number), legal)
        for place in range(7):
            wanted = torch.eye(3)[int(policies[number, place])].double() if place in visited else legal[place]
            assert torch.equal(chances[place], wanted)


def test_linear_tables_go_on_identically():
    model = random_model(7, 3, 2, 2, 0)
    first = learned(model, PREFERENCES, 0.9, windows=1, length=4)
    memory = Memory(7, 3, 2, CPU)
    second = LinearTables(memory, torch.zeros_like(PREFERENCES), 0.9)
    memory.load_state_dict(copy.deepcopy(first.memory.state_dict()))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for tables in (first, second):
        tables.learn(*walk(model, 10, 5, seed=9))
        tables.sweep(2)
    assert torch.equal(first.best, second.best)
    assert torch.equal(first.policies(torch.arange(5)), second.policies(torch.arange(5)))


# --------------------------------------------------------------------------------------------------- sets
def told(model, gamma, max_steps, windows=6):
    tables = SetTables(Memory(len(model.successors), model.successors.shape[1], 2, CPU), gamma, max_steps)
    for i in range(windows):
        tables.learn(*walk(model, 40, 20, seed=i))
    return tables


@pytest.mark.parametrize("gamma", [1.0, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_sets_equal_the_exact_front_where_all_is_known(seed, gamma):
    model = ending_model(12, 3, 2, seed)
    tables = told(model, gamma, 12)
    expected = pareto_values(model, gamma, 12).numpy()
    assert len(expected) > 2
    np.testing.assert_allclose(tables.front(0), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_sets_brought_up_to_date_bit_by_bit_equal_those_made_at_once(seed):
    model = ending_model(12, 3, 2, seed)
    tables = SetTables(Memory(12, 3, 2, CPU), 0.9, 12)
    sizes = []
    for i in range(40):
        window, before, after = walk(model, 1, 4, seed=i)
        tables.memory.rows(torch.tensor([0]))
        tables.learn(window, before, after)
        sizes.append(len(tables.front(0)))
    assert sizes[0] == 0
    known = tables.memory.model()
    nothing = [np.zeros((0, 2))] * len(known.successors)
    at_once = extend_sets(known, nothing, set(range(len(nothing))), 0.9, 12)[tables.memory.row[0]]
    np.testing.assert_allclose(tables.front(0), at_once, rtol=0, atol=1e-12)
    assert len(at_once) > 2


@pytest.mark.parametrize("seed", range(4))
def test_policies_of_sets_reach_their_vectors(seed):
    model = ending_model(12, 3, 2, seed)
    tables = told(model, 0.9, 12)
    vectors = tables.front(0)
    for actions, vector in zip(tables.policies(0, vectors).tolist(), vectors, strict=True):
        place, gained, ended = 0, np.zeros(2), False
        for time, action in enumerate(actions):
            if not ended:
                gained += 0.9**time * model.rewards[place, action, 0].numpy()
                place, ended = int(model.successors[place, action, 0]), bool(model.ends[place, action, 0])
        assert ended
        np.testing.assert_allclose(gained, vector, rtol=0, atol=1e-9)


def test_before_any_episode_has_ended_the_front_is_empty():
    model = ending_model(12, 3, 2, 0)
    never = FiniteModel(model.successors, model.chances, model.rewards, torch.zeros_like(model.ends), 0)
    tables = told(never, 0.9, 12, windows=1)
    assert tables.front(0).shape == (0, 2)
    assert tables.policies(0, tables.front(0)).shape == (0, 12)


@pytest.mark.parametrize("changed", ["place", "end", "reward"])
def test_sets_refuse_an_environment_with_chance(changed):
    tables = SetTables(Memory(20, 3, 2, CPU), 0.9, 12)
    model = ending_model(12, 3, 2, 0)
    window, before, after = walk(model, 10, 5, seed=0)
    tables.learn(window, before, after)
    if changed == "place":
        after = after + 1
    if changed == "end":
        window = Transitions(**{**vars(window), "terminated": ~window.terminated})
    if changed == "reward":
        window = Transitions(**{**vars(window), "rewards": window.rewards + 1})
    message = (
        r"learner='pareto' needs an environment in which what is observed and done decides what comes\. An action "
    )
    with pytest.raises(ValueError, match=message + r"led to different outcomes .* Use learner='linear'\."):
        tables.learn(window, before, after)


def test_sets_go_on_identically():
    model = ending_model(12, 3, 2, 0)
    first = told(model, 0.9, 12, windows=1)
    first.front(0)
    first.learn(*walk(model, 1, 2, seed=50))
    memory = Memory(12, 3, 2, CPU)
    second = SetTables(memory, 0.9, 12)
    memory.load_state_dict(copy.deepcopy(first.memory.state_dict()))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.state_dict()["stale"] == first.state_dict()["stale"]
    for tables in (first, second):
        tables.learn(*walk(model, 5, 5, seed=9))
    assert np.array_equal(first.front(0), second.front(0))
    assert torch.equal(first.policies(0, first.front(0)), second.policies(0, second.front(0)))
