"""Words and numbers in figures: names of objectives, numbers of ticks, legends, labels at the ends of lines."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from moo.plots.style import scaled

Array = NDArray[np.float64]

DIRECT_LABELS = 6  # up to so many lines bear their label at the end; more get a legend
LABEL_SHARE = 0.28  # of a figure's width that a label at a line's end may take
EDGE = 0.05  # share of the axes' width within which a line ends at the right
LINE_HEIGHT = 8.5  # points between two labels, for letters of 8 points


def literal(text: str) -> str:
    """The text as matplotlib should read it: mathematics between dollar signs is kept, other dollars are escaped."""
    if "$" in text:
        try:
            MathTextParser("path").parse(text)
        except ValueError:
            return text.replace("$", r"\$")
    return text


def text_width(text: str, points: float) -> float:
    """Width of a line of text in the style in force, both in points; the letters' size is given for those of 8."""
    font = FontProperties(size=scaled(points))
    width: float = text_to_path.get_text_width_height_descent(text, font, "$" in text)[0]
    return width


def with_direction(name: str, direction: str) -> str:
    """An objective's name as a label says it: with the direction in which it is better."""
    return f"{literal(name)} ({direction})"


def names_below(
    names: Sequence[str], directions: Sequence[str] | None, width: float
) -> tuple[list[str], dict[str, Any]]:
    """Names below evenly placed axes, broken into lines, or slanted where a word is too long for that.

    Args:
        names: Of objectives, or of anything.
        directions: Of the objectives, said with their names; None: there are none.
        width: That all of them share, in inches.

    Returns:
        The labels and how they are to be placed.
    """
    room = width * 72 / len(names) - scaled(4)
    whole = [f"{name} ({word})" for name, word in zip(names, directions or names, strict=True)]
    if directions is None:
        whole = list(names)
    labels = [wrapped(text, room) for text in whole]
    if any(text_width(line, 7) > room for label in labels for line in label):
        return [literal(text) for text in whole], {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    return ["\n".join(label) for label in labels], {"linespacing": 1.0}


def wrapped(text: str, room: float, points: float = 7) -> list[str]:
    """Text in lines of at most `room` points, broken outside of mathematics after blanks, colons and commas."""
    lines: list[str] = []
    for word in _words(text):
        longer = lines[-1] + word if lines else word
        if lines and text_width(literal(longer.strip()), points) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return [literal(line.strip()) for line in lines]


def _words(text: str) -> Iterator[str]:
    """Words of a text with what parts them; a half of what stands between dollar signs could not be read."""
    word = ""
    for part in re.split(r"(?<=[ :,])", text):
        word += part
        if word.count("$") % 2 == 0:
            yield word
            word = ""
    if word:
        yield word


def tick_number(value: float, gap: float) -> str:
    """A tick's number, in three digits of the `gap` between the two ends of its axis (0: of the number itself)."""
    decimals = 2 - math.floor(math.log10(gap or abs(value) or 1))
    rounded = round(value, decimals) + 0.0  # never -0
    if abs(rounded) < 1e5 and decimals <= 5:
        text = f"{rounded:.{max(decimals, 0)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return text.replace("-", "\N{MINUS SIGN}")
    if not rounded:
        return "0"
    digits = max(decimals + math.floor(math.log10(abs(rounded))), 0)
    mantissa, _, exponent = f"{rounded:.{digits}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return rf"${mantissa}\times10^{{{int(exponent)}}}$"


def shared_legend(figure: Figure, handles: Sequence[Any]) -> None:
    """One legend above all axes, in as many columns as fit the figure's width."""
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles=handles, loc="outside upper center", ncols=columns)
        if columns == 1 or legend.get_window_extent().width <= 0.98 * figure.bbox.width:
            return
        legend.remove()


def say(axes: Axes, text: str) -> None:
    """Say in the middle of empty axes why they are empty."""
    note: dict[str, Any] = {"ha": "center", "va": "center", "color": "0.4", "backgroundcolor": "white"}
    axes.annotate(text, (0.5, 0.5), xycoords="axes fraction", **note)


def label_lines(figure: Figure, axes: Axes, handles: Sequence[Any]) -> None:
    """Labels of lines: at their ends where these are few and short and end at the right, else in a legend above."""
    room = LABEL_SHARE * figure.get_figwidth() * 72
    short = all(text_width(str(line.get_label()), 7.5) <= room for line in handles)
    if 0 < len(handles) <= DIRECT_LABELS and short and all(_ends_at_edge(axes, line) for line in handles):
        _label_ends(figure, axes, handles)
    elif handles:
        shared_legend(figure, handles)


def _label_ends(figure: Figure, axes: Axes, handles: Sequence[Any]) -> None:
    """Each line's label at the right of its end, moved apart where two would overlap."""
    limits = axes.get_xlim(), axes.get_ylim()
    figure.draw_without_rendering()  # so that the height of the axes is known
    per_point = figure.dpi / 72
    box = axes.get_window_extent()
    ends = [_end(line) for line in handles]
    heights = np.array([axes.transData.transform(end)[1] / per_point for end in ends])
    gap = scaled(LINE_HEIGHT)
    places = within(spread(heights, gap), gap, box.y0 / per_point + gap / 2, box.y1 / per_point)
    for line, end, height, place in zip(handles, ends, heights, places, strict=True):
        moved = abs(place - height) > 1
        leader = {"arrowstyle": "-", "color": line.get_color(), "relpos": (0, 0.5), "shrinkB": 0, "shrinkA": 1}
        axes.annotate(
            str(line.get_label()),
            end,
            xytext=(scaled(12 if moved else 4), place - height),
            textcoords="offset points",
            color=line.get_color(),
            va="center",
            fontsize=scaled(7.5),
            arrowprops={**leader, "linewidth": scaled(0.4)} if moved else None,
        )
    axes.set(xlim=limits[0], ylim=limits[1])


def _ends_at_edge(axes: Axes, line: Any) -> bool:
    """Whether a line ends so far to the right that a label behind it would cover no other line."""
    left, right = axes.get_window_extent().intervalx
    place = float(axes.transData.transform(_end(line))[0])
    return bool(place >= right - EDGE * (right - left))


def _end(line: Any) -> tuple[float, float]:
    """The last point of a line that can be drawn."""
    points = np.asarray(line.get_xydata(), dtype=np.float64)
    x, y = points[np.isfinite(points).all(axis=1)][-1]
    return float(x), float(y)


def spread(places: Array, gap: float) -> Array:
    """The places `[n]`, moved as little as need be so that any two lie at least `gap` apart, their order kept.

    Least in the sum of squares: neighbours that are too near form a block around their mean.
    """
    order = np.argsort(places, kind="stable")
    blocks: list[list[float]] = []  # of each: the mean of its places less their offsets, and its size
    for rank, place in enumerate(places[order]):
        blocks.append([float(place) - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, size = blocks.pop()
            total = blocks[-1][1] + size
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + mean * size) / total, total]
    levels = np.concatenate([np.full(int(size), mean) for mean, size in blocks])
    apart = np.empty(len(places))
    apart[order] = levels + np.arange(len(places)) * gap
    return apart


def within(places: Array, gap: float, low: float, high: float) -> Array:
    """Places `[n]` that lie `gap` apart, pushed to lie from `low` to `high`; where there is no room, above `low`."""
    ranks = np.argsort(np.argsort(places, kind="stable"), kind="stable")
    below = np.minimum(places, high - (len(places) - 1 - ranks) * gap)
    return np.asarray(np.maximum(below, low + ranks * gap), dtype=np.float64)


def number_logarithm(axis: Any, low: float, high: float) -> None:
    """Ticks and their numbers on a logarithmic axis from `low` to `high`: a few, whatever lies between."""
    span = high / low
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < 30 else (1,), numticks=6))
    if low >= 1e-4 and high < 1e6:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("e+05", "00000")))
    axis.set_minor_formatter(NullFormatter())


def fold_names(figure: Figure, across: int = 1, down: int = 1) -> None:
    """Break the names beside and below the axes of a grid into lines that leave room for what stands beside them."""
    room_across, room_down = figure.get_size_inches() * 72 * [0.62 / across, 0.72 / down]
    for axes in figure.axes:
        for label, room in ((axes.xaxis.label, room_across), (axes.yaxis.label, room_down)):
            label.set_text("\n".join(wrapped(label.get_text(), room, 8)))


def axes_width(axes: Axes) -> float:
    """Width of axes in points, as far as they are laid out."""
    figure: Any = axes.figure
    return float(axes.get_window_extent().width / figure.dpi * 72)


def small() -> float:
    """Size of small letters in points, as those of ticks."""
    return float(matplotlib.rcParams["font.size"] * 7 / 8)
