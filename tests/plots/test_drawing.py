"""Every kind of plot on axes of one's own."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from front_results import CONVEX, random_front, result
from matplotlib.figure import Figure

from moo.base import Candidates
from moo.plots import PLOTS, draw, draw_front, front, front_data
from moo.plots.drawing import DRAWINGS


def with_history(one, *values):
    history = pd.DataFrame({"used": [10, 20], "front_size": [1, 2], "hypervolume": values})
    record = {"reference_point": [2.0, 2.0], "used": 20, "wall_seconds": 1.0}
    return dataclasses.replace(one, history=history, record=record)


def conditional(one):
    """A result whose rows followed preferences."""
    wanted = torch.tensor(np.random.default_rng(0).dirichlet(np.ones(3), 5))
    rows = Candidates.of(torch.zeros(5, 1), torch.from_numpy(random_front(5, 3)), wanted)
    return dataclasses.replace(one, finals=rows, config={**one.config, "conditional": False})


def scores():
    rows = [
        {
            "problem": problem,
            "method": method,
            "seed": seed,
            "hypervolume": place + seed / 10,
            "wall_seconds": 1.0 + seed,
        }
        for problem in ("p1", "p2", "p3", "p4", "p5", "p6")
        for place, method in enumerate(("a", "b"))
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


TWO = [result(CONVEX, "a"), result(CONVEX[:2], "a", 1), result(CONVEX[1:], "b"), result(CONVEX, "b", 1)]
RUNS = [with_history(result(CONVEX, "a"), 0.1, 0.5), with_history(result(CONVEX, "b"), 0.2, 0.4)]
THREE = conditional(result(random_front(6, 3)))
EXAMPLES = {
    "front": TWO,
    "matrix": result(random_front(5, 4)),
    "parallel": result(random_front(5, 4)),
    "attainment": TWO,
    "eaf-difference": TWO,
    "convergence": RUNS,
    "regret": RUNS,
    "ecdf": RUNS,
    "box": scores(),
    "violin": scores(),
    "heatmap": scores(),
    "critical-difference": scores(),
    "runtime": scores(),
    "petal": THREE,
    "ternary": THREE,
    "sweep": THREE,
}
PARTS = {kind: drawing.part for kind, drawing in DRAWINGS.items() if drawing.part}


def pixels(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def axes_for(kind, figure):
    if kind == "matrix":
        return figure.subplots(3, 3, squeeze=False)
    return figure.add_subplot(projection="polar" if kind == "petal" else None)


def test_there_is_a_drawing_for_every_plot():
    assert list(DRAWINGS) == list(PLOTS) == list(EXAMPLES)


@pytest.mark.parametrize("kind", PLOTS)
def test_every_kind_is_drawn_on_given_axes(kind):
    figure = Figure(figsize=(3, 3), dpi=40)
    axes = axes_for(kind, figure)
    empty = pixels(figure)
    assert draw(kind, EXAMPLES[kind], ax=axes) is axes
    assert (pixels(figure) != empty).any()
    assert figure.get_size_inches().tolist() == [3, 3]
    assert not figure.legends


@pytest.mark.parametrize("kind", PLOTS)
def test_without_axes_there_is_a_new_figure(kind):
    axes = np.ravel(draw(kind, EXAMPLES[kind]))[0]
    assert isinstance(axes.figure, Figure)
    assert axes.has_data() or axes.texts


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_is_chosen_by_its_number(kind):
    drawn = []
    for part in (0, 1):
        figure = Figure(figsize=(3, 3), dpi=40)
        draw(kind, EXAMPLES[kind], axes_for(kind, figure), **{PARTS[kind]: part})
        drawn.append(pixels(figure))
    assert (drawn[0] != drawn[1]).any()
    with pytest.raises(ValueError, match=f"A plot of {kind} has no {PARTS[kind]} 99"):
        draw(kind, EXAMPLES[kind], **{PARTS[kind]: 99})
    with pytest.raises(ValueError, match=f"`{PARTS[kind]}` should be at least 0"):
        draw(kind, EXAMPLES[kind], **{PARTS[kind]: -1})


def test_a_violin_is_no_box():
    drawn = []
    for kind in ("box", "violin"):
        figure = Figure(figsize=(3, 3), dpi=40)
        draw(kind, scores(), figure.add_subplot())
        drawn.append(pixels(figure))
    assert (drawn[0] != drawn[1]).any()


def test_drawing_is_data_then_drawing():
    figures = [Figure(figsize=(3, 3), dpi=40) for _ in range(3)]
    axes = [figure.add_subplot() for figure in figures]
    reference = [[0.0, 0.5], [0.5, 0.0]]
    draw_front(axes[0], front_data(TWO, reference))
    draw("front", TWO, axes[1], reference_front=reference)
    front(TWO, ax=axes[2], reference_front=reference)
    assert (pixels(figures[0]) == pixels(figures[1])).all()
    assert (pixels(figures[0]) == pixels(figures[2])).all()


def test_three_objectives_need_axes_in_space():
    three = result(random_front(5, 3))
    assert draw("front", three).name == "3d"
    space = Figure().add_subplot(projection="3d")
    assert draw("front", three, space) is space
    with pytest.raises(ValueError, match=r'`ax` should be those of add_subplot\(projection="3d"\) axes'):
        draw("front", three, Figure().add_subplot())
    with pytest.raises(ValueError, match=r"`ax` should be plain axes for a plot of front of these results. Found 3d"):
        draw("front", result(CONVEX), space)
    with pytest.raises(ValueError, match=r"2 to 3 objectives. Found 4: draw 'parallel'"):
        draw("front", result(random_front(5, 4)))


def test_other_axes_than_needed_are_refused():
    with pytest.raises(ValueError, match=r"a grid of axes \[3, 3\].*Found \[2, 2\]"):
        draw("matrix", EXAMPLES["matrix"], Figure().subplots(2, 2))
    with pytest.raises(ValueError, match=r"at least 3 objectives. Found 2: draw 'front'"):
        draw("matrix", result(CONVEX))
    with pytest.raises(ValueError, match='projection="polar"'):
        draw("petal", THREE, Figure().add_subplot())
    with pytest.raises(ValueError, match=r"`ax` should be plain axes .* Found Figure"):
        draw("front", TWO, Figure())


def test_unknown_kinds_and_options_are_refused():
    with pytest.raises(ValueError, match=r"Unknown plot 'fronts'. Did you mean 'front'"):
        draw("fronts", TWO)
    with pytest.raises(ValueError, match=r"Unknown option 'agianst' of convergence. Did you mean 'against'"):
        draw("convergence", RUNS, agianst="used")
    with pytest.raises(TypeError, match="`scores` should be a table"):
        draw("box", TWO)


def test_a_result_draws_every_kind_that_one_result_can_feed(tmp_path):
    one = with_history(result(CONVEX), 0.1, 0.5)
    for kind in ("front", "parallel", "convergence", "regret", "ecdf"):
        assert one.plot(tmp_path / f"{kind}.svg", kind=kind).axes
        assert (tmp_path / f"{kind}.svg").exists()
    for kind in ("matrix", "petal", "ternary", "sweep"):
        assert THREE.plot(kind=kind).axes
    assert one.plot(kind="convergence", against="seconds").axes[0].get_xlabel().startswith("seconds")
    with pytest.raises(ValueError, match="Unknown plot 'fronts'"):
        one.plot(kind="fronts")
    with pytest.raises(TypeError, match="`scores` should be a table"):
        one.plot(kind="box")
    with pytest.raises(ValueError, match="at least two"):
        one.plot(kind="attainment")
