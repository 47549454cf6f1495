"""Descent against a loop over single starts, and where each rule leads on a concave front."""

import pytest
import torch

from moo.dominance import non_dominated
from moo.gradients import descend, min_norm
from moo.problems import get_problem


def bowls(points):
    centres = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).to(points)
    return (points[:, None] - centres).square().sum(dim=-1)


def starts(k, d, seed=0):
    return 2 * torch.rand(k, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1


def test_a_step_is_along_the_weighted_gradients():
    start = starts(4, 3)
    found = descend(bowls, start, "min_norm", steps=3, rate=0.1)
    for i in range(4):
        point = start[i]
        for step in range(3):
            gradients = torch.autograd.functional.jacobian(lambda x: bowls(x[None])[0], point)
            torch.testing.assert_close(found.path[step, i], bowls(point[None])[0])
            weights = min_norm(gradients @ gradients.T)
            point = point - 0.1 * weights @ gradients
        torch.testing.assert_close(found.solutions[i], point)
        torch.testing.assert_close(found.losses[i], bowls(point[None])[0])
        torch.testing.assert_close(found.weights[i], weights)


def test_starts_do_not_see_each_other_but_for_the_hypervolume():
    start, preferences = starts(3, 3), torch.rand(3, 3, dtype=torch.float64) + 0.1
    for rule in ("epo", "pama_gram", "influence_weights"):
        together = descend(bowls, start, rule, preferences, steps=4)
        for i in range(3):
            alone = descend(bowls, start[i : i + 1], rule, preferences[i], steps=4)
            torch.testing.assert_close(alone.losses[0], together.losses[i])


def test_values_of_options_and_the_rate_can_change_along_the_way():
    seen = []

    def rate(done):
        seen.append(done)
        return 0.0 if done else 0.25

    found = descend(
        bowls, starts(2, 3), "smooth_tchebycheff", torch.ones(3), steps=4, rate=rate, options={"mu": lambda t: 1 - t}
    )
    assert seen == [0, 0.25, 0.5, 0.75]
    assert not torch.equal(found.path[0], found.path[1])
    assert torch.equal(found.path[1], found.path[4])


def test_losses_are_measured_from_the_ideal():
    start, ideal = starts(2, 3), torch.tensor([-1.0, 0.0, 2.0]).double()
    shifted = descend(lambda x: bowls(x) + ideal, start, "epo", torch.ones(3), steps=5, ideal_point=ideal)
    torch.testing.assert_close(shifted.solutions, descend(bowls, start, "epo", torch.ones(3), steps=5).solutions)


def test_weights_that_move_start_from_equal_ones_and_remember():
    found = descend(bowls, starts(2, 3), "influence_weights", steps=5, options={"eta": 0.1, "mu": 1.0, "floor": 0.2})
    assert found.weights.min() >= 0.2
    assert found.weights.std() > 0


def test_what_a_descent_cannot_give_is_said():
    with pytest.raises(ValueError, match="The rule 'epo' needs `preferences`"):
        descend(bowls, starts(2, 3), "epo")
    with pytest.raises(ValueError, match="The rule 'pama' needs `advantages`"):
        descend(bowls, starts(2, 3), "pama")
    with pytest.raises(ValueError, match="Unknown weight rule 'mgda'"):
        descend(bowls, starts(2, 3), "mgda")
    with pytest.raises(ValueError, match=r"`start` should have shape \[k, d\]"):
        descend(bowls, torch.zeros(3))
    with pytest.raises(ValueError, match="`function` should be finite"):
        descend(lambda x: bowls(x) / 0, starts(2, 3))
    with pytest.raises(ValueError, match="`steps` should be at least 1"):
        descend(bowls, starts(2, 3), steps=0)


# ---------------------------------------------------------------------------------------------------- a concave front
PROBLEM = get_problem("fonseca-fleming:dim=2")
SHARES = torch.linspace(0.1, 0.9, 5, dtype=torch.float64)
PREFERENCES = torch.stack([SHARES, 1 - SHARES], dim=1)


def finals(rule, preferences=PREFERENCES, steps=600, rate=0.3, **options):
    return descend(PROBLEM.evaluate, starts(5, 2, 1), rule, preferences, steps=steps, rate=rate, options=options)


def inside(found):
    """How many ends are inside the front: on it, and not at its ends."""
    front = PROBLEM.oracle.front
    near = torch.cdist(found.losses, front).amin(dim=1) < 2e-3
    return int((near & (torch.cdist(found.losses, front[[0, -1]]).amin(dim=1) > 0.02)).sum())


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        ("smooth_tchebycheff", {"mu": lambda t: 0.1 * 0.03**t}),
        ("epo", {}),
        ("pama_gram", {}),
        ("pmgda", {}),
    ],
)
def test_rules_that_know_the_level_reach_the_inside_in_the_order_of_preferences(rule, options):
    found = finals(rule, rate=lambda t: 0.3 * 0.1**t, steps=600 if rule != "pmgda" else 250, **options)
    assert inside(found) == 5
    assert (found.losses[:, 0].diff() < 0).all()  # more preference for the first, less of its loss
    assert non_dominated(-found.losses).all()


def test_the_hypervolume_gradient_spreads_the_set():
    found = finals("hypervolume_gradient", None, reference_point=torch.tensor([-1.0, -1.0]), by_rank=True)
    assert inside(found) == 5
    assert found.losses[:, 0].sort().values.diff().min() > 0.1


def test_linear_preferences_and_influence_end_at_the_ends():
    assert inside(finals("linear", steps=2000)) == 0
    assert inside(finals("influence_weights", None, steps=2000, eta=0.05, mu=1.0)) == 0


def test_without_levels_the_gram_form_ignores_its_preference():
    there = finals("pama_gram", shortfalls=None)
    swapped = finals("pama_gram", PREFERENCES.flip(0), shortfalls=None)
    assert (there.losses - swapped.losses).abs().max() < 0.35  # the start decides
    known = finals("pama_gram"), finals("pama_gram", PREFERENCES.flip(0))
    torch.testing.assert_close(known[0].losses, known[1].losses.flip(0), atol=0.02, rtol=0)
