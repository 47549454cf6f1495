"""Constrained updates: their parts against exact solutions, and both solvers on problems with a known optimum."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from inputs import ToyEnvironment, finite_model
from scipy.optimize import minimize

from moo.metered import metered
from moo.options import resolve_options
from moo.rl.constrained import (
    DAMPING,
    Actor,
    Surrogates,
    Task,
    best_mix,
    conjugate_gradients,
    interior_point,
    trust_region,
)
from moo.rl.finite import FiniteEnvironment
from moo.rl.ppo import PPO_OPTIONS, Trainer
from moo.seeding import torch_generator
from moo.space import Space, integer

F64 = {"dtype": torch.float64}


def stream(seed=0):
    return torch_generator(seed, "updates")


def environment(model, gamma=1.0):
    """A finite model of up to two places, which policies see."""
    m = model.rewards.shape[-1]
    places, actions = model.successors.shape[:2]
    return FiniteEnvironment(
        "tiny",
        model,
        torch.arange(places)[:, None],
        Space((integer(0, 1),)),
        [str(action) for action in range(actions)],
        [f"r{i}" for i in range(m)],
        gamma,
        4,
        [0.0] * m,
    )


def one_step(rewards):
    """One place, where each action ends the episode with its row of `rewards`."""
    n = len(rewards)
    return environment(finite_model([[[0]] * n], [[[1.0]] * n], [[[row] for row in rewards]], [[[True]] * n]))


def two_steps(first, second, gamma):
    """Two places one after the other, with rewards of the actions at each."""
    rewards = [[[row] for row in first], [[row] for row in second]]
    n = len(first)
    ends = [[[False]] * n, [[True]] * n]
    return environment(finite_model([[[1]] * n, [[0]] * n], [[[1.0]] * n] * 2, rewards, ends), gamma)


def a_trainer(problem, policies=1, copies=64, **options):
    small = {"hidden": 8, "layers": 1, "epochs": 4, "share": 0.0, "entropy": 0.0, "learning_rate": 0.01, **options}
    said = SimpleNamespace(**resolve_options(PPO_OPTIONS, small, "ppo"))
    meter = metered(problem, 10**8, 0)
    return Trainer(meter, policies, copies, said, stream())


def lean(trainer, chances):
    """Make the policies' first chances (almost) those, `[p, a]`."""
    with torch.no_grad():
        trainer.net.actor.biases[-1].copy_(torch.tensor(chances).log()[:, None])
        trainer.net.actor.weights[-1].mul_(0.1)


def chances_at(trainer, place=0):
    """Of the actions, `[p, a]`."""
    seen = trainer.observer(torch.tensor([[place]])).expand(trainer.policies, 1, -1)
    with torch.no_grad():
        return trainer.net.law(seen, None).logits[:, 0].exp().double()


# --------------------------------------------------------------------------------------------------- linear systems
def test_conjugate_gradients_solve_positive_systems():
    generator = torch.Generator().manual_seed(0)
    roots = torch.randn(5, 7, 7, generator=generator, **F64)
    matrices = roots @ roots.transpose(1, 2) + 0.5 * torch.eye(7, **F64)
    targets = torch.randn(5, 7, generator=generator, **F64)
    targets[4] = 0
    found = conjugate_gradients(lambda v: (matrices @ v[..., None]).squeeze(2), targets, 12)
    assert torch.allclose(found, torch.linalg.solve(matrices, targets), rtol=0, atol=1e-6)
    few = conjugate_gradients(lambda v: (matrices @ v[..., None]).squeeze(2), targets, 2)
    assert not torch.allclose(few[:4], found[:4], atol=1e-3)


# --------------------------------------------------------------------------------------------------- the best mix
def a_problem(seed, m, spread=0.5):
    """Gradients, curvature, slack and the goal of a random problem in m + 2 dimensions, and a radius."""
    draw = np.random.default_rng(seed)
    gradients, root = draw.normal(size=(m, m + 2)), draw.normal(size=(m + 2, m + 2))
    curvature = root @ root.T + 0.3 * np.eye(m + 2)
    slack = spread * draw.normal(size=m) + 0.3 * spread
    return gradients, curvature, slack, int(draw.integers(m)), 0.5 * draw.random() + 0.05


def mixed(gradients, curvature, slack, goal, radius):
    """Our step for one problem."""
    solved = np.linalg.solve(curvature, gradients.T)
    raised = torch.zeros(1, len(slack), dtype=torch.bool)
    raised[0, goal] = True
    mix = best_mix(torch.tensor(gradients @ solved)[None], torch.tensor(slack)[None], raised, radius)
    return solved @ mix[0].numpy()


def least_squares_programme(gradients, curvature, slack, goal, radius):
    """SLSQP's step for the same problem, from several starts; None where it finds no feasible one."""
    others = [i for i in range(len(slack)) if i != goal]
    constraints = [
        {"type": "ineq", "fun": lambda s: slack[others] + gradients[others] @ s, "jac": lambda s: gradients[others]},
        {"type": "ineq", "fun": lambda s: 2 * radius - s @ curvature @ s, "jac": lambda s: -2 * curvature @ s},
    ]
    found = []
    for start in np.random.default_rng(0).normal(size=(4, gradients.shape[1])):
        result = minimize(
            lambda s: -gradients[goal] @ s,
            0.1 * start,
            jac=lambda s: -gradients[goal],
            constraints=constraints,
            method="SLSQP",
            options={"maxiter": 300, "ftol": 1e-12},
        )
        if result.success and all((constraint["fun"](result.x) >= -1e-7).all() for constraint in constraints):
            found.append(result.x)
    return max(found, key=lambda s: gradients[goal] @ s, default=None)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_best_mix_is_that_of_a_general_solver(m):
    binding = []
    for seed in range(25):
        gradients, curvature, slack, goal, radius = given = a_problem(seed, m)
        expected, step = least_squares_programme(*given), mixed(*given)
        if expected is None:
            continue
        others = [i for i in range(m) if i != goal]
        room = (slack + gradients @ step)[others]
        assert room.min() > -1e-6
        assert step @ curvature @ step <= 2 * radius * (1 + 1e-6)
        assert gradients[goal] @ step == pytest.approx(gradients[goal] @ expected, abs=1e-5)
        binding.append(int((room < 1e-6).sum()))
    assert len(binding) > 10
    assert set(binding) >= set(range(min(m, 3)))  # none, one and several at once


@pytest.mark.parametrize("m", [2, 3, 4])
def test_where_constraints_cannot_be_kept_the_broken_ones_are_raised(m):
    for seed in range(10):
        gradients, curvature, slack, goal, radius = a_problem(seed, m)
        low = [i for i in range(m) if i != goal][: 1 + seed % 2]
        slack[:] = 1.0
        slack[low] = -100.0
        slack[goal] = -100.0  # is not looked at
        step = mixed(gradients, curvature, slack, goal, radius)
        best = np.linalg.solve(curvature, gradients[low].sum(axis=0))
        best *= np.sqrt(2 * radius / (best @ curvature @ best))
        np.testing.assert_allclose(step, best, atol=1e-8)


def test_against_the_goals_own_gradient_a_constraint_is_used_up_and_no_more():
    gradients = np.array([[1.0, 2.0], [-3.0, -6.0]])
    for slack, expected in ((0.3, -0.3), (0.0, 0.0), (-0.2, 0.2)):
        step = mixed(gradients, np.eye(2), np.array([0.0, slack]), 0, 0.5)
        assert gradients[1] @ step == pytest.approx(expected, abs=1e-6)
        assert step[0] * gradients[0, 1] == pytest.approx(step[1] * gradients[0, 0], abs=1e-6)


def test_constraints_that_nothing_moves_stand_in_nobodys_way():
    gradients = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    step = mixed(gradients, np.eye(2), np.array([0.0, 0.5, 0.0]), 0, 0.5)
    np.testing.assert_allclose(step, [1, 0], atol=1e-9)
    step = mixed(gradients, np.eye(2), np.array([0.0, 0.5, -0.1]), 0, 0.5)  # broken, and nothing helps
    np.testing.assert_allclose(step, [0, 0], atol=1e-9)


def test_equal_constraints_count_once():
    gradients = np.array([[1.0, 1.0], [-1.0, 0.0], [-1.0, 0.0]])
    step = mixed(gradients, np.eye(2), np.array([0.0, 0.2, 0.2]), 0, 0.5)
    np.testing.assert_allclose(step, [0.2, np.sqrt(1 - 0.04)], atol=1e-6)


def test_problems_of_one_batch_do_not_touch_each_other():
    problems = [a_problem(seed, 3) for seed in range(12)]
    scales = [10.0 ** (seed % 5 - 2) for seed in range(12)]
    products = torch.stack(
        [torch.tensor(s * g @ np.linalg.solve(c, g.T)) for s, (g, c, *_) in zip(scales, problems, strict=True)]
    )
    slack = torch.stack([torch.tensor(s**0.5 * p[2]) for s, p in zip(scales, problems, strict=True)])
    raised = torch.nn.functional.one_hot(torch.tensor([p[3] for p in problems]), 3).bool()
    together = best_mix(products, slack, raised, 0.1)
    for i in range(12):
        part = slice(i, i + 1)
        assert torch.allclose(best_mix(products[part], slack[part], raised[part], 0.1), together[part], rtol=1e-9)


# --------------------------------------------------------------------------------------------------- the actor
@pytest.mark.parametrize("problem", [ToyEnvironment(), ToyEnvironment(continuous=True)])
def test_the_fisher_product_is_that_of_the_hessian_of_the_divergence(problem):
    trainer = a_trainer(problem, policies=2, copies=3, steps=5, hidden=3)
    actor = Actor(trainer.net, trainer.collect(stream()))
    start = actor.position()
    columns = torch.eye(start.shape[1])
    found = torch.stack([actor.fisher(column.expand(2, -1)) for column in columns], dim=2) - DAMPING * columns
    assert torch.allclose(found, found.transpose(1, 2), rtol=0, atol=1e-5)
    for seed in range(3):
        step = 0.03 * torch.randn(start.shape, generator=torch.Generator().manual_seed(seed))
        both = []
        for sign in (1, -1):  # so that what is of third order goes out
            actor.move(start + sign * step)
            both.append(actor.divergence().detach())
        second_order = 0.5 * (step[:, None] @ found @ step[:, :, None]).flatten()
        assert second_order.min() > 5e-6
        assert torch.allclose(sum(both) / 2, second_order, rtol=0.05)


def test_positions_are_read_and_set_and_critics_left_alone():
    trainer = a_trainer(ToyEnvironment(), policies=2, copies=3, steps=5)
    actor = Actor(trainer.net, trainer.collect(stream()))
    start, before = actor.position(), trainer.net.rows()
    ones = torch.ones(2, 15, **F64)
    assert torch.allclose(actor.ratios(), ones, rtol=0, atol=1e-6)
    there = start + 0.1 * torch.randn(start.shape, generator=torch.Generator().manual_seed(0))
    actor.move(there)
    assert torch.equal(actor.position(), there)
    assert (actor.divergence() > 1e-6).all()
    assert not torch.allclose(actor.ratios(), ones, atol=1e-3)
    for name, part in trainer.net.rows().items():
        assert torch.equal(part, before[name]) == (not name.startswith("actor")), name


# --------------------------------------------------------------------------------------------------- surrogates
FIRST = [[1.0, 0.0], [-2.0, 3.0]]
SECOND = [[4.0, -1.0], [0.0, 2.0]]


def exact_returns(laws, gamma):
    """Expected discounted returns `[m]` on the two steps, of chances at both places."""
    first, second = (torch.tensor(rewards, **F64) for rewards in (FIRST, SECOND))
    return laws[0] @ first + gamma * laws[1] @ second


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_to_first_order_the_room_changes_as_the_returns_do(share):
    """Also where other actions than the policy's are drawn, with discounts, and a span of its own for each return."""
    gamma, span = 0.7, torch.tensor([2.0, 0.5], **F64)
    trainer = a_trainer(two_steps(FIRST, SECOND, gamma), copies=4000, share=share, steps=6)
    lean(trainer, [[0.3, 0.7]])
    for update in range(15):
        batch = trainer.collect(stream(update))
        trainer.improve(batch, None, stream(update))
    batch = trainer.collect(stream(99))
    least, returns = torch.tensor([[0.1, 0.2]], **F64), torch.tensor([[1.0, 2.0]], **F64)
    task = Task(torch.tensor([0]), least, returns, span)
    surrogates, actor = Surrogates(batch, task), Actor(trainer.net, batch)
    room = surrogates.room(actor.ratios(), slice(None), float("inf"))
    assert torch.allclose(room, (returns - least) / span, rtol=0, atol=1e-6)
    for i in range(2):
        seen = trainer.observer(torch.tensor([[0], [1]]))
        laws = trainer.net.law(seen[None], None).logits[0].exp().double()
        exact = torch.autograd.grad(exact_returns(laws, gamma)[i] / span[i], list(trainer.net.actor.parameters()))
        exact = torch.cat([part.flatten(1) for part in exact], dim=1)
        found = actor.gradient(room[:, i].sum())
        assert (found - exact).norm() < 0.08 * exact.norm()


def test_beyond_the_clip_only_losses_of_room_count():
    trainer = a_trainer(one_step([[1.0, 0.0], [0.0, 1.0]]), steps=1)
    batch = trainer.collect(stream())
    task = Task(torch.tensor([0]), torch.zeros(1, 2), torch.full((1, 2), 0.5), torch.ones(2))
    surrogates = Surrogates(batch, task)
    rises = torch.where(batch.actions == 0, 3.0, 0.1)  # return 0 up, return 1 down
    within = torch.where(batch.actions == 0, 1.2, 0.8)
    wide, narrow = (surrogates.room(ratios, slice(None), 0.2) for ratios in (rises, within))
    assert wide[0, 0] <= narrow[0, 0] + 1e-9
    assert wide[0, 1] < narrow[0, 1] - 0.1
    free = surrogates.room(rises, slice(None), float("inf"))
    assert free[0, 0] > narrow[0, 0] + 0.1


# --------------------------------------------------------------------------------------------------- both solvers
SOLVERS = ("interior-point", "trust-region")
TWO = [[1.0, 0.0], [0.0, 1.0]]
THREE = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def drive(solver, rewards, goals, least, start, updates, *, barrier=200.0, radius=0.02):
    """Constrained updates on one step, with exact returns; the chances `[updates + 1, p, a]`."""
    trainer = a_trainer(one_step(rewards), policies=len(goals), copies=100, steps=2)
    lean(trainer, start)
    table, seen = torch.tensor(rewards, **F64), [chances_at(trainer)]
    for update in range(updates):
        batch = trainer.collect(stream(update))
        task = Task(torch.tensor(goals), torch.tensor(least, **F64), seen[-1] @ table, torch.ones(table.shape[1]))
        if solver == "interior-point":
            trainer.improve(batch, interior_point(batch, task, barrier, 0.2), stream(1000 + update))
        else:
            trust_region(trainer.net, batch, task, radius)
            trainer.improve(batch, None, stream(1000 + update))
        seen.append(chances_at(trainer))
    return torch.stack(seen)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_optimum_under_a_constraint_is_reached_whatever_the_goal(solver):
    """Most of one return while the other stays above .3, or above .6, or the other way round."""
    least = [[-1.0, 0.3], [-1.0, 0.6], [0.2, -1.0]]
    seen = drive(solver, TWO, [0, 0, 1], least, [[0.3, 0.7], [0.2, 0.8], [0.6, 0.4]], 60)
    assert torch.allclose(seen[-10:].mean(dim=0)[:, 0], torch.tensor([0.7, 0.4, 0.2], **F64), rtol=0, atol=0.03)
    kept = torch.stack([seen[:, 0, 1] - 0.3, seen[:, 1, 1] - 0.6, seen[:, 2, 0] - 0.2])
    assert kept.min() > -0.05


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_optimum_under_two_constraints_is_reached(solver):
    seen = drive(solver, THREE, [0], [[-1.0, 0.2, 0.3]], [[0.2, 0.4, 0.4]], 80)
    assert torch.allclose(seen[-10:].mean(dim=0)[0], torch.tensor([0.5, 0.2, 0.3], **F64), rtol=0, atol=0.03)


@pytest.mark.parametrize("solver", SOLVERS)
def test_negative_returns_are_held_as_well(solver):
    seen = drive(solver, [[1.0, -1.0], [0.0, 0.0]], [0], [[-1.0, -0.7]], [[0.3, 0.7]], 60)
    assert seen[-10:, 0, 0].mean() == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("first", [0.97, 0.75])
def test_policies_that_begin_below_what_is_wanted_recover(solver, first):
    """Far below, where no step satisfies the constraint, and just below, where one does at the goal's expense."""
    seen = drive(solver, TWO, [0], [[-1.0, 0.3]], [[first, 1 - first]], 60)
    assert seen[0, 0, 1] < 0.28
    assert seen[1, 0, 1] > seen[0, 0, 1]
    assert seen[-10:, 0, 0].mean() == pytest.approx(0.7, abs=0.03)


def test_a_lower_barrier_keeps_farther_from_the_constraint():
    """At the optimum the slope of the standardised surrogate, 1 / sqrt(x (1 - x)), is that of the barrier."""
    for barrier, expected in ((20.0, 0.6766), (5.0, 0.6021)):
        slope, against = 1 / (expected * (1 - expected)) ** 0.5, 1 / (barrier * (0.7 - expected))
        assert slope == pytest.approx(against, rel=0.01)
        seen = drive("interior-point", TWO, [0], [[-1.0, 0.3]], [[0.5, 0.5]], 40, barrier=barrier)
        assert seen[-15:, 0, 0].mean() == pytest.approx(expected, abs=0.02)


# --------------------------------------------------------------------------------------------------- the trust region
def test_a_step_keeps_the_divergence_and_leaves_critics_alone():
    trainer = a_trainer(ToyEnvironment(), policies=4, copies=20, steps=12)
    for update, radius in itertools.product(range(3), (1e-3, 0.1)):
        batch, before = trainer.collect(stream(update)), trainer.net.rows()
        with torch.no_grad():
            first = trainer.net.law(batch.inputs, batch.masks)
        task = Task(torch.tensor([0, 1, 0, 1]), torch.full((4, 2), -100.0), torch.zeros(4, 2), torch.ones(2))
        moved = trust_region(trainer.net, batch, task, radius)
        assert moved.all()
        with torch.no_grad():
            divergence = first.divergence(trainer.net.law(batch.inputs, batch.masks)).mean(dim=1)
        assert (divergence <= 1.5 * radius).all()
        assert (divergence > 0.1 * radius).all()
        for name, part in trainer.net.rows().items():
            assert torch.equal(part, before[name]) == (not name.startswith("actor")), name


def test_a_step_that_would_break_a_constraint_is_shortened():
    """From .3 the linearised constraint allows a step to about .74, since chances are no linear function of weights."""
    trainer = a_trainer(one_step(TWO), copies=2000, steps=2)
    lean(trainer, [[0.3, 0.7]])
    returns, least = chances_at(trainer), torch.tensor([[-1.0, 0.3]], **F64)
    batch = trainer.collect(stream())
    assert trust_region(trainer.net, batch, Task(torch.tensor([0]), least, returns, torch.ones(2)), 1.0).all()
    assert 0.45 < chances_at(trainer)[0, 0] < 0.7


def test_gaussian_policies_move_as_well():
    trainer = a_trainer(ToyEnvironment(continuous=True), policies=2, copies=20, steps=12)
    batch, before = trainer.collect(stream()), trainer.net.rows()
    task = Task(torch.tensor([0, 1]), torch.full((2, 2), -100.0), torch.zeros(2, 2), torch.ones(2))
    assert trust_region(trainer.net, batch, task, 0.05).all()
    assert not torch.equal(trainer.net.rows()["log_std"], before["log_std"])


def test_a_policy_that_cannot_gain_stays_where_it_is():
    """Policy 1 stands on its constraint, which runs against the goal; policy 2 has nothing to learn from."""
    trainer = a_trainer(one_step(TWO), policies=3, copies=100, steps=2)
    lean(trainer, [[0.5, 0.5]] * 3)
    batch, before = trainer.collect(stream()), trainer.net.rows()
    batch.advantages[2] = 0
    returns = torch.full((3, 2), 0.5, **F64)
    least = torch.tensor([[-1.0, 0.0], [-1.0, 0.5], [-1.0, 0.0]], **F64)
    moved = trust_region(trainer.net, batch, Task(torch.tensor([0, 0, 0]), least, returns, torch.ones(2)), 0.01)
    assert moved.tolist() == [True, False, False]
    for name, part in trainer.net.rows().items():
        assert torch.equal(part[1:], before[name][1:]), name
    assert chances_at(trainer)[0, 0] > 0.52


def test_policies_move_together_as_each_would_alone():
    together = a_trainer(ToyEnvironment(), policies=3, copies=10, steps=12)
    batch, first = together.collect(stream()), together.net.rows()
    goals, returns = torch.tensor([0, 1, 0]), torch.zeros(3, 2, **F64)
    least = torch.tensor([[-9.0, -0.01], [-0.02, -9.0], [-9.0, 0.05]], **F64)
    moved = trust_region(together.net, batch, Task(goals, least, returns, torch.ones(2)), 0.02)
    for i in range(3):
        alone = a_trainer(ToyEnvironment(), policies=1, copies=10, steps=12)
        alone.net.load_rows({name: part[i : i + 1] for name, part in first.items()})
        own = type(batch)(**{name: None if x is None else x[i : i + 1] for name, x in vars(batch).items()})
        part = slice(i, i + 1)
        found = trust_region(alone.net, own, Task(goals[part], least[part], returns[part], torch.ones(2)), 0.02)
        assert bool(found) == bool(moved[i])
        for name, parameter in alone.net.rows().items():
            assert torch.allclose(parameter[0], together.net.rows()[name][i], rtol=0, atol=1e-3), name
    assert moved.any()
