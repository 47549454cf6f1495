"""The benchmark of texts counts dominance as it says, and a short run gives figures of both ends."""

import pytest
from offline_bed import need_bed

from moo.benchmarks.perf import text_alignment
from moo.benchmarks.perf.text_alignment import dominance, dominates, gained, interval


def test_dominance_is_no_worse_anywhere_and_better_somewhere():
    assert dominates([1, 2], [1, 1])
    assert not dominates([1, 1], [1, 1])
    assert not dominates([2, 1], [1, 2])


def test_what_is_gained_is_the_rectangle_above_the_start():
    assert gained({"start": [0.5, 0.2], "end": [0.7, 0.5]}) == pytest.approx(0.06)
    assert gained({"start": [0.5, 0.2], "end": [0.7, 0.1]}) == 0


def test_intervals_of_shares_are_exact():
    assert interval(0, 8) == "(0% to 37%)"  # 1 - .025^(1/8)
    assert interval(8, 8) == "(63% to 100%)"
    assert interval(4, 8) == "(16% to 84%)"


def a_run(name, seed, options, updates):
    """A made-up run: on seed 1001 equal weights dominate, on 1000 PAMA does, else neither."""
    ends = {("pama", 1000): [0.6, 0.9], ("pama", 1001): [0.5, 0.8], ("equal weights", 1001): [0.6, 0.9]}
    end = ends.get((name, seed), [0.55, 0.85] if name == "equal weights" else [0.5, 0.9])
    return {"start": [0.4, 0.7], "end": end, "end_error": [0.01, 0.02]}


def test_wins_ties_and_losses_are_counted_seed_by_seed(monkeypatch):
    monkeypatch.setattr(text_alignment, "trained", a_run)
    monkeypatch.setattr(text_alignment, "cpu_count", lambda: 1)
    found = dominance(quick=False)
    assert found.seeds == list(range(1000, 1008))
    assert found.median.startswith(
        "dominates the start in 8 of 8; against equal weights win 1 (0% to 53%), tie 6 (35% "
    )
    assert not found.met
    assert found.shortfall == "dominated by equal weights in 1 of 8"
    assert dominance(quick=True).seeds == [1000, 1001]


def test_a_short_run_has_figures_of_both_ends(monkeypatch):
    need_bed()
    monkeypatch.setattr(text_alignment, "EVALUATED", 128)
    run = text_alignment.trained("pama", 0, {"copies": 16, "learning_rate": 1e-3}, updates=1)
    for end in ("start", "end"):
        assert all(0 < value < 1 for value in run[end])
        assert all(0 < error < 0.05 for error in run[f"{end}_error"])
    assert run["start"] != run["end"]
    again = text_alignment.trained("equal weights", 0, {"copies": 16, "learning_rate": 1e-3}, updates=1)
    assert again["start"] == run["start"]
