"""Fronts: the data against hand-made results, the drawing by its artists."""

import numpy as np
import pytest
from front_results import CONVEX, random_front, result
from matplotlib.figure import Figure

from moo.plots import draw_front, front_data, paper_style, plot_front
from moo.plots.style import COLORS, COLUMN, FAINT, GREY, PAGE


def markers(axes):
    """The lines that are drawn as points."""
    return [line for line in axes.lines if line.get_linestyle() == "None"]


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


# --------------------------------------------------------------------------------------------------- two objectives
def test_a_scatter_shows_every_point_and_says_which_way_is_better():
    figure = plot_front(result(CONVEX, names=["cost", "mass"], directions=["min", "max"]))
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("cost (min)", "mass (max)")
    (points,) = markers(axes)
    np.testing.assert_array_equal(points.get_xydata(), CONVEX)
    assert figure.get_figwidth() == COLUMN
    assert not figure.legends
    for low, high in (axes.get_xlim(), axes.get_ylim()):
        assert -0.2 < low < 0
        assert 1 < high < 1.2


def test_the_staircase_ends_at_the_edges_of_the_axes():
    (axes,) = plot_front(result(CONVEX)).axes
    border = axes.lines[-1].get_xydata()
    assert border[0, 1] == axes.get_ylim()[1]
    assert border[-1, 0] == axes.get_xlim()[1]
    assert axes.lines[-1].get_zorder() < markers(axes)[0].get_zorder()


def test_methods_differ_in_look_and_seeds_share_one():
    runs = [result(CONVEX, "a", seed=0), result(CONVEX, "b"), result(CONVEX, "a", seed=1)]
    figure = plot_front(runs)
    points = markers(figure.axes[0])
    assert [line.get_color() for line in points] == [COLORS[0], COLORS[1], COLORS[0]]
    assert points[0].get_marker() != points[1].get_marker()
    assert legend_of(figure) == ["a", "b"]


def test_a_single_point_and_equal_values_can_be_drawn():
    for objectives in ([[3.0, 0.0]], [[0.0, 0.0]]):
        (axes,) = plot_front(result(objectives)).axes
        low, high = axes.get_xlim()
        assert low < objectives[0][0] < high


def test_many_points_are_drawn_smaller():
    sizes = [markers(plot_front(result(random_front(n, 2))).axes[0])[0].get_markersize() for n in (20, 200, 600)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


def test_few_reference_points_are_marks_beneath():
    figure = plot_front(result(CONVEX), reference_front=[[0.0, 0.0], [2.0, 2.0]])
    (axes,) = figure.axes
    reference = axes.lines[0]
    assert reference.get_color() == FAINT
    assert reference.get_linestyle() == "None"
    assert reference.get_zorder() < axes.lines[1].get_zorder()
    assert axes.get_xlim()[1] > 2
    assert legend_of(figure) == ["nsga2", "reference front"]


def test_few_reference_points_are_rings_wider_than_the_points_that_lie_in_them():
    figure = plot_front(result(CONVEX), reference_front=CONVEX)
    reference, found = figure.axes[0].lines[:2]
    assert (reference.get_marker(), reference.get_fillstyle()) == ("o", "none")
    assert reference.get_markersize() - reference.get_markeredgewidth() > found.get_markersize()
    assert figure.legends[0].legend_handles[-1].get_marker() == "o"
    many = plot_front(result(random_front(9, 3)), reference_front=random_front(60, 3, seed=1))
    assert many.axes[0].lines[0].get_marker() == "."
    assert many.axes[0].lines[0].get_markersize() < found.get_markersize()


def test_a_dense_reference_front_is_a_line_that_stops_at_gaps():
    x = np.concatenate([np.linspace(0, 0.2, 50), np.linspace(0.7, 1, 50)])
    front = np.stack([x, 1 - np.sqrt(x)], axis=1)
    dominated = np.array([[1.0, 1.0], [0.9, 0.9]])
    shuffled = np.random.default_rng(0).permutation(np.concatenate([front, front[:3], dominated]))
    (axes,) = plot_front(result(CONVEX), reference_front=shuffled).axes
    drawn = axes.lines[0].get_xydata()
    assert axes.lines[0].get_linestyle() == "-"
    assert np.flatnonzero(np.isnan(drawn[:, 0])).tolist() == [50]
    np.testing.assert_allclose(drawn[~np.isnan(drawn[:, 0])], front)


def test_a_steep_reference_front_is_not_torn_apart():
    x = np.linspace(0, 1, 100)
    (axes,) = plot_front(result(CONVEX), reference_front=np.stack([x, 1 - np.sqrt(x)], axis=1)).axes
    assert not np.isnan(axes.lines[0].get_xydata()).any()


def test_a_reference_front_of_one_point_many_times_can_be_drawn():
    (axes,) = plot_front(result(CONVEX), reference_front=np.zeros((40, 2))).axes
    assert axes.lines[0].get_xydata().tolist() == [[0, 0]]
    plot_front(result(CONVEX), reference_front=np.empty((0, 2)))


# --------------------------------------------------------------------------------------------------- three objectives
def test_three_objectives_are_three_projections():
    objectives = random_front(50, 3)
    figure = plot_front([result(objectives, "a"), result(objectives, "b")], reference_front=random_front(60, 3, seed=1))
    pairs = ((0, 1), (0, 2), (1, 2))
    assert len(figure.axes) == 3
    assert figure.get_figwidth() == PAGE
    assert legend_of(figure) == ["a", "b", "reference front"]
    for axes, pair in zip(figure.axes, pairs, strict=True):
        assert (axes.get_xlabel(), axes.get_ylabel()) == tuple(f"f{i + 1} (min)" for i in pair)
        np.testing.assert_array_equal(axes.lines[1].get_xydata(), objectives[:, pair])
        assert len(axes.lines) == 3  # no staircase: a projection of a front is none


def test_three_objectives_in_space():
    objectives = random_front(50, 3)
    figure = plot_front(result(objectives), view="3d", reference_front=objectives[:4])
    (axes,) = figure.axes
    assert axes.get_zlabel() == "f3 (min)"
    np.testing.assert_array_equal(np.stack(axes.lines[1].get_data_3d(), axis=1), objectives)


# --------------------------------------------------------------------------------------------------- nothing feasible
@pytest.mark.parametrize(
    ("m", "view"), [(2, "auto"), (3, "auto"), (3, "3d"), (4, "auto")], ids=["two", "projections", "3d", "parallel"]
)
def test_an_empty_front_is_a_figure_that_says_so(tmp_path, m, view):
    figure = plot_front(result(np.empty((0, m)), violating=[]), tmp_path / "a.pdf", view=view)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("nothing feasible") == 1
    assert not figure.legends
    least = plot_front(result(np.empty((0, m)), violating=random_front(5, m)), view=view)
    assert legend_of(least) == ["nsga2 (nothing feasible: least violating)"]


def test_the_least_violating_rows_are_grey_beside_a_front():
    figure = plot_front([result(np.empty((0, 2)), "a", violating=CONVEX), result(CONVEX, "b")])
    (axes,) = figure.axes
    assert [line.get_color() for line in markers(axes)] == [GREY, COLORS[1]]
    assert len(axes.lines) == 3  # one staircase: what is infeasible attains nothing
    assert legend_of(figure) == ["a (nothing feasible: least violating)", "b"]


# --------------------------------------------------------------------------------------------------- views, files
def test_an_unknown_view_is_refused():
    with pytest.raises(ValueError, match=r"Unknown view 'paralel'\. Did you mean 'parallel'"):
        plot_front(result(CONVEX), view="paralel")


@pytest.mark.parametrize(
    ("m", "view", "fitting"),
    [
        (2, "3d", "auto, scatter, parallel"),
        (3, "scatter", "auto, projections, 3d, p"),
        (4, "projections", "auto"),
    ],
)
def test_a_view_that_does_not_fit_is_refused(m, view, fitting):
    with pytest.raises(ValueError, match=rf"`view` '{view}' is for . objectives. Found {m}, which fit {fitting}"):
        plot_front(result(random_front(5, m)), view=view)


def test_a_wrong_width_is_refused():
    with pytest.raises(ValueError, match="`width` should be a positive number"):
        plot_front(result(CONVEX), width=-2)


@pytest.mark.parametrize("ending", ["pdf", "svg"])
@pytest.mark.parametrize("m", [2, 3, 5])
def test_the_same_data_give_the_same_bytes(tmp_path, ending, m):
    paths = [tmp_path / f"{i}.{ending}" for i in range(2)]
    for path in paths:
        plot_front(result(random_front(40, m)), path, reference_front=random_front(40, m, seed=1))
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert b"/Type3" not in first


def test_the_method_of_a_result_draws_the_same(tmp_path):
    result(CONVEX).plot(tmp_path / "a.svg", width=3.0)
    plot_front(result(CONVEX), tmp_path / "b.svg", width=3.0)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_dollars_in_names_do_not_break_a_figure(tmp_path):
    names = ["$a_b_c$", r"$E_\mathrm{gap}$", "price ($/kg)", "a_b^c"]
    plot_front(result(random_front(5, 4), names=names), tmp_path / "a.pdf")
    plot_front(result(random_front(5, 2), names=names[:2]), tmp_path / "b.pdf")


def test_it_draws_on_axes_of_ones_own():
    for m, projection in ((2, None), (3, "3d")):
        with paper_style():
            axes = Figure().add_subplot(projection=projection)
            draw_front(axes, front_data(result(random_front(7, m))))
        assert len(markers(axes)) == 1
        assert axes.get_xlabel() == "f1 (min)"
