"""Sweeps: what came for what was asked, rank correlations against scipy, medians against a loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from moo.base import Candidates
from moo.benchmarks.perf.plots import made, searches, sphere
from moo.plots import draw_sweep, plot_sweep, sweep_data
from moo.plots.sweeps import BINS, medians, rank_correlation
from moo.preferences import grid


def asked(m=2, n=60, directions=None):
    wanted = np.random.default_rng(0).dirichlet(np.ones(m), n)
    return made(sphere(n, m, 0), "mogfn", preferences=wanted, directions=directions), wanted


class Answering:
    """A conditional method whose solutions are the preferences themselves, rounded by its seed."""

    def sample(self, preferences, seed=0):
        return preferences + seed


def conditional():
    result = made(sphere(5, 2, 0))
    result.config.update(conditional=True, encoding=None)
    return replace(result, _build=Answering)


def test_rows_are_those_that_followed_a_preference_and_finals_go_first():
    result, wanted = asked()
    data = sweep_data(result)
    np.testing.assert_array_equal(data.preferences, wanted)
    np.testing.assert_array_equal(data.objectives, result.objectives)
    rows = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    finals = Candidates.of(torch.zeros(1, 1), 7 * rows, rows)
    assert sweep_data(replace(result, finals=finals)).objectives.tolist() == [[3.5, 3.5]]


def test_a_conditional_method_is_asked_for_an_even_grid():
    data = sweep_data(conditional(), lambda solutions: 1 - solutions, count=20)
    np.testing.assert_array_equal(data.preferences, grid(2, 20).numpy())
    np.testing.assert_array_equal(data.objectives, 1 - grid(2, 20).numpy())
    np.testing.assert_allclose(data.correlations, 1)
    shifted = sweep_data(conditional(), lambda solutions: 1 - solutions, seed=3)
    np.testing.assert_array_equal(shifted.objectives, -2 - grid(2, 100).numpy())


def test_failed_answers_are_left_out():
    def evaluate(solutions):
        return torch.where(solutions > 0.9, torch.nan, solutions)

    data = sweep_data(conditional(), evaluate, count=20)
    assert 0 < len(data.objectives) < len(grid(2, 20))
    assert np.isfinite(data.objectives).all()
    none = plot_sweep(conditional(), evaluate=lambda solutions: solutions * torch.nan)
    assert [text.get_text() for axes in none.axes for text in axes.texts] == ["nothing came"] * 2


@pytest.mark.parametrize("directions", [("min", "min", "max"), ("max", "max", "max")])
def test_correlations_are_spearmans_with_better_up(directions):
    result, wanted = asked(3, directions=directions)
    for i, word in enumerate(directions):
        sign = 1 if word == "max" else -1
        other = spearmanr(wanted[:, i], sign * result.objectives[:, i].numpy()).statistic
        assert sweep_data(result).correlations[i] == pytest.approx(other)


def test_correlations_share_ranks_of_ties_and_need_a_difference():
    first, second = np.array([1.0, 1.0, 2.0, 3.0]), np.array([4.0, 5.0, 5.0, 9.0])
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert np.isnan(rank_correlation(first, np.ones(4)))
    assert np.isnan(rank_correlation(first[:1], second[:1]))


def test_medians_are_those_of_each_bin():
    stream = np.random.default_rng(0)
    wanted, came = np.append(stream.uniform(0, 1, 50), [0.0, 1.0]), stream.normal(size=52)
    rows = []
    for b in range(BINS):
        inside = [i for i, w in enumerate(wanted) if b / BINS <= w < (b + 1) / BINS or (b == BINS - 1 and w == 1)]
        if inside:
            rows.append([np.mean([wanted[i] for i in inside]), np.median([came[i] for i in inside])])
    np.testing.assert_allclose(medians(wanted, came), rows)


@pytest.mark.parametrize(
    ("result", "options", "error", "message"),
    [
        (
            made(sphere(5, 2, 0)),
            {},
            ValueError,
            "needs rows that followed one. Found none: 'nsga2' takes no preferences",
        ),
        (asked(7)[0], {}, ValueError, "preference sweeps is for 2 to 6 objectives. Found 7"),
        (asked()[0], {"evaluate": torch.sin}, ValueError, "`evaluate` is for conditional methods.*'mogfn' is none"),
        (conditional(), {"evaluate": lambda x: x[:3]}, ValueError, r"`evaluate` should have shape \[100, 2\]"),
        (conditional(), {"evaluate": torch.sin, "count": 1}, ValueError, "`count` should be at least 2. Found 1"),
        (searches(2, 1, 1), {}, TypeError, "A sweep shows one SearchResult. Found list"),
    ],
)
def test_what_cannot_be_swept_is_refused(result, options, error, message):
    with pytest.raises(error, match=message):
        plot_sweep(result, **options)


def test_a_panel_per_objective_says_its_correlation():
    result, wanted = asked(3)
    figure = plot_sweep(result)
    data = sweep_data(result)
    assert len(figure.axes) == 3
    for i, axes in enumerate(figure.axes):
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), wanted[:, i])
        said = axes.get_title().removeprefix("rank correlation ").replace("\N{MINUS SIGN}", "-")
        assert float(said) == pytest.approx(data.correlations[i], abs=0.005)


def test_it_draws_on_axes_of_ones_own():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    draw_sweep(axes, sweep_data(asked()[0]), 1)
    assert axes.get_xlabel() == "preference for f2"
