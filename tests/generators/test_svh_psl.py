"""Stein variational Pareto set learning as a search. Its update has oracles in tests/bayes/test_pareto_sets.py."""

import pytest
import torch
from inputs import ToyVector

from moo.bayes import set_search
from moo.bayes.pareto_sets import stein_descent
from moo.bayes.set_search import SEARCHING
from moo.generators.svh_psl import SVHPSL
from moo.metered import metered
from moo.options import resolve_options

SMALL = {"initial_points": 12, "batch": 3, "steps": 30, "step_preferences": 6, "candidates": 60}
WANTED = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]], dtype=torch.float64)


def told(rounds=1, *, initial=None, **options):
    """A method that has been told its first points and so many batches."""
    meter = metered(ToyVector(), 100, 0)
    said = resolve_options(SVHPSL.options, {**SMALL, **options}, "svh-psl")
    method = SVHPSL(meter, budget=100, seed=0, device="cpu", initial=initial, **said)
    for _ in range(1 + rounds):
        method.step(None)
    return method, meter


def test_it_proposes_rows_near_the_front():
    rows = told(rounds=2, steps=100)[0].ask(3).solutions
    # the front of the toy is the segment between (1, 0, 0) and (0, 1, 0)
    assert ((rows[:, 0] + rows[:, 1] - 1).abs() + rows[:, 2]).median() < 0.2


@pytest.mark.parametrize("options", [{"kernel": "global"}, {"repulsion": 10.0}, {"width": 30.0}])
def test_every_option_of_its_own_changes_the_set(options):
    plain, changed = (told(**given)[0] for given in ({}, options))
    assert not torch.equal(plain.sample(WANTED), changed.sample(WANTED))
    assert set(SVHPSL.options) == set(SEARCHING) | {"kernel", "repulsion", "width"}


def test_it_trains_by_the_stein_direction_of_its_options(monkeypatch):
    seen = []

    class Learner(set_search.SetLearner):
        def __init__(self, m, columns, descent, said, seed):
            seen.append(descent)
            super().__init__(m, columns, descent, said, seed)

    monkeypatch.setattr(set_search, "SetLearner", Learner)
    mine = told(kernel="global", repulsion=0.5, width=2.0)[0].sample(WANTED)
    monkeypatch.setattr("moo.generators.svh_psl.stein_descent", lambda *_: stein_descent("global", 0.5, 2.0))
    assert torch.equal(told()[0].sample(WANTED), mine)
    assert len(seen) == 2


def test_samples_follow_the_preference_and_neither_learn_nor_evaluate():
    method, meter = told(rounds=3, steps=150)
    used, state = meter.used, str(method.state_dict())
    rows = method.sample(WANTED)
    assert (meter.used, str(method.state_dict())) == (used, state)
    assert torch.equal(rows, method.sample(WANTED, seed=5))
    found = ToyVector().evaluate(rows)  # minimised
    assert (found[:, 0].diff() > 0).all()
    assert (found[:, 1].diff() < 0).all()
