"""The Bayesian method with constraints, on mixed spaces, on small ones and with many objectives."""

import pytest
import torch
from asserts import assert_same_candidates, assert_same_results
from inputs import ToyVector

import moo
from moo.base import Evaluation, VectorProblem
from moo.bayes import beliefs
from moo.space import Space, categorical, integer, real

QUICK = {"raw_samples": 64, "restarts": 2, "fantasies": 8}


def search(problem, budget=16, options=None, method="bayesian", **arguments):
    options = {**QUICK, **(options or {})} if method == "bayesian" else options
    return moo.pareto_search(problem, method, budget=budget, options=options, progress=False, **arguments)


def toy(rows):
    """Two objectives of the unit cube and a constraint that wants the first column beyond .6."""
    return ToyVector(dim=rows.shape[1]).evaluate(rows), 0.6 - rows[:, :1]


def opened(space=2, **arguments):
    arguments = {"directions": "min", "num_objectives": 2, "reference_point": [4, 4], "num_constraints": 1, **arguments}
    space = [(0, 1)] * space if isinstance(space, int) else space
    options = {**QUICK, "noise": "none", **arguments.pop("options", {})}  # a space alone is taken for noisy
    return moo.optimizer(space, "bayesian", options=options, **arguments)


def begun(n=10, limit=lambda values: values, **arguments):
    """An optimizer told `n` rows of the toy, the constraint's values changed by `limit`."""
    opt = opened(**arguments)
    rows = opt.ask(n)
    values, limits = toy(rows.solutions)
    opt.tell(rows.extras["id"], values, constraints=limit(limits))
    return opt


class Recorded(VectorProblem):
    """A problem that keeps every row, and changes what its constraints give."""

    def __init__(self, problem, limit=lambda values: values):
        self.inner, self.limit = moo.get_problem(problem) if isinstance(problem, str) else problem, limit
        for name in ("name", "space", "directions", "num_objectives", "num_constraints", "reference_point"):
            setattr(self, name, getattr(self.inner, name))
        self.stochastic, self.rows, self.forbidden = self.inner.stochastic, [], []

    def evaluate(self, solutions, generator=None):
        given = self.inner.evaluate(solutions, generator)
        self.rows.append(solutions)
        if isinstance(given, torch.Tensor):
            return given
        self.forbidden.append((given.constraints > 0).any(dim=1))
        return Evaluation(given.objectives, self.limit(given.constraints))

    def wasted(self, first=10):
        """The share of infeasible rows after the first so many."""
        return torch.cat(self.forbidden)[first:].double().mean().item()


# --- constraints ------------------------------------------------------------------------------------------------------

CONSTRAINED = ["constrained-branin-currin", "c2-dtlz2:dim=4,num_objectives=2", "toy"]


def constrained(name):
    return ToyVector(constrained=True, dim=4) if name == "toy" else name


@pytest.mark.parametrize("name", CONSTRAINED)
def test_proposals_are_feasible_more_often_than_random_rows_and_better(name):
    shares, volumes = [], []
    for method in ("bayesian", "random"):
        problems = [Recorded(constrained(name)) for _ in range(2)]
        found = [search(problem, 20, method=method, seed=seed) for seed, problem in enumerate(problems)]
        shares.append(sum(problem.wasted() for problem in problems) / 2)
        volumes.append([result.hypervolume for result in found])
    if name != "constrained-branin-currin":  # there the front lies on the edge of what is forbidden
        assert shares[0] < 0.6 * shares[1]
    for ours, random in zip(*volumes, strict=True):
        assert ours > random


def test_where_nothing_is_feasible_the_least_violating_rows_are_kept():
    problem = Recorded(ToyVector(infeasible=True))
    result = search(problem, 20)
    assert result.record["used"] == 20
    assert len(result.front) == 0
    assert len(torch.cat(problem.rows).unique(dim=0)) == 20
    late = torch.cat(problem.rows)[10:]
    assert late[:, 0].min() < 0.02  # the margin is 1 + the first column
    assert result.least_violating.extras["constraints"][0, 0] == pytest.approx(1, abs=0.02)


def test_what_is_feasible_is_found_where_no_first_row_is():
    """One row in a hundred is feasible."""

    def limits(rows):
        return (rows - 0.9).abs().amax(dim=1, keepdim=True) - 0.05

    for seed in range(2):
        opt, feasible = opened(seed=seed), []
        for _ in range(22):
            row = opt.ask(1)
            opt.tell(row.extras["id"], toy(row.solutions)[0], constraints=limits(row.solutions))
            feasible.append(bool((limits(row.solutions) <= 0).all()))
        assert not any(feasible[:10])
        assert any(feasible[10:])


def enormous(values):
    return torch.where(values > 0, 1e6 * (1 + values), values)


@pytest.mark.parametrize("limit", [enormous, lambda values: 1e6 * values], ids=["where violated", "all"])
def test_enormous_constraints_do_no_harm(limit):
    plain, huge = Recorded("constrained-branin-currin"), Recorded("constrained-branin-currin", limit)
    volumes = [search(problem, 24, seed=1).hypervolume for problem in (plain, huge)]
    assert volumes[1] > 0.97 * volumes[0]
    assert huge.wasted() < 0.9


def test_the_gain_is_none_where_rows_are_forbidden():
    free = begun(16, lambda values: values - 10).ask(1).extras["gain"]
    held = begun(16, lambda values: values + 5).ask(1).extras["gain"]
    assert held < 0.05 * free


def test_a_feasible_row_counts_as_much_as_without_constraints():
    bound, free = begun(12, lambda values: torch.full_like(values, -1.0)), opened(num_constraints=0)
    rows = free.ask(12)
    free.tell(rows.extras["id"], toy(rows.solutions)[0])
    assert bound.ask(1).extras["gain"].item() == pytest.approx(free.ask(1).extras["gain"].item(), rel=0.05)


def test_forbidden_rows_are_in_no_front_of_the_model(monkeypatch):
    fronts = []

    class Kept(beliefs.LogExpectedHypervolumeImprovement):
        def __init__(self, model, point, front, ends):
            fronts.append(front)
            super().__init__(model, point, front, ends)

    monkeypatch.setattr(beliefs, "LogExpectedHypervolumeImprovement", Kept)
    opt = begun(14)
    opt.ask(1)
    values, limits = toy(opened().ask(14).solutions)
    assert 0 < (limits <= 0).sum() < 14
    assert torch.equal(fronts[0], -values[limits[:, 0] <= 0])


def test_a_pending_row_that_will_be_forbidden_takes_no_gain_away():
    opt, other = opened(), opened()
    for which in (opt, other):
        rows = which.ask(14)
        values, limits = toy(rows.solutions)
        values = values - 3.0 * (limits > 0)
        last = int(limits[:, 0].argmax())
        keep = torch.arange(14) != last if which is opt else torch.ones(14, dtype=torch.bool)
        which.tell(rows.extras["id"][keep], values[keep], constraints=limits[keep])
    assert len(opt.pending()) == 1
    assert opt.ask(1).extras["gain"].item() > 0.4 * other.ask(1).extras["gain"].item()


def test_pending_rows_with_constraints_are_apart():
    rows = begun(12).ask(4)
    assert torch.pdist(rows.solutions).min() > 0.01
    assert torch.isfinite(rows.extras["gain"]).all()


@pytest.mark.parametrize("noise", ["learned", "told"])
def test_constraints_with_noise(noise):
    stream = torch.Generator().manual_seed(0)
    opt = opened(options={"noise": "learned" if noise == "learned" else "auto"})
    late = []
    for i in range(18):
        row = opt.ask(1)
        values, limits = toy(row.solutions)
        values, limits = (v + 0.05 * torch.randn(v.shape, generator=stream, dtype=v.dtype) for v in (values, limits))
        std = torch.full((1, 2), 0.05, dtype=torch.float64) if noise == "told" else None
        opt.tell(row.extras["id"], values, constraints=limits, std=std)
        late += [row.solutions[0, 0].item()] * (i >= 10)
    assert sum(x > 0.5 for x in late) >= 6


def test_a_noisy_problem_with_constraints_is_searched():
    result = search(ToyVector(constrained=True, noise=0.05), 16, reevaluations=0)
    assert result.record["used"] == 16
    assert (result.solutions[:, 0] >= 0.2).all()


def test_constraints_that_are_not_told_are_missed():
    opt = opened()
    with pytest.raises(ValueError, match="`constraints` are missing: the problem has 1"):
        opt.tell(opt.ask(1).extras["id"], [[1.0, 1.0]])


@pytest.mark.parametrize(
    ("space", "problem"),
    [([(0, 1)] * 2, toy), (Space((real(0, 1), integer(0, 40), categorical("abc"))), toy)],
    ids=["real", "mixed"],
)
def test_saved_and_loaded_the_next_rows_are_the_same(tmp_path, space, problem):
    def tell(opt, rows):
        values, limits = problem(rows.solutions)
        opt.tell(rows.extras["id"], values, constraints=limits)

    opt, again = opened(space), opened(space)
    tell(opt, opt.ask(10))
    opt.ask(1)
    opt.save(tmp_path)
    again.load(tmp_path)
    for _ in range(2):
        rows, same = opt.ask(2), again.ask(2)
        assert_same_candidates(rows, same)
        tell(opt, rows)
        tell(again, same)


@pytest.mark.parametrize("problem", [lambda: ToyVector(constrained=True), lambda: "dtlz2:num_objectives=5"])
def test_a_larger_budget_continues_a_smaller_one(tmp_path, problem):
    search(problem(), 12, checkpoint=tmp_path)
    assert_same_results(search(problem(), 14, checkpoint=tmp_path), search(problem(), 14))


# --- mixed and small spaces -------------------------------------------------------------------------------------------


class Mixed(VectorProblem):
    """Two goals that differ in the real and the whole column, and a choice of which one is good and three are bad."""

    name, num_objectives, directions = "mixed", 2, ("min", "min")
    reference_point = (3.0, 3.0)

    def __init__(self):
        self.space = Space((real(-5, 5), categorical("abcd"), integer(100, 199)))

    def evaluate(self, solutions, generator=None):
        x, choice, level = (solutions[:, 0] + 5) / 10, solutions[:, 1], (solutions[:, 2] - 100) / 99
        worse = torch.tensor([0.8, 0.5, 0.0, 0.9], dtype=torch.float64)[choice.long()]
        return torch.stack([(x - 0.9) ** 2 + level**2 + worse, x**2 + (level - 0.8) ** 2 + worse], dim=1)


@pytest.mark.parametrize(("problem", "seeds"), [(Mixed, 3), (lambda: ToyVector(mixed=True), 1)], ids=["mixed", "toy"])
def test_a_mixed_space_is_searched_better_than_by_three_times_as_many_random_rows(problem, seeds):
    for seed in range(seeds):
        recorded = Recorded(problem())
        ours = search(recorded, 20, seed=seed)
        assert ours.hypervolume > search(problem(), 60, seed=seed, method="random").hypervolume
        rows = torch.cat(recorded.rows)
        assert torch.equal(rows, recorded.space.canonical(rows))
        assert len(rows.unique(dim=0)) == 20


def test_the_good_choice_is_found():
    recorded = Recorded(Mixed())
    result = search(recorded, 26)
    assert (torch.cat(recorded.rows)[14:, 1] == 2).double().mean() > 0.7
    assert (result.solutions[:, 1] == 2).all()


SMALL = Space((integer(0, 3), categorical("abc")))


class Small(VectorProblem):
    name, num_objectives, directions = "small", 2, ("min", "min")
    reference_point, space = (30.0, 30.0), SMALL

    def evaluate(self, solutions, generator=None):
        x, choice = solutions.T
        return torch.stack([(x - 1) ** 2 + choice, (x - 3) ** 2 + (choice - 2) ** 2], dim=1)


@pytest.mark.parametrize("options", [{}, {"batch": 5}, {"initial_points": 30}], ids=str)
def test_a_search_ends_when_every_row_of_a_small_space_was_tried(options):
    recorded = Recorded(Small())
    result = search(recorded, 20, {"initial_points": 4, **options})
    assert result.record["used"] == 12
    assert result.record["ended"] == "every row of the space has been tried"
    assert len(torch.cat(recorded.rows).unique(dim=0)) == 12
    true = moo.pareto_search(Small(), "random", budget=200, progress=False)
    assert result.hypervolume == pytest.approx(true.hypervolume)


@pytest.mark.parametrize("waiting", [False, True], ids=["told", "pending"])
def test_whoever_asks_gets_every_row_of_a_small_space_once_and_then_none(waiting):
    opt = opened(SMALL, num_constraints=0, reference_point=[30, 30], options={"initial_points": 4})
    rows = opt.ask(5)
    opt.tell(rows.extras["id"], Small().evaluate(rows.solutions))
    more = opt.ask(9)
    assert len(torch.cat([rows.solutions, more.solutions]).unique(dim=0)) == 12
    assert len(more) == 7
    if not waiting:
        opt.tell(more.extras["id"], Small().evaluate(more.solutions))
    assert len(opt.ask(2)) == 0


# --- many objectives --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [5, 6])
def test_many_objectives(m):
    result = search(ToyVector(m, dim=m), 18, {"initial_points": 10}, seed=1)
    assert result.record["used"] == 18
    assert result.hypervolume > search(ToyVector(m, dim=m), 40, method="random", seed=1).hypervolume
    gains = result.additions.extras["gain"][torch.isfinite(result.additions.extras["gain"])]
    assert len(gains) >= 5
    assert (gains > 0).all()


def test_ten_objectives_are_taken_and_eleven_refused():
    assert search("dtlz2:num_objectives=10", 9, {"initial_points": 8}).record["used"] == 9
    with pytest.raises(ValueError, match="it takes at most 10 objectives, this problem has 11"):
        search("dtlz2:num_objectives=11")


def test_pending_rows_with_many_objectives_and_constraints_are_apart():
    opt = opened(6, num_objectives=5, reference_point=[4] * 5, options={"initial_points": 10})
    rows = opt.ask(12)
    values = ToyVector(5, dim=6).evaluate(rows.solutions)
    opt.tell(rows.extras["id"][:11], values[:11], constraints=0.4 - rows.solutions[:11, :1])
    more = opt.ask(3)
    assert torch.pdist(more.solutions).min() > 0.02
    assert (more.extras["gain"] > 0).all()
    assert (more.extras["gain_std"] > 0).all()
    assert (more.solutions[:, 0] > 0.3).all()
