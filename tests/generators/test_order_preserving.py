import math

import pytest
import torch

import moo
import moo.problems.hypergrid
from moo.generators.order_preserving import OrderPreserving
from moo.gflow.losses import ordering
from moo.metered import metered
from moo.options import resolve_options

GRID = "hypergrid:height=8"


def learned(problem=GRID, budget=12_800, seed=0, **options):
    problem = moo.get_problem(problem)
    meter = metered(problem, budget, seed)
    checked = resolve_options(
        OrderPreserving.options, {"hidden": 64, "batches": 1, "learning_rate": 1e-2, **options}, "x"
    )
    method = OrderPreserving(meter, budget=budget, seed=seed, device="cpu", **checked)
    while meter.remaining:
        method.step(None)
    return method, problem


def on_front(problem):
    """Which of the oracle's cells are Pareto optimal."""
    return (problem.oracle.objectives[:, None] == problem.oracle.front).all(dim=2).any(dim=1)


@pytest.mark.parametrize("labels", ["batch", "archive"])
@pytest.mark.parametrize("objectives", ["branin+currin", "currin+beale"])
def test_the_pareto_set_is_sampled_evenly(labels, objectives):
    method, problem = learned(f"{GRID},objectives={objectives}", labels=labels)
    law = method.exact_distribution(problem)
    optimal = on_front(problem)
    assert law[optimal].sum() > 0.7
    shares = law[optimal] / law[optimal].sum()
    assert torch.special.entr(shares).sum() > 0.85 * math.log(int(optimal.sum()))
    untrained = learned(f"{GRID},objectives={objectives}", budget=2, batch=2)[0].exact_distribution(problem)
    assert untrained[optimal].sum() < 0.5


def test_the_loss_is_the_cross_entropy_of_labels():
    rewards = torch.randn(6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    best = torch.tensor([True, False, True, False, False, True])
    shares = rewards.exp() / rewards.exp().sum()
    expected = -sum(math.log(shares[i]) / 3 for i in (0, 2, 5))
    assert ordering(rewards, best).item() == pytest.approx(expected)
    assert ordering(rewards + 7, best).item() == pytest.approx(expected)  # no constant factor counts
    assert ordering(rewards, ~best | best).item() >= math.log(6)
    assert ordering(rewards, torch.zeros(6).bool()) is None


def test_the_least_loss_is_that_of_equal_rewards_for_the_best():
    best = torch.tensor([True, False, True])
    rewards = torch.tensor([3.0, -40.0, 3.0])
    assert ordering(rewards, best).item() == pytest.approx(math.log(2))


def test_archive_labels_hold_rows_against_all_that_was_evaluated():
    method, problem = learned(budget=640)
    optimal = problem.oracle.front
    assert method._best(optimal).all()
    worse = optimal - 1e-3
    assert not method._best(worse)[(method._archive.objectives[:, None] >= worse).all(dim=2).any(dim=0)].any()
    method._said.labels = "batch"
    assert method._best(worse).all()


def test_draw_follows_the_exact_distribution():
    method, problem = learned(budget=2560)
    law = method.exact_distribution(problem)
    drawn = method.draw(20_000, seed=1)
    counts = torch.bincount(problem.oracle.index(drawn), minlength=len(law)) / 20_000
    assert (counts - law).abs().max() < 5 * (0.25 / 20_000) ** 0.5
    assert torch.equal(method.draw(20_000, seed=1), drawn)


def test_it_takes_no_preferences():
    with pytest.raises(ValueError, match="takes no preferences"):
        moo.pareto_search(GRID, "order-preserving", budget=10, preferences="uniform", progress=False)


@pytest.mark.parametrize("labels", ["batch", "archive"])
def test_failed_objects_are_left_out(labels):
    class Failing(moo.problems.hypergrid.HyperGrid):
        def evaluate(self, solutions, generator=None):
            objectives = super().evaluate(solutions)
            return torch.where(solutions[:, :1] % 2 == 0, float("nan"), objectives)

    result = moo.pareto_search(
        Failing(height=8), "order-preserving", budget=2000, options={"labels": labels}, progress=False
    )
    assert result.record["failures"] > 100
    assert all(torch.isfinite(p).all() for p in result.generator.policy.parameters())
