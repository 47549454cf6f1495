"""The measurement of tuning against random search: that both are judged alike, at a small size."""

import json

import pytest

import moo
from moo.benchmarks.claims import CLAIMS
from moo.benchmarks.perf import hyperparameter_tuning as measured
from moo.benchmarks.suites import parse_method
from moo.registry import resolve

SMALL = measured.Task("hypergrid:height=4", "mogfn:batches=2,hidden=8,layers=1", 90)


def test_repetitions_share_no_seed():
    every = [seed for number in range(1000, 1005) for seeds in measured.seeds_for(number) for seed in seeds]
    assert len(set(every)) == len(every) == 5 * (measured.SEARCHED + measured.FRESH)


def test_both_are_judged_by_searches_anyone_can_repeat(tmp_path, monkeypatch):
    monkeypatch.setitem(measured.TASKS, "small", SMALL)
    run = measured.both("small", 3, shares=9)
    assert (run["tuned"]["spent"], run["random"]["spent"]) == (pytest.approx(3), 9)
    for who in ("tuned", "random"):
        name, options = parse_method(run[who]["method"])
        for seeds, key, middle in zip(
            measured.seeds_for(3), ("searched", "fresh"), (lambda v: sum(v) / len(v), _median), strict=True
        ):
            runs = [
                moo.pareto_search(SMALL.problem, name, budget=90, seed=seed, options=options, progress=False)
                for seed in seeds
            ]
            assert run[who][key] == pytest.approx(middle([found.hypervolume for found in runs]))


def test_random_search_takes_the_best_of_what_it_drew(tmp_path, monkeypatch):
    drawn = []

    class Engine:
        def __init__(self, out):
            pass

        def run(self, cells, measures):
            drawn.extend(cell for cell in cells if cell not in drawn)
            return [([parse_method(cell.method)[1]["epsilon"] + cell.seed], "") for cell in cells]

    monkeypatch.setattr(measured, "Engine", Engine)
    found = measured.drawn(SMALL, 1, tmp_path, trials=9)
    methods = {cell.method: parse_method(cell.method)[1]["epsilon"] for cell in drawn}
    assert len(methods) == 9
    assert len(drawn) == 9 * measured.SEARCHED + measured.FRESH
    assert methods[found["method"]] == max(methods.values())
    assert found["searched"] == pytest.approx(max(methods.values()) + 100.5)
    assert found["fresh"] == pytest.approx(max(methods.values()) + 154.5)


def _median(values):
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


@pytest.mark.parametrize(("ours", "met"), [(0.9, True), (1.0, True), (0.5, False)])
def test_the_verdict_is_about_fresh_seeds(monkeypatch, ours, met):
    def repeated(name, seeds, shares):
        assert shares == 1
        one = {"fresh": ours, "searched": 0.0, "defaults": 0.1}
        return [{"seed": seed, "tuned": one, "random": {"fresh": 0.9, "searched": 1.0}} for seed in seeds]

    monkeypatch.setattr(measured, "repeated", repeated)
    found = measured.hyperparameters(quick=False)
    assert (found.met, found.seeds) == (met, [1000, 1001, 1002, 1003, 1004])
    assert ("%" in found.shortfall) is not met
    json.dumps(found.details)


def test_the_claim_points_here():
    (claim,) = (claim for claim in CLAIMS["bayes"] if claim.what == "Tuning hyperparameters")
    assert resolve({"it": claim.measure}, "it", "measure") is measured.hyperparameters
