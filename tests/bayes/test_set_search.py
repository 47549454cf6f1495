"""Choosing rows of a learned set: against volumes written out, draws, and what the rules of a search say.

What it does on a problem stands in tests/generators/test_pareto_set_learning.py.
"""

from types import SimpleNamespace

import pytest
import torch
from asserts import assert_same_candidates
from inputs import ToyVector
from segment import Segment

from moo.base import Candidates
from moo.bayes.pareto_sets import plain_descent
from moo.bayes.set_search import SEARCHING, SetSearch
from moo.indicators.volume import hypervolume
from moo.metered import metered
from moo.preferences import dirichlet
from moo.seeding import torch_generator
from moo.space import Space, integer, real

SMALL = {"initial_points": 4, "batch": 3, "steps": 5, "step_preferences": 4, "candidates": 30, "noise": "none"}
POINT = torch.tensor([-1.5, -1.5], dtype=torch.float64)


class Quadratics(ToyVector):
    """The segment's two objectives, to be maximised."""

    def __init__(self, *columns, fails=0, stochastic=False):
        super().__init__(dim=2, directions=("max", "max"))
        self.space, self.reference_point = Space(columns or (real(0, 1), real(0, 1))), POINT.tolist()
        self.fails, self.stochastic = fails, stochastic
        self.evaluated = 0

    def evaluate(self, solutions, generator=None):
        values = exact(solutions / self.space.upper)
        rows = torch.arange(len(solutions)) + self.evaluated
        self.evaluated += len(solutions)
        return torch.where((rows < self.fails)[:, None], float("nan"), values)


def exact(rows):
    """The objectives of rows of the unit square."""
    return Segment().moments(rows)[0][0]


def make(problem=None, *, initial=None, seed=0, **options):
    meter = metered(problem or Quadratics(), 100, seed)
    defaults = {name: option.default for name, option in SEARCHING.items()}
    said = SimpleNamespace(**{**defaults, **SMALL, **options})
    return SetSearch(meter, plain_descent, said, seed=seed, device="cpu", initial=initial), meter


@pytest.fixture
def certain(monkeypatch):
    """What is believed is the truth, so that a choice can be written out without a model."""
    monkeypatch.setattr("moo.bayes.beliefs.Beliefs.about", lambda self, told: (None, None, Segment()))


def volume(points):
    return float(hypervolume(points, POINT))


def best_of(rows, there):
    """The row that leaves the largest hypervolume beside what is there already."""
    return rows[max(range(len(rows)), key=lambda k: volume(torch.cat([exact(there), exact(rows[k : k + 1])])))]


# --- by hypervolume ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", [0, 1])
def test_each_proposal_leaves_the_largest_hypervolume_beside_what_is_known_and_pending(certain, seed):
    method, meter = make(seed=seed, optimism=0.0, units="own")
    method.step(None)
    first = method.ask(3).solutions  # pending from here on
    there = torch.cat([method._ledger.known.solutions, first])
    rows = method.sample(dirichlet(30, 2, torch_generator(seed, "candidates", 1)))
    for row in method.ask(2).solutions:
        assert torch.allclose(row, best_of(rows, there), atol=1e-12)
        there = torch.cat([there, row[None]])
    assert meter.used == 4


def test_rows_asked_for_that_failed_are_not_there(certain):
    method, meter = make(optimism=0.0, units="own", initial_points=2)
    first = method.ask(2)
    method.tell(meter.evaluate(first.solutions, extras=first.extras))
    asked = method.ask(2)
    failed = asked.with_extras(failed=torch.tensor([True, True]))
    method.tell(failed)
    (row,) = method.ask(1).solutions
    rows = method.sample(dirichlet(30, 2, torch_generator(0, "candidates", 2)))
    new = (torch.cdist(rows, asked.solutions) > 1e-6).all(dim=1)  # none is proposed again, all the same
    assert torch.allclose(row, best_of(rows[new], first.solutions), atol=1e-12)


def test_whole_columns_are_proposed_on_their_levels_and_never_twice(certain):
    method, _ = make(Quadratics(integer(0, 1), real(0, 1)), initial_points=2)
    rows = torch.cat([method.step(None).solutions for _ in range(4)])
    assert set(rows[:, 0].tolist()) <= {0.0, 1.0}
    assert len(rows.unique(dim=0)) == len(rows) == 11


# --- by the expected improvement --------------------------------------------------------------------------------------
@pytest.mark.parametrize("columns", [(), (integer(0, 9), integer(0, 9))])  # with and without slopes
def test_the_proposal_is_expected_to_improve_at_least_as_much_as_any_row_of_the_set(columns):
    method, _ = make(Quadratics(*columns), selection="improvement", initial_points=8)
    method.step(None)
    known = method._ledger.known
    proposed = method.ask(1).solutions
    rows = method.sample(dirichlet(30, 2, torch_generator(0, "candidates", 1)))
    rows = torch.cat([proposed, rows[(torch.cdist(rows, known.solutions) > 1e-6).all(dim=1)]])
    means, sd = method._beliefs.about(known)[2].moments(method._columns.unit(rows))
    draws = torch.randn(600, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    front = volume(known.objectives)
    gains = torch.tensor(
        [
            [volume(torch.cat([known.objectives, value[None]])) - front for value in mean + spread * draws]
            for mean, spread in zip(means[0], sd, strict=True)
        ]
    )
    found, error = gains.mean(dim=1), gains[0].std() / len(draws) ** 0.5
    assert found[0] > 0
    assert found[0] > found[1:].max() - 4 * error


# --- before there is a model ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("initial", "dim", "expected"), [(0, 2, 10), (0, 7, 16), (3, 2, 3)])
def test_so_many_rows_come_first(initial, dim, expected):
    meter = ToyVector(dim=dim)
    method, _ = make(meter, initial_points=initial)
    assert method._ledger.first == expected


def test_fewer_than_two_rows_that_succeeded_are_not_enough_for_a_model():
    method, _ = make(Quadratics(fails=3), initial_points=4)
    assert method.step(None).failed.tolist() == [True, True, True, False]
    method.step(None)
    assert method._learner.rounds == 0
    method.step(None)
    assert method._learner.rounds == 1


def test_known_rows_stand_for_first_ones():
    _, meter = make()
    rows = torch.rand(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    method, _ = make(initial=meter.evaluate(rows))
    method.ask(1)
    assert method._learner.rounds == 1


# --- what is told -----------------------------------------------------------------------------------------------------
def test_points_of_ones_own_are_learned_from():
    method, meter = make()
    method.step(None)
    rounds = [method.ask(1) and method._learner.rounds]
    own = meter.evaluate(torch.full((1, 2), 0.4, dtype=torch.float64)).with_extras(id=torch.tensor([-1]))
    method.tell(own)
    rounds.append(method.ask(1) and method._learner.rounds)
    assert rounds == [1, 2]
    assert method._ledger.known.objectives[-1].tolist() == own.objectives[0].tolist()


@pytest.mark.parametrize(
    ("noise", "stochastic", "std", "believed"),
    [
        ("none", True, True, False),
        ("learned", False, False, True),
        ("auto", False, False, False),
        ("auto", True, False, True),
        ("auto", False, True, True),
    ],
)
def test_values_count_as_observed_or_as_believed(noise, stochastic, std, believed):
    method, _ = make(Quadratics(stochastic=stochastic), noise=noise)
    rows = torch.tensor([[0.2, 0.3], [0.9, 0.1]], dtype=torch.float64)
    objectives = torch.tensor([[3.0, 4.0], [5.0, 6.0]], dtype=torch.float64)
    extras = {"std": torch.ones(2, 2, dtype=torch.float64)} if std else {}
    told = Candidates.of(rows, objectives, **extras)
    assert torch.equal(method._reached(told, Segment()), exact(rows) if believed else objectives)


@pytest.mark.parametrize("selection", ["hypervolume", "improvement"])
def test_a_stored_search_goes_on_where_it_was(selection):
    method, meter = make(selection=selection, warm_start=True)
    method.step(None)
    pending = method.ask(2)
    fresh, _ = make(selection=selection, warm_start=True)
    fresh.load_state_dict(method.state_dict())
    told = meter.evaluate(pending.solutions[:1], extras=pending.rows(slice(1)).extras)
    for one in (method, fresh):
        one.tell(told)
    assert_same_candidates(fresh.ask(3), method.ask(3))
