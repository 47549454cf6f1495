"""Run lengths against a literal loop, the drawing by its artists."""

import numpy as np
import pytest

from moo.benchmarks.perf.plots import curve, made, sphere
from moo.plots import draw_ecdf, ecdf_data, plot_ecdf
from moo.plots.run_lengths import TARGETS

NAN = float("nan")


def run(method, seed, problem="p", history=None):
    return made(sphere(3, 2, seed), method, seed, problem=problem, history=history or curve(seed, 5.0 + seed, 12))


RUNS = [
    run(method, 10 * len(problem) + i + 3 * (method == "b"), problem)
    for method in "ab"
    for problem in ("p", "qq")
    for i in range(3)
]


@pytest.mark.parametrize("best", [None, {"p": 0.95}])
def test_shares_are_those_of_a_literal_count(best):
    targets = (0.5, 0.2, 0.03)
    data = ecdf_data(RUNS, best, targets)
    assert (data.unit, data.problems, data.targets) == ("evaluations", ("p", "qq"), targets)
    for line in data.lines:
        mine = [one for one in RUNS if one.config["method"] == line.label]
        for used, share in zip(line.used, line.share, strict=True):
            reached = total = 0
            for one in mine:
                problem = one.config["problem"]
                top = max(r.history["hypervolume"].max() for r in RUNS if r.config["problem"] == problem)
                top = max(top, (best or {}).get(problem, 0.0))
                for target in targets:
                    total += 1
                    seen = [h for u, h in one.history[["used", "hypervolume"]].to_numpy() if u <= used]
                    reached += any(h >= top * (1 - target) for h in seen)
            assert share == pytest.approx(reached / total)
        assert line.used[-1] == 600
        assert len(line.lengths) == 6 * 3


def test_steps_without_a_hypervolume_reach_nothing():
    data = ecdf_data(run("a", 0, history=[(10, NAN), (20, 0.5), (30, NAN), (40, 1.0)]), targets=(0.5, 0.1))
    assert data.lines[0].lengths.tolist() == [20, 40]


def test_targets_are_spread_by_logarithm():
    assert len(TARGETS) == 51
    assert TARGETS[0] == pytest.approx(0.5)
    assert TARGETS[-1] == pytest.approx(1e-3)
    assert np.ptp(np.diff(np.log(TARGETS))) < 1e-9


@pytest.mark.parametrize("targets", [(), (0.0,), (1.0, 0.5), (float("nan"),)])
def test_targets_that_are_no_shares_are_refused(targets):
    with pytest.raises(ValueError, match="`targets` should be shares above 0 and below 1"):
        plot_ecdf(RUNS, targets=targets)


def test_methods_have_to_be_run_on_the_same_problems():
    with pytest.raises(ValueError, match=r"same problems\. Found no run of 'b' on qq: run it there"):
        plot_ecdf([one for one in RUNS if (one.config["method"], one.config["problem"]) != ("b", "qq")])


def test_a_problem_without_a_hypervolume_is_refused():
    with pytest.raises(ValueError, match=r"a hypervolume above 0\. Found none on p:"):
        plot_ecdf(run("a", 0, history=[(10, 0.0), (20, NAN)]))


def test_units_and_reference_points_have_to_agree():
    other = run("b", 1)
    other.config["unit"] = "transitions"
    with pytest.raises(ValueError, match=r"same unit\. Found evaluations, transitions"):
        plot_ecdf([RUNS[0], other])
    other = run("b", 1)
    other.record["reference_point"] = [2.0, 2.0]
    with pytest.raises(ValueError, match="Results in one run-length plot should have the same reference point"):
        plot_ecdf([RUNS[0], other])


def test_curves_rise_to_the_end_of_the_longest_run():
    figure = plot_ecdf(RUNS)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert axes.get_ylim() == (0, 1)
    assert axes.get_xlim()[1] == 600
    for line, data in zip(axes.lines, ecdf_data(RUNS).lines, strict=True):
        assert line.get_drawstyle() == "steps-post"
        assert line.get_ydata()[-1] == data.share[-1]


def test_it_draws_on_axes_of_ones_own():
    from matplotlib.figure import Figure

    assert [line.get_label() for line in draw_ecdf(Figure().add_subplot(), ecdf_data(RUNS))] == ["a", "b"]
