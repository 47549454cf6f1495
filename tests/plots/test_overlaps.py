"""Texts that cover each other: by hand, and none in any kind of plot in any style."""

import matplotlib
import numpy as np
import pytest

from moo.benchmarks.perf.plots import STARTS, draw, examples, faults
from moo.plots import PLOTS, STYLES, paper_style, text_faults
from moo.plots.overlaps import overlap, text_boxes
from moo.plots.style import new_figure

EXAMPLES = examples()
FIRST = {kind: next(name for name, example in EXAMPLES.items() if example.kind == kind) for kind in PLOTS}


def square(x, y, angle=0.0, width=2.0, height=2.0):
    """The corners of a box around (x, y)."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return corners @ turn + [x, y]


def with_texts(*texts, **style):
    """A figure with texts at places of it."""
    with paper_style():
        figure = new_figure(4.0, 0.5)
        for x, y, text in texts:
            figure.text(x, y, text, ha="center", va="center", **style)
    return figure


# --------------------------------------------------------------------------------------------------- boxes
@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        (square(0, 0), square(3, 0), -1.0),
        (square(0, 0), square(1.5, 1), 0.5),
        (square(0, 0), square(0, 0), 2.0),
        (square(0, 0), square(1.9, 1.9, np.pi / 4), np.sqrt(2) + 1 - 1.9 * np.sqrt(2)),
        (square(0, 0, 0.5, 8, 1), square(0.6, 2.0, 0.5, 8, 1), None),
    ],
    ids=["apart", "corner", "same", "turned", "slanted side by side"],
)
def test_boxes_overlap_by_the_least_way_out(first, second, apart):
    found = overlap(first, second)
    assert overlap(second, first) == pytest.approx(found)
    assert found < 0 if apart is None else found == pytest.approx(apart)


def test_boxes_overlap_exactly_where_a_point_lies_in_both():
    stream = np.random.default_rng(0)
    steps = np.stack(np.meshgrid(*[np.linspace(-0.999, 0.999, 60)] * 2), axis=-1).reshape(-1, 2)
    for _ in range(60):
        x, y, a, b = *stream.uniform(-2.5, 2.5, 2), *stream.uniform(0, 3, 2)
        first, second = square(0, 0, a, 3, 1), square(x, y, b, 3, 1)
        inside = first.mean(axis=0) + steps @ np.stack([first[1] - first[0], first[3] - first[0]]) / 2
        edges = np.stack([second[1] - second[0], second[3] - second[0]])
        coordinates = (inside - second[0]) @ edges.T / (edges**2).sum(axis=1)
        both = ((coordinates >= 0) & (coordinates <= 1)).all(axis=1).any()
        found = overlap(first, second)
        if abs(found) > 0.1:
            assert both == (found > 0)


# --------------------------------------------------------------------------------------------------- figures
def test_texts_that_cover_each_other_are_found():
    assert text_faults(with_texts((0.5, 0.5, "first"), (0.52, 0.52, "second"))) == ["'first' overlaps 'second'"]
    assert text_faults(with_texts((0.3, 0.5, "first"), (0.7, 0.5, "second"))) == []


def test_a_text_that_is_cut_off_is_found():
    assert text_faults(with_texts((0.99, 0.5, "at the edge"))) == ["'at the edge' leaves the figure"]


def test_slanted_texts_side_by_side_do_not_overlap():
    texts = [(0.3 + 0.08 * i, 0.5, "a long slanted name") for i in range(4)]
    assert text_faults(with_texts(*texts, rotation=30)) == []
    assert len(text_faults(with_texts(*texts))) > 0


def test_texts_that_are_not_drawn_are_left_out():
    figure = with_texts((0.5, 0.5, "first"), (0.5, 0.5, ""))
    figure.text(0.5, 0.5, "hidden", visible=False)
    assert [box.text for box in text_boxes(figure)] == ["first"]
    with paper_style():
        axes = new_figure(4.0, 0.5).add_subplot()
        axes.set_xticks([0, 0.5, 2], ["a", "b", "beyond"])
        axes.set_xlim(0, 1)
    assert {"a", "b"} <= {box.text for box in text_boxes(axes.figure)}
    assert "beyond" not in {box.text for box in text_boxes(axes.figure)}


def test_looking_at_the_texts_does_not_move_the_axes():
    figure = draw(EXAMPLES["front"], "icml")
    before = figure.axes[0].get_position().bounds
    text_faults(figure)
    assert figure.axes[0].get_position().bounds == before


# --------------------------------------------------------------------------------------------------- every kind
def test_there_is_an_example_of_every_kind():
    assert set(FIRST) == set(PLOTS)


@pytest.mark.parametrize(("number", "name"), list(enumerate(EXAMPLES)), ids=list(EXAMPLES))
def test_no_texts_of_an_example_overlap(number, name):
    style = list(STYLES)[number % len(STYLES)]  # all styles of all examples: benchmarks/perf/plots.py
    assert text_faults(draw(EXAMPLES[name], style)) == []


@pytest.mark.parametrize("kind", PLOTS)
def test_a_kind_gives_the_same_bytes_with_fonts_of_type_42(tmp_path, kind):
    paths = [tmp_path / f"{i}.pdf" for i in range(2)]
    for path in paths:
        draw(EXAMPLES[FIRST[kind]], "icml", path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert b"/Type3" not in first
    assert b"/FontFile2" in first


def test_faults_of_files_are_found(tmp_path, monkeypatch):
    assert list(faults(EXAMPLES["critical-difference"], "icml", tmp_path)) == []
    monkeypatch.setitem(STARTS, ".svg", b"something else")
    monkeypatch.setattr("moo.plots.saving.paper_style", type3)
    assert list(faults(EXAMPLES["critical-difference"], "icml", tmp_path)) == [
        "a font is not embedded as type 42",
        ".svg does not open",
    ]


def type3(style):
    """A style that embeds fonts as type 3."""
    from moo.plots.style import _parameters, find_style

    return matplotlib.rc_context({**_parameters(find_style(style)), "pdf.fonttype": 3})


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_no_example_has_a_fault_in_any_style(tmp_path, name, style):
    assert list(faults(EXAMPLES[name], style, tmp_path)) == []
