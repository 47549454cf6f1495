"""The benchmark of the weight rules measures what it says, on few cases and made-up rules."""

import pytest
import torch

from moo.benchmarks.claims import CLAIMS
from moo.benchmarks.perf import gradients
from moo.problems import get_problem
from moo.registry import resolve


def test_every_claim_of_the_group_is_measured_by_this_module():
    measured = [resolve({"it": claim.measure}, "it", "claim") for claim in CLAIMS["alignment"]]
    assert set(measured) >= set(gradients.CASES)


@pytest.mark.parametrize("name", ["pama_exact", "influence_exact", "factor_exact"])
def test_exactness_is_met_and_a_wrong_rule_is_not(name, monkeypatch):
    found = getattr(gradients, name)(quick=True)
    assert found.met
    assert found.details
    for rule in ("pama", "influence_weights", "hypervolume_factor"):
        original = getattr(gradients, rule)
        monkeypatch.setattr(gradients, rule, lambda *given, original=original, **said: original(*given, **said) + 1e-9)
    wrong = getattr(gradients, name)(quick=True)
    assert wrong.met is False
    assert "at most" in wrong.shortfall


def test_a_gap_bounds_what_is_lost():
    gram = torch.tensor([[2.0, 0.0], [0.0, 1.0]]).double()
    assert gradients._gap(gram, torch.tensor([1.0, 2.0]).double() / 3) == pytest.approx(0, abs=1e-15)
    even = torch.tensor([0.5, 0.5]).double()
    lost = 1 - (2 / 3) / 0.75
    assert gradients._gap(gram, even) >= lost


def quickly(monkeypatch):
    monkeypatch.setattr(gradients, "cpu_ms", lambda run: (run(), 0.01)[1])


def test_cost_is_met_by_what_is_cheap_alone(monkeypatch):
    quickly(monkeypatch)
    assert gradients.pama_cost(quick=True).met
    monkeypatch.setattr(gradients, "cpu_ms", lambda run: (run(), 1.0)[1])
    dear = gradients.pama_cost(quick=True)
    assert dear.met is False
    assert "one vector, ms 1 (at most 0.02)" in dear.shortfall
    assert "apart by" not in dear.shortfall


def test_the_shortest_combination_needs_the_peer_and_three_times_its_speed(monkeypatch):
    quickly(monkeypatch)
    monkeypatch.setattr(gradients, "optional", lambda name: None)
    absent = gradients.shortest(quick=True)
    assert absent.met is None
    assert absent.shortfall == "torchjd is not installed"

    class Peer:
        MGDAWeighting = staticmethod(lambda: lambda gram: torch.full((len(gram),), 1 / len(gram)).double())

    monkeypatch.setattr(gradients, "optional", lambda name: Peer)
    slow = gradients.shortest(quick=True)
    assert slow.met is False
    assert "2 gradients: 1.00x (at least 3)" in slow.shortfall
    assert "gap" not in slow.shortfall
    assert slow.details["cases"][2]["peer_gap"] > 0.01


def test_the_dense_front_is_the_problems():
    front = get_problem("fonseca-fleming").oracle.front
    assert torch.cdist(front, gradients.curve()).amin(dim=1).max() < 3e-5


def test_figures_of_a_descent_are_those_of_its_last_points(monkeypatch):
    class Ended:
        losses = gradients.curve(23)[1:-1:2]
        path = losses[None]

    monkeypatch.setattr(gradients, "descend", lambda *given, **said: Ended)
    found = gradients.final("linear", 0)
    assert found["inside"] == 9  # the outermost are .015 from the ends
    assert found["rank correlation"] == pytest.approx(1)
    assert found["hypervolume"] == found["archive hypervolume"]
    assert 0.8 < found["hypervolume"] < 0.89
    assert found["distance"] < 3e-5


FINE = {"inside": 10.0, "distance": 0.0, "hypervolume": 0.87, "archive hypervolume": 0.9, "seconds": 1.0}


def test_the_front_is_met_only_where_each_rule_does_what_it_should(monkeypatch):
    figures = {run: {**FINE, "rank correlation": 1.0} for run in gradients.RUNS}
    for run in gradients.STAY:
        figures[run]["inside"] = 0.0
    figures["PAMA-G without levels"]["rank correlation"] = 0.1
    figures["hypervolume gradient"]["rank correlation"] = 0.0
    monkeypatch.setattr(gradients, "final", lambda run, seed: figures[run])
    assert gradients.concave_front(quick=True).met
    for run, key, value, words in [
        ("EPO", "inside", 9.0, "EPO: 9 of 11 inside"),
        ("EPO", "hypervolume", 0.85, "hypervolume 0.850"),
        ("PAMA by preference", "rank correlation", 0.9, "correlation 0.90"),
        ("hypervolume gradient", "seconds", 6.0, "6.0 s"),
        ("linear", "inside", 1.0, "linear ends inside"),
        ("DRW by influence", "inside", 1.0, "DRW by influence ends inside"),
        ("PAMA-G without levels", "rank correlation", 0.95, "follows its preferences"),
    ]:
        with monkeypatch.context() as changed:
            changed.setitem(figures[run], key, value)
            found = gradients.concave_front(quick=True)
        assert found.met is False
        assert words in found.shortfall


def test_a_short_descent_is_measured():
    found = gradients.final("PAMA by preference", 1000, steps=400)
    assert found["inside"] >= 9
    assert found == {**gradients.final("PAMA by preference", 1000, steps=400), "seconds": found["seconds"]}
