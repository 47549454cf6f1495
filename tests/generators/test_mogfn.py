import pytest
import torch
from inputs import ToyConstruction, ToyVector

import moo
import moo.problems.hypergrid
from moo.generators.mogfn import MOGFN
from moo.gflow.batches import LOSSES, Batch
from moo.gflow.policies import Conditions
from moo.gflow.rewards import SCALARISATIONS
from moo.metered import metered
from moo.options import resolve_options
from moo.preferences import das_dennis
from moo.storage import read_state, write_state
from moo.tuners.dirichlet import Dirichlet

QUICK = {"hidden": 64, "batch": 64, "batches": 8, "learning_rate": 1e-2, "log_z_learning_rate": 3e-2, "beta_high": 4.0}
GRID = "hypergrid:height=8"


def learned(problem=GRID, budget=25_600, seed=0, **options):
    """A method that has spent its budget on a problem, with the problem."""
    problem = moo.get_problem(problem) if isinstance(problem, str) else problem
    meter = metered(problem, budget, seed)
    checked = resolve_options(MOGFN.options, {**QUICK, **options}, "mogfn")
    method = MOGFN(meter, budget=budget, seed=seed, device="cpu", **checked)
    tuner = Dirichlet(problem, budget=budget, seed=seed, hyperparameters={}, alpha=1.0)
    setting = None
    while meter.remaining:
        if method.wants_setting:
            setting = tuner.suggest(method.preferences_per_round)
        method.step(setting)
    return method, problem


def distance(method, problem, beta, scalarisation="weighted-sum"):
    """The summed difference to the exact law (0 to 2), mean over preferences, and the largest error of log Z."""
    preferences = das_dennis(problem.num_objectives, 5)
    law = problem.oracle.distribution(preferences, beta, scalarisation)
    found = method.exact_distribution(problem, preferences, beta)
    log_z = problem.oracle.log_z(preferences, beta, scalarisation)
    return (found - law).abs().sum(dim=1).mean().item(), (method.log_z(preferences, beta) - log_z).abs().max().item()


# --------------------------------------------------------------------------------------------------- what it learns
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_the_exact_law_of_a_grid(loss):
    dear = loss.startswith("fl-")  # on the grid, looking ahead costs an evaluation of each cell on the way
    method, problem = learned(budget=256_000 if dear else 25_600, loss=loss, group=8 if loss == "vargrad" else 1)
    assert method.problem.used == method.problem.budget
    untrained, _ = learned(budget=1, loss=loss, group=8 if loss == "vargrad" else 1)
    for beta, bound in ((1.0, 0.5), (4.0, 2.0)):
        away, error = distance(method, problem, beta)
        assert away < 0.4 < distance(untrained, problem, beta)[0], (beta, away)
        assert error < bound, (beta, error)


@pytest.mark.parametrize("scalarisation", sorted({*SCALARISATIONS} - {"weighted-sum", "goal"}))
def test_every_scalarisation_is_learned(scalarisation):
    method, problem = learned(budget=51_200, scalarisation=scalarisation, hindsight=0.0)
    assert distance(method, problem, 4.0, scalarisation)[0] < 0.35


def test_goals_are_learned():
    """At a beta of 1, a tenth of the reward at the edge of a cone; directions that cells lie near."""
    problem = "hypergrid:height=8,objectives=currin+shubert"
    method, problem = learned(problem, budget=102_400, scalarisation="goal", beta=1.0, hindsight=0.0)
    goals = das_dennis(2, 5)[1:4]
    law = problem.oracle.distribution(goals, 1.0, "goal")
    away = (method.exact_distribution(problem, goals) - law).abs().sum(dim=1)
    assert away.mean() < 0.35
    other = problem.oracle.distribution(goals.flip(0), 1.0, "goal")
    assert (method.exact_distribution(problem, goals)[::2] - other[::2]).abs().sum(dim=1).min() > 1


@pytest.mark.parametrize(
    "options", [{"backward": "learned"}, {"relabel": 1, "replay": 0.5}, {"encoding": "thermometer"}]
)
def test_the_target_stays_the_same(options):
    method, problem = learned(**options)
    assert distance(method, problem, 1.0)[0] < 0.15
    assert distance(method, problem, 4.0)[0] < 0.4


@pytest.mark.parametrize("loss", ["tb", "fl-subtb"])
def test_strings_are_learned(loss):
    method, problem = learned("ngrams:ngrams=A+B,alphabet=ABC,length=4", loss=loss)
    assert distance(method, problem, 1.0)[0] < 0.25
    drawn = method.sample(torch.tensor([[1.0, 0.0]]).repeat(2000, 1), seed=1, beta=1.0)
    law = method.exact_distribution(problem, torch.tensor([[1.0, 0.0]]), 1.0)[0]
    counts = torch.bincount(problem.oracle.index(drawn), minlength=len(law)) / 2000
    assert (counts - law).abs().max() < 5 * (0.25 / 2000) ** 0.5


# --------------------------------------------------------------------------------------------------- conditions
@pytest.fixture(scope="module")
def trained():
    return learned(budget=12_800, beta_high=8.0)


def test_conditioning_matters(trained):
    method, problem = trained
    law = method.exact_distribution(problem, das_dennis(2, 1), 8.0)
    assert (law[0] - law[1]).abs().sum() > 0.5
    soft, sharp = (method.exact_distribution(problem, das_dennis(2, 1), beta)[0] for beta in (0.5, 8.0))
    assert (soft - sharp).abs().sum() > 0.3
    first, second = method.log_z(das_dennis(2, 1), 8.0)
    assert abs(first - second) > 0.01
    assert (method.log_z(das_dennis(2, 1), 0.5) > method.log_z(das_dennis(2, 1), 8.0)).all()


def test_sampling_follows_the_exact_distribution(trained):
    method, problem = trained
    preferences = das_dennis(2, 2)
    law = method.exact_distribution(problem, preferences)
    for row in range(3):
        drawn = method.sample(preferences[row].repeat(20_000, 1), seed=3)
        counts = torch.bincount(problem.oracle.index(drawn), minlength=63) / 20_000
        assert (counts - law[row]).abs().max() < 5 * (0.25 / 20_000) ** 0.5


def test_every_parameter_learns():
    for loss in LOSSES:
        for backward in ("uniform", "learned"):
            options = {"loss": loss, "backward": backward, "group": 8, "batches": 1}
            fresh = learned(budget=1, **options)[0].policy.state_dict()
            later = learned(budget=512, **options)[0].policy.state_dict()
            still = [name for name in fresh if torch.equal(fresh[name], later[name])]
            assert not still, (loss, backward, still)


def test_exploration_reaches_what_the_policy_never_builds():
    """A policy made to stop at once goes on when it explores, and not otherwise."""
    seen = []
    for epsilon in (0.0, 0.5):
        problem = moo.get_problem(GRID)
        meter = metered(problem, 100, 0)
        checked = resolve_options(MOGFN.options, {**QUICK, "epsilon": epsilon, "batches": 1}, "mogfn")
        method = MOGFN(meter, budget=100, seed=0, device="cpu", **checked)
        with torch.no_grad():
            list(method.policy.body.parameters())[-1][problem.dim] += 100  # stop
        told = method.step(Dirichlet(problem, budget=1, seed=0, hyperparameters={}, alpha=1.0).suggest(64))
        seen.append(set(problem.decode(told.solutions)))
    assert seen[0] == {"(0, 0)"}
    assert len(seen[1]) > 5


def test_each_trajectory_follows_its_own_preference():
    result = moo.pareto_search(GRID, "mogfn", budget=64, options={"batch": 64, "batches": 1}, progress=False)
    assert result.config["tuner"] == "dirichlet"
    meter = metered(moo.get_problem(GRID), 64, 0)
    method = MOGFN(meter, budget=64, seed=0, device="cpu", **resolve_options(MOGFN.options, {"batch": 64}, "mogfn"))
    setting = Dirichlet(meter, budget=1, seed=0, hyperparameters={}, alpha=1.0).suggest(1024)
    told = method.step(setting)
    assert torch.equal(told.preferences, setting.preferences[:64])
    assert not method.wants_setting


def test_groups_share_a_condition():
    method, _ = learned(budget=1, loss="vargrad", group=4)
    drawn = method._drawn(16, torch.Generator().manual_seed(0))
    for part in drawn:
        groups = part.reshape(4, 4, -1)
        assert (groups == groups[:, :1]).all()
        assert len(groups[:, 0].unique(dim=0)) == 4


def test_beta_rises_over_its_share_of_the_budget():
    method, _ = learned(budget=1, beta=8.0, beta_rise=0.5)
    method.budget = 1000
    seen = []
    for used in (0, 250, 500, 1000):
        method.problem.used = used
        seen.append(method._drawn(1, torch.Generator()).beta.item())
    assert seen == [0.0, 4.0, 8.0, 8.0]


def test_hindsight_relabels_only_those_that_missed():
    method, _ = learned(budget=1, scalarisation="goal", hindsight=1.0)
    objectives = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.0, 0.0]], dtype=torch.float64)
    asked = torch.tensor([[0.5, 0.5]] * 3, dtype=torch.float64)
    batch = Batch(None, Conditions(asked, torch.ones(3)), objectives)
    found = method._with_hindsight(batch, torch.Generator()).conditions.preferences
    assert found.tolist() == [[0.5, 0.5], pytest.approx([0.9, 0.1]), [0.5, 0.5]]


# --------------------------------------------------------------------------------------------------- state, failures
def test_a_saved_generator_samples_identically(trained, tmp_path):
    method, _ = trained
    write_state(tmp_path / "state", method.state_dict())
    fresh, _ = learned(budget=1, beta_high=8.0)
    fresh.load_state_dict(read_state(tmp_path / "state"))
    preferences = das_dennis(2, 20)
    assert torch.equal(fresh.sample(preferences, seed=2), method.sample(preferences, seed=2))
    assert torch.equal(fresh.log_z(preferences, 2.0), method.log_z(preferences, 2.0))


class FailingGrid(moo.problems.hypergrid.HyperGrid):
    """Every cell with an even first coordinate fails."""

    def evaluate(self, solutions, generator=None):
        objectives = super().evaluate(solutions)
        return torch.where(solutions[:, :1] % 2 == 0, float("nan"), objectives)


@pytest.mark.parametrize("options", [{}, {"loss": "vargrad", "group": 4}, {"replay": 0.5}])
def test_failed_objects_are_left_out_of_learning(options):
    problem = FailingGrid(height=8)
    result = moo.pareto_search(problem, "mogfn", budget=2000, options={"batch": 64, **options}, progress=False)
    assert result.record["failures"] > 200
    assert torch.isfinite(result.generator.log_z(das_dennis(2, 3))).all()


def test_a_batch_cut_within_a_group_is_evaluated_and_its_rest_left_out_of_learning():
    result = moo.pareto_search(
        GRID, "mogfn", budget=150, options={"loss": "vargrad", "group": 8, "batch": 64, "batches": 1}, progress=False
    )
    assert result.record["used"] == 150


def test_vector_problems_are_met_on_a_lattice_and_measured_from_the_reference_point():
    result = moo.pareto_search(ToyVector(), "mogfn", budget=3000, options=QUICK, progress=False)
    assert result.config["encoding"] == "construction"
    assert result.solutions.shape[1] == 3
    scale = result.generator.state_dict()["scale"]
    assert scale["low"].tolist() == [-4.0, -4.0]  # the toy's own reference point, maximised
    random = moo.pareto_search(ToyVector(), "random", budget=3000, progress=False)
    assert result.record["hypervolume"] > 0.9 * random.record["hypervolume"]


def test_without_a_reference_point_the_first_rows_give_one():
    result = moo.pareto_search(ToyVector(reference=False), "mogfn", budget=500, options=QUICK, progress=False)
    scale = result.generator.state_dict()["scale"]
    assert torch.isfinite(scale["low"]).all()
    assert (scale["span"] > 0).all()


@pytest.mark.parametrize(
    ("problem", "options", "message"),
    [
        (GRID, {"beta_low": 8.0, "beta_high": 4.0}, "`beta_low` should be at most `beta_high`, 4.0. Found 8.0"),
        (GRID, {"loss": "vargrad"}, "`group` should be at least 2 for loss 'vargrad'"),
        (GRID, {"group": 3}, "`group` should divide `batch`, 32. Found 3"),
        (GRID, {"loss": "vargrad", "group": 8, "scalarisation": "goal"}, "`hindsight` should be 0"),
        (GRID, {"loss": "fl-db", "replay": 1.0}, "`replay` should be 0 for loss 'fl-db'"),
        (ToyConstruction(), {"loss": "fl-db"}, "needs a problem with a `potential`.*choose 'db'"),
        (GRID, {"loss": "fm"}, r"`loss` should be one of .*'tb'"),
    ],
)
def test_options_that_do_not_fit(problem, options, message):
    with pytest.raises(ValueError, match=message):
        moo.pareto_search(problem, "mogfn", budget=10, options=options, progress=False)


def test_a_problem_without_features_is_refused():
    class Bare(ToyConstruction):
        features = property()

    with pytest.raises(ValueError, match="needs a construction problem with `features`"):
        moo.pareto_search(Bare(), "mogfn", budget=10, progress=False)


def test_it_is_chosen_for_construction_problems():
    result = moo.pareto_search(GRID, budget=64, options={"batch": 64}, progress=False)
    assert result.config["method"] == "mogfn"
