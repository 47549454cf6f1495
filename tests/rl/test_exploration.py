"""Exploration: the chances of actions against what is written of each kind, and the law of sticky episodes."""

import itertools

import numpy as np
import pytest
import torch

from moo.rl.exploration import EXPLORATIONS, Exploration

SHARED = [kind for kind in EXPLORATIONS if kind != "none"]


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def begun(kind, share=1.0, copies=6, actions=4, seed=0):
    """An exploration all of whose copies have begun an episode."""
    exploration = Exploration(kind, share, copies, actions)
    exploration.begin(torch.ones(copies, dtype=torch.bool), stream(seed))
    return exploration


def random_chances(mask, seed=0):
    chances = torch.rand(mask.shape, generator=stream(seed), dtype=torch.float64) * mask
    return chances / chances.sum(dim=1, keepdim=True)


def random_case(seed=0, copies=200, actions=5):
    """Masks with at least one legal action, chances on them, visits, and last actions, legal or not, or none yet."""
    mask = torch.rand(copies, actions, generator=stream(seed)) < 0.5
    mask[torch.arange(copies), torch.randint(actions, (copies,), generator=stream(seed + 1))] = True
    visits = torch.randint(3, (copies, actions), generator=stream(seed + 2))
    last = torch.randint(-1, actions, (copies,), generator=stream(seed + 3))
    return mask, random_chances(mask, seed + 4), visits, last


# --------------------------------------------------------------------------------------------------- all kinds
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", EXPLORATIONS)
def test_chances_sum_to_one_and_illegal_actions_have_none(kind, share):
    mask, chances, visits, last = random_case()
    exploration = begun(kind, share, *mask.shape)
    exploration.last = last
    mixed = exploration.mix(chances, mask, visits)
    torch.testing.assert_close(mixed.sum(dim=1), torch.ones(len(mask), dtype=torch.float64))
    assert (mixed >= 0).all()
    assert not mixed[~mask].any()


@pytest.mark.parametrize("kind", SHARED)
def test_the_share_mixes_exactly(kind):
    mask, chances, visits, last = random_case(seed=10)
    whole, part = begun(kind, 1.0, *mask.shape), begun(kind, 0.25, *mask.shape)
    whole.last = part.last = last
    expected = 0.75 * chances + 0.25 * whole.mix(chances, mask, visits)
    torch.testing.assert_close(part.mix(chances, mask, visits), expected, rtol=0, atol=1e-15)
    assert not torch.allclose(expected, chances)


@pytest.mark.parametrize("kind", SHARED)
def test_where_everything_explores_the_policy_does_not_matter(kind):
    mask, chances, visits, last = random_case()
    exploration = begun(kind, 1.0, *mask.shape)
    exploration.last = last
    other = random_chances(mask, seed=99)
    assert torch.equal(exploration.mix(chances, mask, visits), exploration.mix(other, mask, visits))


@pytest.mark.parametrize(("kind", "share"), [("none", 1.0), *((kind, 0.0) for kind in SHARED)])
def test_without_exploration_the_chances_stay(kind, share):
    mask, chances, _, _ = random_case()
    assert torch.equal(begun(kind, share, *mask.shape).mix(chances, mask), chances)


@pytest.mark.parametrize("kind", SHARED)
def test_no_mask_means_that_all_is_legal(kind):
    _, _, visits, last = random_case()
    every = torch.ones(len(visits), visits.shape[1], dtype=torch.bool)
    exploration = begun(kind, 0.5, *every.shape)
    exploration.last = last
    chances = random_chances(every)
    assert torch.equal(exploration.mix(chances, None, visits), exploration.mix(chances, every, visits))


# --------------------------------------------------------------------------------------------------- uniform
def test_uniform_exploration_is_uniform_on_what_is_legal():
    mask = torch.tensor([[True, True, True, True], [True, False, True, False], [False, False, False, True]])
    exploration = begun("uniform", 1.0, 3)
    expected = [[0.25] * 4, [0.5, 0, 0.5, 0], [0, 0, 0, 1.0]]
    assert exploration.mix(random_chances(mask), mask).tolist() == expected


# --------------------------------------------------------------------------------------------------- sticky
def literal_sticky(episodes, length, actions, seed):
    """Sequences of actions as they are described: a stickiness for each episode, from 0 to 1, and the last action."""
    random = np.random.default_rng(seed)
    sequences = []
    for _ in range(episodes):
        stickiness, sequence = random.random(), []
        for _ in range(length):
            repeats = bool(sequence) and random.random() < stickiness
            sequence.append(sequence[-1] if repeats else int(random.integers(actions)))
        sequences.append(tuple(sequence))
    return sequences


def played(kind, episodes, length, actions):
    """Sequences that an exploration of share 1 plays, each copy one episode."""
    generator = stream(1)
    exploration = Exploration(kind, 1.0, episodes, actions)
    begins = torch.ones(episodes, dtype=torch.bool)
    policy = torch.full((episodes, actions), 1 / actions, dtype=torch.float64)
    rows = []
    for _ in range(length):
        exploration.begin(begins, generator)
        exploration.last = torch.multinomial(exploration.mix(policy, None), 1, generator=generator).squeeze(1)
        rows.append(exploration.last)
        begins = torch.zeros_like(begins)
    return [tuple(sequence) for sequence in torch.stack(rows, dim=1).tolist()]


def shares(sequences, all_of_them):
    return np.array([sequences.count(sequence) for sequence in all_of_them]) / len(sequences)


def test_sticky_sequences_have_the_law_of_a_literal_simulation():
    every = list(itertools.product(range(2), repeat=4))
    found = shares(played("sticky", 40_000, 4, 2), every)
    literal = shares(literal_sticky(40_000, 4, 2, seed=0), every)
    np.testing.assert_allclose(found, literal, atol=0.012)  # of a share up to .25 each sd is below .0022
    # All alike: 1/2 times the mean of ((1 + s) / 2)^3, which is 15/32 for s uniform from 0 to 1.
    assert found[0] == pytest.approx(15 / 64, abs=0.009)
    drawn_at_each_step = 1 / 2 * (3 / 4) ** 3
    assert abs(found[0] - drawn_at_each_step) > 0.015


def test_a_sticky_copy_begins_uniformly_and_repeats_with_its_own_stickiness():
    exploration = begun("sticky", 1.0, copies=500, actions=4)
    policy = torch.full((500, 4), 0.25, dtype=torch.float64)
    assert torch.equal(exploration.mix(policy, None), policy)
    exploration.last = torch.arange(500) % 4
    mixed = exploration.mix(policy, None)
    again = mixed.gather(1, exploration.last[:, None]).squeeze(1)
    stickiness = (again - 0.25) / 0.75
    others = mixed.scatter(1, exploration.last[:, None], float("nan"))
    expected = ((1 - stickiness) / 4)[:, None].expand(-1, 4)
    assert torch.allclose(others[~others.isnan()], expected[~others.isnan()])
    assert stickiness.unique().numel() == 500
    assert (stickiness >= 0).all()
    assert (stickiness <= 1).all()
    assert stickiness.mean() == pytest.approx(1 / 2, abs=0.05)
    assert stickiness.var() == pytest.approx(1 / 12, abs=0.02)


def test_a_last_action_that_has_become_illegal_is_not_repeated():
    exploration = begun("sticky", 1.0, copies=1, actions=3)
    exploration.last = torch.tensor([2])
    mask = torch.tensor([[True, True, False]])
    assert exploration.mix(random_chances(mask), mask).tolist() == [[0.5, 0.5, 0.0]]


# --------------------------------------------------------------------------------------------------- laws
def test_laws_are_drawn_once_for_an_episode_and_uniformly_on_the_simplex():
    n, a = 20_000, 3
    exploration = begun("laws", 1.0, n, a)
    policy = torch.full((n, a), 1 / a, dtype=torch.float64)
    laws = exploration.mix(policy, None)
    exploration.begin(torch.zeros(n, dtype=torch.bool), stream(5))
    assert torch.equal(exploration.mix(policy, None), laws)
    # Of Dirichlet(1, 1, 1): means 1/3, variances 1/18, covariances -1/36; P(one of them > t) = 3 (1 - t)^2, t >= 1/2.
    np.testing.assert_allclose(laws.mean(dim=0), np.full(a, 1 / 3), atol=0.007)
    covariance = np.cov(laws.numpy().T)
    np.testing.assert_allclose(covariance, np.full((a, a), -1 / 36) + np.eye(a) / 12, atol=0.002)
    for t in (0.5, 0.7, 0.9):
        assert (laws.amax(dim=1) > t).double().mean() == pytest.approx(3 * (1 - t) ** 2, abs=0.016)


def test_a_law_is_cut_to_what_is_legal():
    exploration = begun("laws", 1.0, 50, 4)
    policy = torch.full((50, 4), 0.25, dtype=torch.float64)
    law = exploration.mix(policy, None)
    mask = torch.tensor([[True, False, True, False]]).expand(50, -1)
    torch.testing.assert_close(exploration.mix(policy, mask), law * mask / (law * mask).sum(dim=1, keepdim=True))


# --------------------------------------------------------------------------------------------------- counts
def test_counts_pick_the_least_tried_of_the_legal_actions():
    visits = torch.tensor([[3, 1, 2, 4], [0, 5, 0, 0], [0, 7, 9, 8], [2, 2, 2, 2]])
    mask = torch.tensor([[True] * 4, [True, True, True, False], [False, True, True, True], [True] * 4])
    exploration = begun("counts", 1.0, 4)
    expected = [[0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 1, 0, 0], [0.25] * 4]
    assert exploration.mix(random_chances(mask), mask, visits).tolist() == expected


def test_counts_need_visits():
    policy = torch.full((6, 4), 0.25, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"Exploration by counts needs `visits`\. Found None\."):
        begun("counts", 0.5).mix(policy, None)


# --------------------------------------------------------------------------------------------------- episodes, state
@pytest.mark.parametrize("kind", ["sticky", "laws"])
def test_only_those_that_begin_draw_anew(kind):
    exploration = begun(kind, 1.0, copies=40)
    exploration.last = torch.arange(40) % 4
    policy = torch.full((40, 4), 0.25, dtype=torch.float64)
    before = exploration.mix(policy, None)
    which = torch.arange(40) % 3 == 0
    exploration.begin(which, stream(7))
    assert exploration.last.tolist() == [-1 if i % 3 == 0 else i % 4 for i in range(40)]
    exploration.last = torch.arange(40) % 4  # so that the stickiness shows
    after = exploration.mix(policy, None)
    assert torch.equal(after[~which], before[~which])
    assert (after[which] != before[which]).any(dim=1).all()


@pytest.mark.parametrize("kind", EXPLORATIONS)
def test_a_stored_state_goes_on_identically(kind):
    mask, chances, visits, last = random_case()
    first, second = begun(kind, 0.5, *mask.shape, seed=1), begun(kind, 0.5, *mask.shape, seed=2)
    first.last = last
    second.load_state_dict(first.state_dict())
    begins = torch.arange(len(mask)) % 4 == 0
    for exploration in (first, second):
        exploration.begin(begins, stream(3))
    assert torch.equal(first.last, second.last)
    assert torch.equal(first.mix(chances, mask, visits), second.mix(chances, mask, visits))
