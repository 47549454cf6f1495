"""Parallel coordinates: the drawing by its artists."""

import numpy as np
import pytest

from moo.benchmarks.perf.plots import made, sphere
from moo.plots import draw_parallel, front_data, paper_style, plot_front, plot_parallel
from moo.plots.parallel import OPAQUE_LINES, REFERENCE_LINES
from moo.plots.style import COLUMN, PAGE, new_figure


def result(objectives, directions=None):
    return made(np.asarray(objectives, dtype=float), directions=directions)


def random_front(n, m, seed=0):
    return sphere(n, m, seed)


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_parallel_axes_span_the_front_with_better_up():
    objectives = [[0.0, 1.0, 10.0, 5.0], [1.0, 3.0, 30.0, 5.0], [0.5, 2.0, 20.0, 5.0]]
    (axes,) = plot_front(result(objectives, directions=["min", "max", "min", "max"])).axes
    lines = next(c for c in axes.collections if c.get_label() == "nsga2")
    heights = np.stack([path.vertices[:, 1] for path in lines.get_paths()])
    np.testing.assert_allclose(heights, [[1, 0, 1, 0.5], [0, 1, 0, 0.5], [0.5, 0.5, 0.5, 0.5]])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["f1 (min)", "f2 (max)", "f3 (min)", "f4 (max)"]
    ends = [text.get_text() for text in axes.texts]
    assert ends == ["1", "0", "1", "3", "30", "10", "", "5"]  # worst below, best above; one where all are equal
    assert "better" in axes.get_ylabel()
    assert lines.get_alpha() == pytest.approx(0.7)


def test_many_parallel_lines_are_shaded():
    def alpha(n):
        (axes,) = plot_front(result(random_front(n, 4))).axes
        return axes.collections[-1].get_alpha()

    assert alpha(OPAQUE_LINES) > alpha(OPAQUE_LINES + 1) > alpha(3 * OPAQUE_LINES) >= 0.04


def test_parallel_reference_lines_are_thinned_and_widen_the_axes():
    objectives = random_front(5, 4)
    figure = plot_front(result(objectives), reference_front=3 * random_front(1500, 4))
    (axes,) = figure.axes
    reference, lines = axes.collections[-2:]
    assert 100 <= len(reference.get_paths()) <= REFERENCE_LINES
    assert len(lines.get_paths()) == 5
    assert legend_of(figure) == ["nsga2", "reference front"]
    assert axes.texts[0].get_text() != f"{objectives[:, 0].max():.2f}"


def test_more_than_six_objectives_take_the_page():
    assert plot_front(result(random_front(5, 6))).get_figwidth() == COLUMN
    assert plot_front(result(random_front(5, 7))).get_figwidth() == PAGE
    assert plot_front(result(random_front(5, 7)), width=5).get_figwidth() == 5


@pytest.mark.parametrize("m", [2, 3])
def test_parallel_axes_can_be_asked_for(m):
    (axes,) = plot_front(result(random_front(5, m)), view="parallel").axes
    assert len(axes.get_xticks()) == m


def test_a_plot_of_parallel_axes_is_the_parallel_view_of_a_front(tmp_path):
    found = result(random_front(9, 4))
    plot_parallel(found, tmp_path / "a.svg")
    plot_front(found, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_it_draws_on_axes_of_ones_own():
    with paper_style():
        axes = new_figure(4.0, 0.6).add_subplot()
        draw_parallel(axes, front_data(result(random_front(5, 3))))
    assert len(axes.collections[-1].get_paths()) == 5
