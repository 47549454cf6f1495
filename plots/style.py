"""The paper style: widths and letters of venues, looks that survive greyscale, and figures drawn in them.

Figures are `matplotlib.figure.Figure` objects: no pyplot, so no global state and no backend is touched.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib
import matplotlib.style
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from moo.checks import unknown_name


@dataclass(frozen=True)
class Style:
    """What a venue asks of a figure.

    Attributes:
        column: Width of a column of text, in inches; of the text where it has one column.
        page: Width of the whole text, in inches.
        size: Of letters, in points; lines and markers grow with it.
        sans: Letters without serifs (DejaVu Sans), else STIX, which goes with Times.
    """

    column: float
    page: float
    size: float = 8.0
    sans: bool = False


STYLES = {
    "icml": Style(3.25, 6.75),
    "neurips": Style(5.5, 5.5),
    "ieee": Style(3.5, 7.16),
    "acm": Style(3.25, 7.0),
    "slides": Style(8.0, 12.0, size=16.0, sans=True),
}
STYLE = "icml"
COLUMN, PAGE = STYLES[STYLE].column, STYLES[STYLE].page
GREY = "0.6"
FAINT = "0.75"

_OKABE_ITO = [matplotlib.colors.to_hex(color) for color in matplotlib.color_sequences["okabe_ito"]]
# By contrast on white paper; the yellow (4) is left out, a thin line of it cannot be seen.
COLORS = tuple(_OKABE_ITO[i] for i in (5, 6, 3, 1, 7, 2, 0))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")  # eight beside seven colours: 56 pairs before one comes again
LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1.2, 1, 1.2)))


class Look(NamedTuple):
    """How one of several things is drawn: colour, and marker and line style for readers without colour."""

    color: str
    marker: str
    line: Any


def look(number: int) -> Look:
    """The look of the `number`-th thing, counted from 0; they come again after 28 lines or 56 markers."""
    return Look(COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)], LINES[number % len(LINES)])


def find_style(name: str) -> Style:
    """The style of a venue.

    Raises:
        ValueError: There is none of that name; the message lists the known ones.
    """
    if name not in STYLES:
        raise ValueError(unknown_name("style", name, STYLES))
    return STYLES[name]


@contextlib.contextmanager
def paper_style(style: str = STYLE) -> Iterator[None]:
    """Draw in the style of a venue, whatever the user's own matplotlib settings, which return afterwards.

    Raises:
        ValueError: The style is unknown.
    """
    with matplotlib.style.context(_parameters(find_style(style)), after_reset=True):
        yield


def _parameters(style: Style) -> dict[str, Any]:
    """A style as matplotlib's parameters."""
    times = style.size / 8
    lengths = {
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7.5,
        "axes.linewidth": 0.6,
        "axes.labelpad": 2.5,
        "axes.titlepad": 4,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "xtick.major.pad": 3,
        "ytick.major.pad": 3,
        "grid.linewidth": 0.4,
        "hatch.linewidth": 0.5,
        "lines.linewidth": 1.1,
        "lines.markersize": 3,
        "figure.constrained_layout.h_pad": 0.02,
        "figure.constrained_layout.w_pad": 0.02,
    }
    # The families are named, so that they stay with the text outside this context; the second is for letters that the
    # first lacks.
    family = ["DejaVu Sans"] if style.sans else ["STIXGeneral", "DejaVu Serif"]
    return {
        **{name: length * times for name, length in lengths.items()},
        "font.family": family,
        "font.serif": ["STIXGeneral", "DejaVu Serif"],
        "mathtext.fontset": "dejavusans" if style.sans else "stix",
        "pdf.fonttype": 42,  # TrueType; publishers refuse Type 3
        "ps.fonttype": 42,
        "svg.fonttype": "path",  # letters as outlines: few readers have the STIX fonts, and without them nothing fits
        "svg.hashsalt": "moo",
        "pgf.rcfonts": False,  # the letters of the document that takes the figure in
        "savefig.dpi": 200,
        "figure.constrained_layout.use": True,
        "axes.prop_cycle": cycler(color=COLORS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.formatter.use_mathtext": True,
        "axes.formatter.limits": (-3, 5),
        "grid.color": "0.85",
        "legend.frameon": False,
        "legend.handlelength": 1.6,
        "legend.handletextpad": 0.5,
        "legend.columnspacing": 1.2,
        "legend.borderaxespad": 0.2,
    }


def scaled(points: float) -> float:
    """A length in points, given for letters of 8 points, at the size of the letters in force."""
    return float(points * matplotlib.rcParams["font.size"] / 8)


def panels(count: int) -> tuple[int, int]:
    """Rows and columns of a grid of so many panels on a page."""
    across = 2 if count in (2, 4) else min(count, 3)
    return -(-count // across), across


class PaperFigure(Figure):
    """A figure that knows its style, so that it is saved in it.

    Attributes:
        style: A name in `STYLES`.
    """

    style: str = STYLE


def new_figure(width: float, shape: float, at_most: float = math.inf) -> PaperFigure:
    """An empty figure, to be called and drawn on within `paper_style`.

    Args:
        width: In inches.
        shape: Height over width.
        at_most: Of the height, in inches, for letters of 8 points.

    Raises:
        ValueError: The width is no positive number.
    """
    number = isinstance(width, int | float) and not isinstance(width, bool)
    if not (number and math.isfinite(width) and width > 0):
        raise ValueError(f"`width` should be a positive number of inches, as {COLUMN} or {PAGE}. Found {width!r}.")
    figure = PaperFigure(figsize=(width, min(shape * width, scaled(at_most))))
    FigureCanvasAgg(figure)
    return figure
