"""Objectives that are known functions: in their places, exact, with slopes, and checked against what is told."""

import sys
import types

import pytest
import torch
from inputs import ToyVector

import moo
from moo.base import Candidates
from moo.bayes.beliefs import Beliefs
from moo.bayes.columns import Columns
from moo.bayes.known import SHARP, KnownObjectives
from moo.metered import metered
from moo.space import Space, categorical, integer, real

QUICK = {"raw_samples": 64, "restarts": 2, "initial_points": 6}
SPACE = Space([real(10, 20, name="x"), integer(0, 5, name="n"), categorical(["a", "b", "c"], name="kind")])


def price(rows):
    return 2 * rows[:, 0] + rows[:, 1]


@pytest.fixture(autouse=True)
def _module(monkeypatch):
    home = types.SimpleNamespace(
        price=price,
        first=lambda rows: ToyVector().evaluate(rows)[:, 0],
        second=lambda rows: ToyVector().evaluate(rows)[:, 1],
        wide=lambda rows: rows,
        number=lambda rows: 3.0,
        broken=lambda rows: rows[:, 0] / 0,
        wrong=lambda rows: rows[:, 0] * 0 + 5,
    )
    monkeypatch.setitem(sys.modules, "prices", home)


def known(said, m=2, space=None, **about):
    problem = metered(ToyVector(m, **about), 100, 0)
    return KnownObjectives(problem, Columns(space or problem.space), said)


def test_values_are_the_functions_in_the_inside_direction_and_the_problems_units():
    columns = Columns(SPACE)
    rows = torch.tensor([[12.0, 3.0, 2.0], [20.0, 0.0, 0.0]], dtype=torch.float64)
    found = known("1@prices:price", space=SPACE).values(columns.features(columns.unit(rows)))
    assert torch.allclose(found, -price(rows)[:, None])


def test_rows_come_back_from_what_a_model_is_told():
    columns = Columns(SPACE)
    rows = SPACE.from_unit(torch.rand(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    assert torch.allclose(columns.values(columns.features(columns.unit(rows))), rows)


def test_known_objectives_have_slopes():
    inputs = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    known("0@prices:price").values(inputs).sum().backward()
    span = torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64)  # of price in units of the toy's cube
    assert torch.allclose(inputs.grad, -span.expand(4, -1))


@pytest.mark.parametrize("said", [["2@prices:price", "0@prices:first"], ["0@prices:first", "2@prices:price"]])
def test_outputs_stand_in_their_places(said):
    toy = ToyVector(3)
    problem = metered(toy, 100, 0)
    columns = Columns(problem.space)
    told = KnownObjectives(problem, columns, said)
    assert told.numbers == [0, 2]
    rows = torch.rand(12, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = -toy.evaluate(rows)
    values[:, 2] = -price(rows)
    options = {"surrogate": "batched", "kernel": "auto", "scaled": True, "noise": "none", "fantasies": 4}
    beliefs = Beliefs(problem, columns, seed=0, known=told, **options)
    _, _, model = beliefs.about(Candidates.of(rows, values))
    assert model.num_outputs == 3
    means, sd = model.moments(rows)
    assert torch.allclose(means[0], values, atol=1e-2)
    at = torch.rand(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    means, sd = model.moments(at)
    assert torch.allclose(means[0][:, 2], -price(at))
    assert torch.allclose(sd[:, 2], SHARP * values[:, 2].std(correction=0).expand(5))
    assert (sd[:, 1] > 1e-6).all()
    drawn = model.samples(at, torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
    assert torch.allclose(drawn[..., 2], -price(at).expand(6, -1))
    assert (drawn[..., 1].std(dim=0) > 0).all()
    more = model.conditioned(at, drawn)
    assert torch.allclose(more.moments(at)[0], drawn, atol=1e-2)


def test_an_objective_that_was_not_told_is_computed():
    toy = metered(ToyVector(), 100, 0)
    rows = torch.rand(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = -ToyVector().evaluate(rows)
    missing = values.clone()
    missing[1:, 1] = torch.nan
    assert torch.allclose(KnownObjectives(toy, Columns(toy.space), "1@prices:second").filled(rows, missing), values)


def test_a_known_objective_finds_a_better_front_than_a_learned_one():
    def volume(options):
        return moo.pareto_search(
            ToyVector(), "bayesian", budget=14, seed=2, options={**QUICK, **options}, progress=False
        ).hypervolume

    assert volume({"known": "1@prices:second"}) > volume({})


def test_the_next_row_goes_by_the_function():
    opt = moo.optimizer(
        [(0, 1)] * 2,
        "bayesian",
        directions=["min", "max"],
        reference_point=[1.0, -1.0],
        options={**QUICK, "noise": "none", "known": "1@prices:price"},
    )
    rows = opt.ask(6)
    told = torch.stack([torch.full((6,), 0.5, dtype=torch.float64), price(rows.solutions)], dim=1)
    opt.tell(rows.extras["id"], told)
    assert price(opt.ask(1).solutions) == pytest.approx(3.0)  # the corner


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        (3, TypeError, "`known` should be 'objective@module:function', or several of these. Found 3."),
        ("prices:price", TypeError, "`known` should be 'objective@module:function'"),
        ("7@prices:price", ValueError, "objective '7'"),
        (["1@prices:price", "1@prices:first"], ValueError, "each objective once. '1' stands there twice"),
        (["0@prices:price", "1@prices:first"], ValueError, "should leave an objective to learn. It names all"),
        ("0@prices:missing", ValueError, "'prices:missing'"),
        ("0@nowhere:price", ValueError, "'nowhere:price'.*nowhere"),
    ],
)
def test_what_cannot_be_known_is_said(said, error, message):
    with pytest.raises(error, match=message):
        known(said)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("wide", r"The known objective 1 should be a tensor of shape \[6\]. Found \[6, 3\]"),
        ("number", r"The known objective 1 should be a tensor of shape \[6\]. Found float"),
        ("broken", "The known objective 1 should be finite everywhere in the space"),
        ("wrong", r"The known objective 1 should be what was told. Where .* was told, the function gives 5\."),
    ],
)
def test_a_function_that_does_not_fit_is_said(function, message):
    opt = moo.optimizer(ToyVector(), "bayesian", options={**QUICK, "known": f"1@prices:{function}"})
    rows = opt.ask(6)
    opt.tell(rows.extras["id"], ToyVector().evaluate(rows.solutions))
    with pytest.raises(ValueError, match=message):
        opt.ask(1)


def test_borrowed_functions_take_none():
    with pytest.raises(ValueError, match="Acquisition 'qlogehvi' takes no `known`"):
        moo.optimizer(ToyVector(), "bayesian", options={**QUICK, "known": "1@prices:second", "acquisition": "qlogehvi"})
