"""Texts of a figure that cover each other or are cut off at its edges, found by drawing it."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from moo.plots.saving import unmoved

Array = NDArray[np.float64]

SLACK = 1.0  # points by which two boxes may overlap: a box holds the room of letters that hang below the line


class Box(NamedTuple):
    """A text that was drawn, and the corners `[4, 2]` of the box around it in pixels, in the order of its outline."""

    text: str
    corners: Array


class _Listening(RendererAgg):  # type: ignore[misc]  # matplotlib has no types here
    """A renderer that notes which texts it is told to draw: ticks beyond the limits are there, but are never drawn."""

    def __init__(self, figure: Figure) -> None:
        super().__init__(*figure.bbox.size, figure.dpi)
        self.found: dict[int, Text] = {}

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False, mtext: Any = None
    ) -> None:
        if mtext is not None:
            self.found[id(mtext)] = mtext
        super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)


def text_boxes(figure: Figure) -> list[Box]:
    """All texts that the figure shows, with their boxes; slanted ones have slanted boxes."""
    with unmoved(figure):
        renderer = _Listening(figure)
        figure.draw(renderer)
        return [Box(text.get_text(), _corners(text, renderer)) for text in renderer.found.values()]


def _corners(text: Text, renderer: Any) -> Array:
    """The box around a text; an annotation's own would hold its arrow."""
    angle = text.get_rotation()
    around = Text.get_window_extent(text, renderer)
    width, height = around.width, around.height
    if angle % 90:
        text.set_rotation(0)
        level = Text.get_window_extent(text, renderer)
        text.set_rotation(angle)
        width, height = level.width, level.height
    else:
        angle = 0.0
    turn = np.array([[math.cos(math.radians(angle)), math.sin(math.radians(angle))]])
    turn = np.concatenate([turn, [[-turn[0, 1], turn[0, 0]]]])
    halves = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    return np.asarray([(around.x0 + around.x1) / 2, (around.y0 + around.y1) / 2] + halves @ turn, dtype=np.float64)


def text_faults(figure: Figure) -> list[str]:
    """What is wrong with a figure's texts: each pair that overlaps, and each that the edges cut off; none is best."""
    boxes = text_boxes(figure)
    slack = SLACK * figure.dpi / 72
    faults = [
        f"{first.text!r} overlaps {second.text!r}"
        for first, second in itertools.combinations(boxes, 2)
        if overlap(first.corners, second.corners) > slack
    ]
    low, high = -slack, np.asarray(figure.bbox.size) + slack
    return faults + [
        f"{box.text!r} leaves the figure" for box in boxes if (box.corners < low).any() or (box.corners > high).any()
    ]


def overlap(first: Array, second: Array) -> float:
    """How far two boxes `[4, 2]` reach into each other, in pixels; at most 0 where a line separates them.

    By the separating axis theorem: the least overlap of their shadows along the directions of their edges.
    """
    edges = np.concatenate([np.diff(box[:3], axis=0) for box in (first, second)])
    axes = edges / np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-12)
    shadows = [box @ axes.T for box in (first, second)]
    starts, ends = np.stack([s.min(axis=0) for s in shadows]), np.stack([s.max(axis=0) for s in shadows])
    return float((ends.min(axis=0) - starts.max(axis=0)).min())
