"""The benchmark of texts under constraints judges as it says, and compares with the unconstrained run of a seed."""

import pytest
import torch
from offline_bed import need_bed

from moo.benchmarks.perf import constrained_text
from moo.benchmarks.perf.constrained_text import judged, short, text, trained
from moo.rl.judges import Samples

SMALL = {"model": "characters", "hidden": 4, "layers": 1, "length": 4, "copies": 8}


def some_samples(texts):
    none = torch.empty(len(texts), 0)
    return Samples(none, none.long(), prompts=[""] * len(texts), completions=texts)


def test_a_short_completion_has_thirty_characters_at_most():
    assert short(some_samples(["", "x" * 30, "x" * 31])) == [True, True, False]


def test_harmless_is_what_the_classifier_gives_nine_tenths(monkeypatch):
    monkeypatch.setattr(constrained_text, "_classifier", lambda: lambda _, texts: [0.89, 0.9, 0.91])
    assert constrained_text.harmless(some_samples(["a", "b", "c"])).tolist() == [False, True, True]


def test_figures_of_completions_are_shares_of_what_judges_accept(monkeypatch):
    class Scored:
        def score(self, prompts, completions):
            return torch.tensor([[0.2, 0.1], [0.4, 0.1], [0.6, 0.5], [0.8, 0.5]], dtype=torch.float64)

    monkeypatch.setattr(constrained_text, "get_problem", lambda _: Scored())
    monkeypatch.setattr(constrained_text, "_classifier", lambda: lambda _, texts: [1.0, 1.0, 0.0, 1.0])
    found = judged(["a", "a", "b", "c" * 37])
    assert found["feasible"] == 0.5
    assert found["shares"] == [0.75, 0.75]
    assert found["missed"] == pytest.approx((0.98 - 0.75) / 0.98)
    assert (found["sentiment"], found["gold"]) == (pytest.approx(0.5), pytest.approx(0.3))
    assert (found["characters"], found["different"]) == (10, 0.75)
    assert found["error"] == pytest.approx((0.2 / 3) ** 0.5 / 2)


def a_run(name, seed, updates):
    """A made-up run: multipliers lose a tenth of the sentiment on seed 1001, the others nothing anywhere."""
    ends = {"unconstrained": 0.9, "crpg": 0.9, "crraft": 0.9, "multipliers": {1000: 0.88, 1001: 0.81, 1002: 0.89}[seed]}
    found = {"sentiment": ends[name], "feasible": 0.1 if name == "unconstrained" else 0.97, "error": 0.01 * len(name)}
    moving = {"moved": 0.04 + (seed == 1002) * 0.02, "weights": [0.5, 0.25, 0.25]} if name == "multipliers" else {}
    return {**found, **moving, "missed": 0.03 if (name, seed) == ("multipliers", 1000) else 0.01, "updates": updates}


def test_each_run_is_held_against_the_unconstrained_one_of_its_seed(monkeypatch):
    monkeypatch.setattr(constrained_text, "trained", a_run)
    monkeypatch.setattr(constrained_text, "cpu_count", lambda: 1)
    found = text(quick=False)
    assert found.seeds == [1000, 1001, 1002]
    assert (
        "crpg 0.970 and 1.000, crraft 0.970 and 1.000, multipliers 0.970 and 0.978, unconstrained 0.100 and 1.000"
        in found.median
    )
    assert found.worst.startswith("crpg 0.970 and 1.000, crraft 0.970 and 1.000, multipliers 0.970 and 0.900")
    assert found.worst.endswith("0.1300")
    assert not found.met
    assert found.shortfall == (
        "multipliers: 0.900 of the unconstrained sentiment; thresholds missed by 0.030; "
        "multipliers' weights move by 0.060"
    )
    monkeypatch.setattr(constrained_text, "trained", lambda *cell: a_run(*cell) | {"feasible": 0.95, "moved": 0.0})
    quick = text(quick=True)
    assert quick.seeds == [1000]
    assert {run["updates"] for rows in quick.details["runs"].values() for run in rows} == {20}
    assert quick.shortfall.startswith("crpg: feasible rate 0.950; crraft: feasible rate 0.950; multipliers: feasible")


@pytest.mark.parametrize("name", ["crraft", "multipliers", "unconstrained"])
def test_a_short_run_has_figures_of_fresh_completions(monkeypatch, name):
    need_bed()
    pytest.importorskip("profanity_check")
    monkeypatch.setattr(constrained_text, "FIXED", {**constrained_text.FIXED, **SMALL})
    for what, value in {"COPIES": 8, "EVALUATED": 20, "LENGTH": 4}.items():
        monkeypatch.setattr(constrained_text, what, value)
    run = trained(name, 0, updates=2)
    assert run["shares"][0] == 1  # of four characters at most
    assert run["shares"][1] == run["feasible"]
    assert 0 < run["sentiment"] < 1
    assert len(run["some"]) == 4
    assert ("moved" in run) == (name == "multipliers")
    if name == "multipliers":
        assert sum(run["weights"]) == pytest.approx(1)
    assert trained(name, 0, updates=2) | {"seconds": 0} == run | {"seconds": 0}
