"""The claim about Pareto set learning measures what it says, on made-up figures and one short search."""

import math

import pytest
import torch

from moo.benchmarks.claims import CLAIMS
from moo.benchmarks.perf import set_learning
from moo.benchmarks.perf.set_learning import FIGURE, PUBLISHED, front_volume, gaps, logarithm
from moo.benchmarks.suites import parse_method
from moo.generators.svh_psl import SVHPSL
from moo.indicators.volume import hypervolume
from moo.options import resolve_options
from moo.registry import resolve


def test_the_claim_names_this_function():
    (claim,) = [claim for claim in CLAIMS["bayes"] if claim.what == "Pareto set learning as published"]
    assert resolve({claim.what: claim.measure}, claim.what, "claim") is set_learning.set_learning


def test_the_published_setting_is_one_of_our_options():
    kind, options = parse_method(PUBLISHED)
    said = resolve_options(SVHPSL.options, options, kind)
    assert kind == "svh-psl"
    assert (said["steps"], said["optimism"], said["warm_start"], said["repulsion"]) == (1000, 0.1, False, 1e-3)
    assert set(said) - set(options) == {"batch", "initial_points", "selection", "noise"}
    assert (said["batch"], said["selection"]) == (set_learning.BATCH, "hypervolume")


def test_a_search_reports_the_gap_of_all_that_was_evaluated(monkeypatch):
    monkeypatch.setattr(set_learning, "ROUNDS", 2)
    asked, real = [], set_learning.get_problem

    class Watched:
        def __init__(self, problem):
            self.problem = problem

        def evaluate(self, rows):
            asked.append(self.problem.evaluate(rows))
            return asked[-1]

    monkeypatch.setattr(set_learning, "get_problem", lambda name: Watched(real(name)))
    found = gaps("zdt2", 3, "svh-psl:steps=2,candidates=10", 4)
    assert [len(part) for part in asked] == [20, 5, 5]
    for i, gap in enumerate(found["gaps"]):
        volume = hypervolume(torch.cat(asked[: i + 1]), (1.1, 1.1), directions="min", warn=False)
        assert gap == pytest.approx(math.log(front_volume("zdt2") - float(volume)))
    assert found["gap"] == found["gaps"][-1]
    assert found["seed"] == 4
    assert found["seconds"] > 0


def test_the_front_is_that_of_the_source():
    assert front_volume("zdt1") == pytest.approx(0.8714, abs=1e-4)


def test_nothing_lacking_is_cut_off():
    assert logarithm(math.exp(-7)) == pytest.approx(-7)
    assert logarithm(-0.1) == logarithm(0.0) == pytest.approx(math.log(1e-14))


@pytest.fixture
def made_up(monkeypatch):
    """Searches whose gaps lie so far above the figure. Answers with what was asked for."""

    def install(above):
        calls = []

        def searched(name, columns, seeds):
            calls.append((name, columns, seeds))
            gap = FIGURE[name] + above.get((name, columns), 0.0)
            return [{"seed": s, "gap": gap + 0.1 * (i - len(seeds) // 2), "seconds": 7.0} for i, s in enumerate(seeds)]

        monkeypatch.setattr(set_learning, "searched", searched)
        return calls

    return install


@pytest.mark.parametrize(
    ("above", "words"),
    [
        ({}, ""),
        ({("zdt1", 20): 0.49, ("zdt3", 20): -3.0}, ""),
        ({("zdt1", 20): 0.75, ("zdt2", 20): 2.5}, "zdt1: 0.25; zdt2: 2.00"),
        ({("zdt1", 30): 3.0}, ""),  # printed, not judged
    ],
)
def test_the_verdict(above, words, made_up):
    calls = made_up(above)
    found = set_learning.set_learning(quick=False)
    assert (found.met, found.shortfall) == (not words, words)
    assert found.seeds == list(range(1000, 1005))
    assert {(name, columns) for name, columns, _ in calls} == {(name, d) for name in FIGURE for d in (20, 30)}
    assert f"zdt2, 20 columns {FIGURE['zdt2'] + above.get(('zdt2', 20), 0):.2f} (figure -5.5; 7 CPU s" in found.median
    assert f"zdt1, 30 columns {FIGURE['zdt1'] + above.get(('zdt1', 30), 0) + 0.2:.2f}" in found.worst
    assert set(found.details["runs"]) == {f"{name} {columns}" for name, columns, _ in calls}


def test_quick_is_one_seed_of_one_problem(made_up):
    calls = made_up({})
    assert set_learning.set_learning(quick=True).seeds == [1000]
    assert calls == [("zdt1", 20, (1000,))]
