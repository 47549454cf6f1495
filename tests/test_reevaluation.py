"""Re-evaluation: observed fronts of noisy problems are lucky, reported ones are not.

The truth of a noisy toy is the noise-free toy, so that luck can be measured: reported minus true, in standard errors.
Tolerances are four standard errors at fixed seeds.
"""

import math
import signal

import numpy as np
import pytest
import torch
from asserts import assert_same_candidates, assert_same_results
from inputs import ToyEnvironment, ToyText, ToyVector

import moo
from moo.base import Candidates, Evaluation, TextProblem, VectorProblem
from moo.dominance import non_dominated
from moo.generators import GENERATORS
from moo.indicators import hypervolume
from moo.metered import metered
from moo.reevaluation import PRECISION, Sample, distinct, honest_front, hypervolume_effects, needs_reevaluation
from moo.registry import resolve
from moo.rl.rollouts import episode_returns
from moo.seeding import torch_generator
from moo.space import Space, real

SD = 0.3
EPISODES = 12


def search(problem, budget=200, **arguments):
    return moo.pareto_search(problem, "random", **{"budget": budget, "progress": False, **arguments})


def truth(solutions, **options):
    """The noise-free objectives of a toy's solutions."""
    return ToyVector(**options).evaluate(solutions)


def pool_of(problem, n=60, seed=0):
    """Rows evaluated once each, and the meter they were paid from."""
    meter = metered(problem, n, seed)
    unit = torch.rand(n, problem.space.dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return meter, meter.evaluate(unit)


class Noisy(VectorProblem):
    """Two objectives to minimise, (x, 1 - x), with noise; fails or violates its constraint at random if told to.

    Records the seed of every stream it was handed and the rows of every call.
    """

    def __init__(self, *, noise=0.1, fails=0.0, constraint_noise=None, margin=0.0):
        self.name, self.num_objectives, self.directions, self.stochastic = "noisy", 2, ("min", "min"), True
        self.space = Space((real(0, 1), real(0, 1)))
        self.noise, self.fails, self.constraint_noise, self.margin = noise, fails, constraint_noise, margin
        self.num_constraints = 0 if constraint_noise is None else 1
        self.reference_point = [2.0, 2.0]
        self.streams, self.rows = [], 0

    def evaluate(self, solutions, generator=None):
        self.streams.append(generator.initial_seed())
        n = len(solutions)
        self.rows += n
        objectives = torch.stack([solutions[:, 0], 1 - solutions[:, 0]], dim=1)
        objectives = objectives + self.noise * torch.randn(n, 2, generator=generator, dtype=torch.float64)
        failed = torch.rand(n, generator=generator) < self.fails
        constraints = None
        if self.constraint_noise is not None:
            draws = torch.randn(n, 1, generator=generator, dtype=torch.float64)
            constraints = self.margin + self.constraint_noise * draws
        return Evaluation(objectives, constraints, failed=failed)


# --------------------------------------------------------------------------------------------------- bias
def deviations(reevaluations, seeds=range(8)):
    """Reported minus true, maximised (so that luck is positive), in standard deviations of the noise of one value."""
    found = []
    for seed in seeds:
        front = search(ToyVector(noise=SD), reevaluations=reevaluations, seed=seed).front
        found.append((truth(front.solutions) - front.objectives) / SD)
    return torch.cat(found)


def test_the_observed_front_is_biased_and_the_reported_one_is_not():
    observed, reported = deviations(0), deviations(EPISODES)
    assert observed.mean() > 0.3  # the archive keeps what was lucky
    z = reported.mean() * math.sqrt(EPISODES * reported.numel())
    assert abs(z) < 4
    assert abs(reported.mean()) < observed.mean() / 5


def test_the_reported_hypervolume_is_near_the_true_one_of_the_same_solutions():
    reported, true, observed = [], [], []
    for seed in range(6):
        result = search(ToyVector(noise=SD), budget=400, reevaluations=EPISODES, seed=seed)
        reported.append(result.hypervolume)
        true.append(hypervolume(truth(result.solutions), [4.0, 4.0], directions="min"))
        observed.append(search(ToyVector(noise=SD), budget=400, reevaluations=0, seed=seed).hypervolume)
    # A set of noisy means still dominates a little more than the truth: its errors never cancel entirely.
    assert np.mean(np.abs(np.array(reported) / true - 1)) < 0.05
    assert np.mean(np.array(observed) / true - 1) > 2 * np.mean(np.abs(np.array(reported) / true - 1))


@pytest.mark.parametrize("seed", range(3))
def test_noisy_zdt1_is_reported_within_five_percent(seed):
    # The claim of the first issue: sd .3, 20,000 evaluations of NSGA-II. Unbiased means are not enough for it: the
    # hypervolume of a set of noisy means is larger than that of their expectations.
    result = moo.pareto_search("zdt1:noise=0.3", "nsga2", budget=20_000, seed=seed, progress=False)
    true = hypervolume(moo.get_problem("zdt1").evaluate(result.solutions), [1.1, 1.1], directions="min")
    assert result.hypervolume == pytest.approx(true, rel=0.05)
    assert result.record["used_apart"] < 20_000 + 20 * 200


def test_means_are_unbiased_where_no_choice_is_made():
    # One row alone is always chosen: its mean and standard error are those of plain sampling.
    problem = ToyVector(noise=SD)
    row = torch.tensor([[0.2, 0.7, 0.4]], dtype=torch.float64)
    true = truth(row)
    scores, errors = [], []
    for seed in range(60):
        meter = metered(problem, 1, seed)
        told = honest_front(meter, None, meter.evaluate(row), EPISODES, precise=False)
        scores.append((-told.objectives - true) / (SD / math.sqrt(EPISODES)))
        errors.append(told.extras["standard_error"])
    scores = torch.cat(scores)
    assert abs(scores.mean()) * math.sqrt(scores.numel()) < 4
    assert scores.std() == pytest.approx(1, abs=0.25)
    assert torch.cat(errors).square().mean().sqrt() == pytest.approx(SD / math.sqrt(EPISODES), rel=0.1)


def test_choosing_and_reporting_use_different_evaluations():
    problem = Noisy()
    meter, pool = pool_of(problem)
    told = honest_front(meter, None, pool, EPISODES, precise=False)
    assert len(set(problem.streams)) == len(problem.streams) == 3  # the pool, the choice, the report
    first = metered(Noisy(), 60, 0)
    with first.apart():
        repeated = torch.arange(60).repeat_interleave(EPISODES)
        chosen = first.evaluate(pool.solutions[repeated]).objectives.reshape(60, EPISODES, 2).mean(dim=1)
    for row in range(len(told)):
        number = int(torch.nonzero((pool.solutions == told.solutions[row]).all(dim=1)))
        assert not torch.equal(chosen[number], told.objectives[row])


def test_the_choice_is_by_fresh_means_not_by_what_was_observed():
    # Every row is observed at the same lucky value; only the fresh means tell the good from the bad.
    problem = ToyVector(noise=0.01)
    good = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]], dtype=torch.float64)
    bad = torch.tensor([[1.0, 1.0, 1.0], [0.9, 0.9, 0.9]], dtype=torch.float64)
    pool = Candidates.of(torch.cat([bad, good]), torch.zeros(5, 2, dtype=torch.float64))
    told = honest_front(metered(problem, 5, 0), None, pool, 20, precise=False)
    assert sorted(told.solutions.tolist()) == sorted(good.tolist())


# --------------------------------------------------------------------------------------------------- precision
def test_the_effects_of_the_rows_make_up_the_error_of_the_hypervolume():
    # Against the spread of the hypervolume over many draws of the noise.
    front = torch.tensor([[0.1, 0.9], [0.4, 0.7], [0.8, 0.2]], dtype=torch.float64)
    errors = torch.tensor([[0.01, 0.02], [0.03, 0.01], [0.02, 0.02]], dtype=torch.float64)
    point = torch.zeros(2, dtype=torch.float64)
    effects = hypervolume_effects(front, errors, point)
    draws = front + errors * torch.randn(4000, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spread = torch.tensor([hypervolume(draw, point, warn=False) for draw in draws]).std()
    assert float(effects.norm()) == pytest.approx(float(spread), rel=0.05)


def test_a_row_that_cannot_change_the_hypervolume_has_no_effect():
    front = torch.tensor([[0.5, 0.5], [0.1, 0.1]], dtype=torch.float64)
    effects = hypervolume_effects(front, torch.full((2, 2), 0.01, dtype=torch.float64), torch.zeros(2))
    assert effects[0] > 0
    assert effects[1] == 0


def precise_front(noise, budget, seed=0):
    problem = Noisy(noise=noise)
    meter, pool = pool_of(problem, n=budget, seed=seed)
    return meter, honest_front(meter, None, pool, 5, precise=True)


def test_reporting_ends_where_the_hypervolume_is_known():
    meter, told = precise_front(noise=0.02, budget=4000)
    error = hypervolume_effects(told.objectives, told.extras["standard_error"], meter.reference_point).norm()
    assert float(error) <= PRECISION * hypervolume(told.objectives, meter.reference_point)
    assert int(told.extras["episodes"].sum()) < 4000


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_reporting_costs_no_more_than_the_search(noise):
    meter, _ = precise_front(noise=noise, budget=400)
    assert meter.used_apart <= 5 * 400 + 400


def test_reporting_makes_at_least_the_rounds_asked_for():
    _, told = precise_front(noise=2.0, budget=6)
    assert (told.extras["episodes"] >= 5).all()


def test_rows_that_matter_more_are_evaluated_more_often():
    _, told = precise_front(noise=0.3, budget=2000)
    counts = told.extras["episodes"]
    assert counts.max() > 2 * counts.min()


def test_merging_evaluations_gives_the_mean_and_spread_of_all():
    values = torch.randn(50, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + 1e6
    sample = Sample(metered(Noisy(), 10, 0), None, Candidates.of(torch.zeros(1, 2), torch.zeros(1, 2)))
    for part in values.split([7, 1, 30, 12]):
        sample._take(torch.zeros(len(part), dtype=torch.int64), part, None)
    assert torch.allclose(sample.mean[0], values.mean(dim=0), rtol=1e-15)
    assert torch.allclose(sample.standard_error[0], values.std(dim=0) / math.sqrt(50), rtol=1e-9)


# --------------------------------------------------------------------------------------------------- counting
def test_re_evaluations_are_counted_apart():
    problem = ToyVector(noise=SD)
    result = search(problem, budget=200, reevaluations=5)
    assert result.record["used"] == 200
    assert sum(problem.calls) == 200 + result.record["used_apart"]
    reported = int(result.front.extras["episodes"].sum())
    assert 5 * len(result.front) <= reported <= 200  # reporting costs no more than the search did
    choice = result.record["used_apart"] - reported
    assert choice >= 5 * 100  # the archive and the last batch
    assert choice % 5 == 0
    assert result.history["used"].max() == 200
    assert result.additions.extras["used"].max() <= 200


def test_rows_say_how_often_and_how_exactly_they_were_evaluated():
    front = search(ToyVector(noise=SD), reevaluations=EPISODES).front
    assert (front.extras["episodes"] >= EPISODES).all()
    assert front.extras["standard_error"].shape == front.objectives.shape
    assert (front.extras["standard_error"] > 0).all()
    assert (front.extras["used"] >= 1).all()


def test_one_episode_has_no_standard_error():
    front = search(ToyVector(noise=SD), reevaluations=1).front
    assert (front.extras["episodes"] == 1).all()
    assert front.extras["standard_error"].isnan().all()
    assert torch.isfinite(front.objectives).all()


def test_zero_leaves_what_was_observed():
    problem = ToyVector(noise=SD)
    result = search(problem, budget=200, reevaluations=0)
    assert sum(problem.calls) == 200
    assert (result.record["used_apart"], result.record["reevaluated"]) == (0, False)
    assert "episodes" not in result.front.extras
    clean = ToyVector(noise=SD)
    assert_same_candidates(result.additions, search(clean, budget=200, reevaluations=3).additions)


def test_problems_without_noise_are_untouched():
    problem = ToyVector()
    result = search(problem, budget=200, reevaluations=20)
    assert sum(problem.calls) == 200
    assert (result.record["used_apart"], result.record["reevaluated"]) == (0, False)
    assert_same_results(result, search(ToyVector(), budget=200, reevaluations=0))


class Player:
    def act(self, candidates, observations, mask, time, generator):
        """Plays."""


class Replayer(Player):
    draws_actions = False


@pytest.mark.parametrize(
    ("problem", "method", "needed"),
    [
        (ToyVector(), Player(), False),
        (ToyVector(noise=0.1), Player(), True),
        (ToyVector(noise=0.1), Replayer(), True),
        (ToyEnvironment(), Player(), True),
        (ToyEnvironment(), Replayer(), False),
        (ToyEnvironment(slip=0.1), Replayer(), True),
        (ToyEnvironment(), object(), False),  # nothing can be played again
    ],
)
def test_who_needs_it(problem, method, needed):
    assert needs_reevaluation(metered(problem, 1, 0), method) is needed


def test_it_is_announced_on_standard_error(capsys):
    search(ToyVector(noise=SD), reevaluations=3, progress=True)
    said = capsys.readouterr()
    assert "The problem is noisy" in said.err
    assert "reevaluations=0 turns this off" in said.err
    assert said.out == ""
    search(ToyVector(noise=SD), reevaluations=3, progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("value", "message"), [(-1, "at least 0"), (1.5, "whole number"), ("many", "whole number")])
def test_the_count_is_checked_before_anything_is_spent(value, message):
    problem = ToyVector(noise=SD)
    with pytest.raises((ValueError, TypeError), match=f"`reevaluations` should be .*{message}"):
        search(problem, reevaluations=value)
    assert problem.calls == []


# --------------------------------------------------------------------------------------------------- finals
def test_finals_are_re_evaluated_on_their_own():
    arguments = {"budget": 300, "options": {"population": 30}, "progress": False}
    observed = moo.pareto_search(ToyVector(noise=SD), "nsga2", reevaluations=0, **arguments)
    honest = moo.pareto_search(ToyVector(noise=SD), "nsga2", reevaluations=EPISODES, **arguments)
    rows = {tuple(row) for row in observed.finals.solutions.tolist()}
    assert {tuple(row) for row in honest.finals.solutions.tolist()} <= rows
    assert (honest.finals.extras["episodes"] == EPISODES).all()
    luck = (truth(observed.finals.solutions) - observed.finals.objectives).mean() / SD
    z = (truth(honest.finals.solutions) - honest.finals.objectives) / SD * math.sqrt(EPISODES)
    assert luck > 0.2
    assert abs(z.mean()) * math.sqrt(z.numel()) < 4


def test_the_last_batch_competes_with_the_archive():
    # With an archive of lucky rows, a solution of the last batch can be reported though it never entered the archive.
    reported = [search(ToyVector(noise=1.0), budget=300, seed=seed) for seed in range(4)]
    entered = [{tuple(row) for row in result.additions.solutions.tolist()} for result in reported]
    outside = [
        tuple(row) not in inside
        for result, inside in zip(reported, entered, strict=True)
        for row in result.solutions.tolist()
    ]
    assert any(outside)


def test_equal_solutions_compete_once():
    rows = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.1, 0.2]], dtype=torch.float64)
    objectives = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=torch.float64)
    first = Candidates.of(rows, objectives, failed=torch.tensor([False, False, False]))
    second = Candidates.of(rows[:2], objectives[1:], failed=torch.tensor([False, True]))
    assert distinct([first, second]).objectives.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert len(distinct([first.rows(slice(0)), second.rows(slice(0))])) == 0


# --------------------------------------------------------------------------------------------------- directions
def test_reported_values_are_in_the_problems_own_directions():
    options = {"directions": ("max", "min")}
    result = search(ToyVector(noise=SD, **options), reevaluations=EPISODES)
    z = (result.objectives - truth(result.solutions, **options)) / SD * math.sqrt(EPISODES)
    assert abs(z.mean()) * math.sqrt(z.numel()) < 4
    assert (result.objectives[:, 0] < 1).all()


# --------------------------------------------------------------------------------------------------- failures
def test_means_are_over_the_evaluations_that_succeeded():
    meter, pool = pool_of(Noisy(fails=0.4))
    told = honest_front(meter, None, pool.rows(~pool.failed), 20, precise=False)
    assert torch.isfinite(told.objectives).all()
    assert (told.extras["episodes"] < 20).any()
    assert (told.extras["episodes"] >= 1).all()
    z = (-told.objectives[:, 0] - told.solutions[:, 0]) / 0.1 * told.extras["episodes"].sqrt()
    assert abs(z.mean()) * math.sqrt(len(z)) < 4


@pytest.mark.parametrize("seed", range(4))
def test_rows_whose_every_report_fails_are_left_out_of_the_front(seed):
    result = search(Noisy(fails=0.5), budget=100, reevaluations=1, seed=seed)
    assert torch.isfinite(result.objectives).all()
    assert math.isfinite(result.hypervolume)
    assert not result.front.failed.any()


def test_a_problem_that_only_raises_at_random_is_reported(tmp_path):
    class Raising(Noisy):
        def evaluate(self, solutions, generator=None):
            if len(solutions) > 1 or torch.rand(1, generator=generator) < 0.3:
                raise TimeoutError("the solver did not converge")
            return super().evaluate(solutions, generator)

    result = search(Raising(), budget=40, reevaluations=2)
    assert torch.isfinite(result.objectives).all()
    assert 0 < len(result.failures) < 40
    result.save(tmp_path / "saved")
    assert_same_results(moo.load_result(tmp_path / "saved"), result)


# --------------------------------------------------------------------------------------------------- constraints
def test_rows_that_were_feasible_by_luck_are_left_out():
    # Half of the rows are feasible by luck when observed once; by their means, none of them is.
    result = search(Noisy(constraint_noise=1.0, margin=1.0), budget=100, reevaluations=50)
    assert len(result.additions) > 0
    assert not result.feasible
    assert len(result.front) == 0
    assert result.hypervolume == 0


def test_constraints_are_means_too():
    meter, pool = pool_of(Noisy(constraint_noise=0.2, margin=-0.5))
    told = honest_front(meter, None, pool, 25, precise=False)
    z = (told.extras["constraints"] + 0.5) / 0.2 * 5
    assert told.extras["constraints"].shape == (len(told), 1)
    assert abs(z.mean()) * math.sqrt(z.numel()) < 4


@pytest.mark.parametrize("method", ["random", "nsga2"])
def test_nothing_feasible_on_a_noisy_problem_is_a_result(method):
    options = {"population": 20} if method == "nsga2" else {"batch": 20}
    result = moo.pareto_search(
        ToyVector(noise=SD, infeasible=True), method, budget=60, options=options, reevaluations=3, progress=False
    )
    assert not result.feasible
    assert len(result.front) == 0
    assert len(result.least_violating) > 0


def test_a_pool_of_nothing_costs_nothing():
    meter, pool = pool_of(Noisy())
    assert len(honest_front(meter, None, pool.rows(slice(0)), 20, precise=True)) == 0
    assert meter.used_apart == 0


# --------------------------------------------------------------------------------------------------- policies
def true_returns(result, episodes=3000):
    """Mean returns of the front's policies over many episodes of their own."""
    problem = ToyEnvironment(slip=0.2)
    meter = metered(problem, 10**9, 987)
    copies = result.front.rows(torch.arange(len(result.front)).repeat_interleave(episodes))
    stream = torch_generator(987, "truth")
    returns, failed, _ = episode_returns(meter, lambda *seen: result.generator.act(copies, *seen, stream), len(copies))
    assert not failed.any()
    return returns.reshape(len(result.front), episodes, -1).mean(dim=1)


def test_policies_are_replayed_and_reported_without_luck():
    luck, z = [], []
    for seed in range(3):
        arguments = {"budget": 3000, "options": {"batch": 20, "episodes": 2}, "seed": seed}
        result = search(ToyEnvironment(slip=0.2), reevaluations=40, **arguments)
        true = true_returns(result)
        z.append(((result.objectives - true) / result.front.extras["standard_error"]).flatten())
        observed = search(ToyEnvironment(slip=0.2), reevaluations=0, **arguments)
        luck.append((observed.objectives - true_returns(observed)).flatten())
        assert result.record["used"] == 3000
        assert result.record["used_apart"] > 0
        assert (result.front.extras["episodes"] >= 40).all()
    z, luck = torch.cat(z), torch.cat(luck)
    assert luck.mean() > 0.1
    assert abs(z[torch.isfinite(z)].mean()) * math.sqrt(torch.isfinite(z).sum()) < 4


def test_replayed_policies_keep_their_weights():
    result = search(
        ToyEnvironment(slip=0.2), budget=1500, options={"batch": 10, "episodes": 2}, reevaluations=5, seed=1
    )
    weights = result.front.extras["parameters.linear"]
    assert len(weights) == len(result.front) == len(set(result.solutions.flatten().tolist()))


CERTAIN = {  # methods whose policies draw nothing, with little to learn
    "tabular": {"policies": 8, "steps": 8},
    "morl-d": {"policies": 3, "updates": 1, "greedy": True, "learner": "soft"},
    "c-morl": {"policies": 3, "selected": 2, "copies": 4, "updates": 2, "greedy": True},
}


@pytest.mark.parametrize("method", CERTAIN)
def test_where_nothing_is_drawn_what_was_observed_is_what_an_evaluation_says(method):
    problem = ToyEnvironment()
    arguments = {"budget": 1500, "options": CERTAIN[method], "progress": False}
    result = moo.pareto_search(problem, method, **arguments)
    assert result.record["used_apart"] == 0
    assert result.record["reevaluated"] is False
    for rows in (result.front, result.finals):
        assert len(rows)
        told = honest_front(metered(problem, 10**6, 7), result.generator, rows, 3, precise=True)
        kept = dict(zip(rows.solutions.flatten().tolist(), rows.objectives, strict=True))
        assert (told.extras["standard_error"] < 1e-12).all()
        for number, row in zip(told.solutions.flatten().tolist(), told.objectives, strict=True):
            torch.testing.assert_close(row, kept[number], rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", CERTAIN)
def test_methods_that_say_so_draw_nothing(method):
    result = moo.pareto_search(ToyEnvironment(), method, budget=1500, options=CERTAIN[method], progress=False)
    rows = result.front.rows(torch.zeros(25, dtype=torch.int64))
    places = torch.arange(-12.0, 13.0, dtype=torch.float64)[:, None]
    mask = torch.ones(25, 2, dtype=torch.bool)
    seen = [result.generator.act(rows, places, mask, 0, torch.Generator().manual_seed(s)) for s in range(5)]
    assert not result.generator.draws_actions
    assert all(torch.equal(actions, seen[0]) for actions in seen)


def test_all_methods_that_say_so_are_tried_here():
    saying = {name for name in GENERATORS if hasattr(resolve(GENERATORS, name, "method"), "draws_actions")}
    assert saying == set(CERTAIN)


@pytest.mark.parametrize(
    ("method", "options", "problem"),
    [
        ("morl-d", {**CERTAIN["morl-d"], "greedy": False, "episodes": 1}, ToyEnvironment()),  # policies draw
        ("tabular", CERTAIN["tabular"], ToyEnvironment(slip=0.2)),  # the environment does
    ],
)
def test_where_something_is_drawn_policies_are_evaluated_anew(method, options, problem):
    result = moo.pareto_search(problem, method, budget=1500, options=options, reevaluations=2, progress=False)
    assert result.record["used_apart"] > 0
    assert result.record["reevaluated"] is True


def test_failing_episodes_of_a_policy_are_left_out_of_its_mean():
    result = search(
        ToyEnvironment(slip=0.3, nan_at=4), budget=3000, options={"batch": 10, "episodes": 1}, reevaluations=10
    )
    assert torch.isfinite(result.objectives).all()
    assert (result.front.extras["episodes"] >= 1).all()


# --------------------------------------------------------------------------------------------------- determinism
@pytest.mark.parametrize("problem", [lambda: ToyVector(noise=SD), lambda: ToyEnvironment(slip=0.2)])
def test_the_same_call_reports_the_same(problem):
    arguments = {"budget": 600, "options": {"batch": 10}, "reevaluations": 4}
    assert_same_results(search(problem(), **arguments), search(problem(), **arguments))
    other = search(problem(), seed=5, **arguments)
    assert not torch.equal(other.objectives, search(problem(), **arguments).objectives)


@pytest.mark.parametrize("problem", [lambda: ToyVector(noise=SD), lambda: ToyEnvironment(slip=0.2)])
def test_an_interrupted_search_reports_the_same(tmp_path, problem):
    arguments = {"budget": 600, "options": {"batch": 10}, "reevaluations": 4}
    whole = search(problem(), **arguments)
    steps = iter([False, False, True])
    search(problem(), **arguments, checkpoint=tmp_path, callback=lambda _: next(steps))
    resumed = search(problem(), **arguments, checkpoint=tmp_path)
    assert_same_results(resumed, whole)
    assert resumed.record["used_apart"] == whole.record["used_apart"]
    assert_same_results(search(problem(), **arguments, checkpoint=tmp_path), whole)  # of a finished one, too


def test_a_finished_search_can_be_reported_with_more_episodes(tmp_path):
    problem = ToyVector(noise=SD)
    search(problem, checkpoint=tmp_path, reevaluations=2)
    paid = sum(problem.calls)
    more = search(problem, checkpoint=tmp_path, reevaluations=9)
    assert sum(problem.calls) - paid == more.record["used_apart"]  # nothing but the report is paid again
    assert_same_results(more, search(ToyVector(noise=SD), reevaluations=9))


def test_a_saved_honest_front_is_loaded_as_it_was(tmp_path):
    result = moo.pareto_search("zdt1:dim=3,noise=0.3", "random", budget=100, reevaluations=4, progress=False)
    result.save(tmp_path / "one")
    loaded = moo.load_result(tmp_path / "one")
    assert_same_results(loaded, result)
    assert loaded.record["reevaluated"] is True
    assert loaded.hypervolume == result.hypervolume
    assert "standard_error1" in loaded.to_dataframe().columns


# --------------------------------------------------------------------------------------------------- texts
class Letters(TextProblem):
    """Texts of one letter: a and b are worth something, c nothing, x has no score."""

    name, num_objectives, directions, objective_names = "letters", 2, ("max", "max"), ()
    values = {"a": (1.0, 0.0), "b": (0.0, 1.0), "c": (0.0, 0.0), "x": (0.5, math.nan)}

    def __init__(self, reference_point=None):
        self.reference_point = reference_point
        self.scored = 0

    def prompts(self, n, generator):
        return ["" for _ in range(n)]

    def score(self, prompts, completions):
        self.scored += len(completions)
        return torch.tensor([self.values[text] for text in completions], dtype=torch.float64).reshape(-1, 2)


class Scribe:
    """Policies that write one of `abcx`, by the chances in their rows; notes what each policy wrote."""

    def __init__(self):
        self.written = []

    def complete(self, candidates, prompts, seed=0):
        stream = torch.Generator().manual_seed(seed)
        drawn = torch.multinomial(candidates.extras["parameters.law"], 1, generator=stream).flatten()
        texts = ["abcx"[number] for number in drawn.tolist()]
        self.written.append((int(candidates.solutions[0, 0]), texts))
        return texts


def scribes(laws, observed=None):
    """Policies of those laws, with what was observed of them."""
    laws = torch.tensor(laws, dtype=torch.float64)
    n = len(laws)
    values = laws[:, :2].clone() if observed is None else torch.tensor(observed, dtype=torch.float64)
    return Candidates.of(torch.arange(n)[:, None], values, dropped=torch.full((n,), 99), **{"parameters.law": laws})


GOOD, OTHER, POOR = [0.8, 0.1, 0.1, 0.0], [0.1, 0.8, 0.1, 0.0], [0.1, 0.1, 0.8, 0.0]


def test_a_lucky_writer_falls_back():
    pool = scribes([POOR, GOOD, OTHER], [[0.95, 0.95], [0.8, 0.1], [0.1, 0.8]])
    told = honest_front(metered(Letters(), 1, 0), Scribe(), pool, 60, precise=False)
    assert told.solutions.flatten().tolist() == [1, 2]
    assert not torch.equal(told.objectives, pool.objectives[1:])
    z = (told.objectives - pool.objectives[1:]) / told.extras["standard_error"]
    assert (z.abs() < 4).all()


def test_observed_fronts_of_writers_are_lucky_and_reported_ones_are_not():
    law = [0.4, 0.4, 0.2, 0.0]
    observed, z = [], []
    for seed in range(10):
        meter, scribe = metered(Letters(), 10**6, seed), Scribe()
        pool = Sample(meter, scribe, scribes([law] * 40))
        pool.observe(torch.full((40,), 8))
        front = pool.means()
        front = front.rows(non_dominated(front.objectives))
        observed.append(front.objectives - 0.4)
        told = honest_front(meter, scribe, front, 40, precise=False)
        z.append((told.objectives.sum(dim=1) - 0.8) / math.sqrt(0.8 * 0.2 / 40))
    z = torch.cat(z)
    assert torch.cat(observed).mean() > 0.05
    assert abs(z.mean()) * math.sqrt(len(z)) < 4


def test_the_fronts_means_and_errors_are_those_of_a_loop_over_fresh_completions():
    scribe, laws = Scribe(), [[0.6, 0.2, 0.1, 0.1], [0.2, 0.6, 0.0, 0.2]]
    meter = metered(Letters(), 10**6, 3)
    told = honest_front(meter, scribe, scribes(laws), 30, precise=False)
    assert [who for who, _ in scribe.written] == [0, 1, 0, 1]  # the choice, and the report
    assert scribe.written[0][1] != scribe.written[2][1]
    for row, (_, texts) in enumerate(scribe.written[2:]):
        kept = [Letters.values[text] for text in texts if text != "x"]
        assert int(told.extras["episodes"][row]) == len(kept)
        assert int(told.extras["dropped"][row]) == 30 - len(kept) > 0
        for column, values in enumerate(zip(*kept, strict=True)):
            mean = sum(values) / len(values)
            error = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))
            assert float(told.objectives[row, column]) == pytest.approx(mean, rel=1e-12)
            assert float(told.extras["standard_error"][row, column]) == pytest.approx(error, rel=1e-9)


@pytest.mark.parametrize("paid", [400, 40_000])
def test_reporting_writers_costs_no_more_than_the_search(paid):
    problem, scribe = Letters([0.0, 0.0]), Scribe()
    meter = metered(problem, paid, 0)
    meter.count(paid)
    told = honest_front(meter, scribe, scribes([GOOD, OTHER, POOR]), 10, precise=True)
    reported = int(told.extras["episodes"].sum())
    assert (meter.used, problem.scored) == (paid, meter.used_apart)
    assert meter.used_apart == 3 * 10 + reported
    assert 20 < reported <= paid
    error = hypervolume_effects(told.objectives, told.extras["standard_error"], torch.zeros(2)).norm()
    known = float(error) <= PRECISION * hypervolume(told.objectives, [0.0, 0.0])
    assert known == (paid == 40_000)


def test_a_writer_none_of_whose_fresh_completions_counts_is_left_out():
    told = honest_front(metered(Letters(), 9, 0), Scribe(), scribes([[0, 0, 0, 1.0], GOOD]), 5, precise=False)
    assert told.solutions.tolist() == [[1]]


@pytest.mark.parametrize(("method", "needed"), [(Scribe(), True), (Replayer(), False), (object(), False)])
def test_writers_need_it(method, needed):
    assert needs_reevaluation(metered(Letters(), 1, 0), method) is needed


WRITING = {"policies": 2, "copies": 8, "hidden": 6, "layers": 1, "interval": 1, "model": "characters", "length": 4}


def written(problem=None, seed=0, **arguments):
    arguments = {"budget": 96, "reevaluations": 6, "options": WRITING, "progress": False, **arguments}
    return moo.pareto_search(problem or ToyText(), "fixed-weights", seed=seed, **arguments)


def test_a_search_on_texts_reports_what_fresh_completions_say():
    result, observed = written(), written(reevaluations=0)
    assert (result.record["used"], result.record["reevaluated"]) == (96, True)
    assert (observed.record["used_apart"], observed.record["reevaluated"]) == (0, False)
    assert_same_candidates(result.additions, observed.additions)
    assert (result.front.extras["episodes"] >= 6).all()
    assert (result.finals.extras["episodes"] == 6).all()
    assert any(name.startswith("parameters.actor.") for name in result.front.extras)
    truth = written_truth(result)
    z = (result.objectives - truth) / result.front.extras["standard_error"].clamp(min=0.02)
    assert (z.abs() < 5).all()


def written_truth(result, completions=400):
    """Means of many completions of the front's policies, by the toy's own score."""
    rows = result.front.rows(torch.arange(len(result.front)).repeat_interleave(completions))
    texts = result.generator.complete(rows, ["prompt 1"] * len(rows), seed=987)
    return ToyText().score([], texts).reshape(len(result.front), completions, 2).mean(dim=1)


def test_a_search_on_texts_reports_the_same_however_it_came_there(tmp_path):
    whole = written()
    assert_same_results(written(), whole)
    steps = iter([False, True])
    written(checkpoint=tmp_path, callback=lambda _: next(steps))
    for _ in range(2):  # of an interrupted one, and of a finished one
        resumed = written(checkpoint=tmp_path)
        assert_same_results(resumed, whole)
        assert resumed.record["used_apart"] == whole.record["used_apart"]
    assert_same_results(written(checkpoint=tmp_path, reevaluations=7), written(reevaluations=7))


def test_after_ctrl_c_texts_are_not_evaluated_anew():
    result = written(callback=lambda _: signal.raise_signal(signal.SIGINT))
    assert result.record["interrupted"]
    assert (result.record["used_apart"], result.record["reevaluated"]) == (0, False)
    assert (result.front.extras["episodes"] == 8).all()  # those it learned from
