"""The paper style, and what all figures share: looks that survive greyscale, labels of runs, saving.

Figures are plain `matplotlib.figure.Figure` objects: no pyplot, so no global state and no backend is touched.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import matplotlib.style
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

from moo.result import SearchResult

COLUMN = 3.25  # inches: one column of a two-column paper
PAGE = 6.75  # inches: both columns
FORMATS = (".pdf", ".svg", ".png")
GREY = "0.6"
FAINT = "0.75"

_OKABE_ITO = [matplotlib.colors.to_hex(color) for color in matplotlib.color_sequences["okabe_ito"]]
# By contrast on white paper; the yellow (4) is left out, a thin line of it cannot be seen.
COLORS = tuple(_OKABE_ITO[i] for i in (5, 6, 3, 1, 7, 2, 0))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")  # eight beside seven colours: 56 pairs before one comes again
LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1.2, 1, 1.2)))

PAPER: dict[str, Any] = {
    "font.family": ["STIXGeneral", "DejaVu Serif"],  # named here, so that it stays with the text outside this context
    "font.serif": ["STIXGeneral", "DejaVu Serif"],  # the second only for letters that the first lacks
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7.5,
    "pdf.fonttype": 42,  # TrueType; publishers refuse Type 3
    "ps.fonttype": 42,
    "svg.fonttype": "path",  # letters as outlines: few readers have the STIX fonts, and without them nothing fits
    "svg.hashsalt": "moo",
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.02,
    "figure.constrained_layout.w_pad": 0.02,
    "axes.prop_cycle": cycler(color=COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.labelpad": 2.5,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 5),
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.color": "0.85",
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.1,
    "lines.markersize": 3,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.2,
}


class Look(NamedTuple):
    """How one of several things is drawn: colour, and marker and line style for readers without colour."""

    color: str
    marker: str
    line: Any


def look(number: int) -> Look:
    """The look of the `number`-th thing, counted from 0; they come again after 28 lines or 56 markers."""
    return Look(COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)], LINES[number % len(LINES)])


@contextlib.contextmanager
def paper_style() -> Iterator[None]:
    """Draw in the paper style, whatever the user's own matplotlib settings, which return afterwards."""
    with matplotlib.style.context(PAPER, after_reset=True):
        yield


def new_figure(width: float, shape: float, at_most: float = math.inf) -> Figure:
    """An empty figure, to be called and drawn on within `paper_style`.

    Args:
        width: In inches.
        shape: Height over width.
        at_most: Of the height, in inches.

    Raises:
        ValueError: The width is no positive number.
    """
    number = isinstance(width, int | float) and not isinstance(width, bool)
    if not (number and math.isfinite(width) and width > 0):
        raise ValueError(f"`width` should be a positive number of inches, as {COLUMN} or {PAGE}. Found {width!r}.")
    figure = Figure(figsize=(width, min(shape * width, at_most)))
    FigureCanvasAgg(figure)
    return figure


def literal(text: str) -> str:
    """The text as matplotlib should read it: mathematics between dollar signs is kept, other dollars are escaped."""
    if "$" in text:
        try:
            MathTextParser("path").parse(text)
        except ValueError:
            return text.replace("$", r"\$")
    return text


# --------------------------------------------------------------------------------------------------- results
def check_results(results: Any) -> tuple[SearchResult, ...]:
    """One result or several, as a tuple.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: There is none.
    """
    several = (results,) if isinstance(results, SearchResult) else results
    found = tuple(several) if isinstance(several, Sequence | Iterator) else (several,)
    for result in found:
        if not isinstance(result, SearchResult):
            raise TypeError(f"Plots take a SearchResult or a list of them. Found {type(result).__name__}.")
    if not found:
        raise ValueError("Plots take a SearchResult or a list of them. Found none.")
    return found


def run_labels(results: Sequence[SearchResult]) -> list[str]:
    """One label per result: the method, then what else tells it from the others, seeds apart.

    Runs of one label differ in their seed only, so that they may share a colour and a median. Options, preferences and
    the problem stand in a label only where runs of the same method differ in them.
    """
    settings = [_settings(result.config) for result in results]
    methods = [result.config["method"] for result in results]
    labels = []
    for mine, method in zip(settings, methods, strict=True):
        others = [other for other, name in zip(settings, methods, strict=True) if name == method]
        differing = [key for key in mine if any(other.get(key) != mine[key] for other in others)]
        options = ", ".join(f"{key}={mine[key]}" for key in differing if key != "problem")
        problem = f" on {mine['problem']}" if "problem" in differing else ""
        labels.append(f"{method}{problem}" + (f" ({options})" if options else ""))
    return labels


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    """What can tell two runs of one method apart, as text."""
    preferences = config.get("preferences", "auto")
    return {
        "problem": str(config["problem"]),
        "preferences": preferences if isinstance(preferences, str) else "given",
        **{key: str(value) for key, value in config.get("options", {}).items()},
    }


# --------------------------------------------------------------------------------------------------- words and numbers
def with_direction(name: str, direction: str) -> str:
    """An objective's name as a label says it: with the direction in which it is better."""
    return f"{literal(name)} ({direction})"


def names_below(names: Sequence[str], directions: Sequence[str], width: float) -> tuple[list[str], dict[str, Any]]:
    """Objectives' names below evenly placed axes, broken into lines, or slanted where a word is too long for that.

    Returns:
        The labels and how they are to be placed.
    """
    letters = int(width * 72 / len(names) / 4)  # a letter is about 4 points wide at this size
    labels = []
    for name, direction in zip(names, directions, strict=True):
        whole = f"{name} ({direction})"  # mathematics is not broken: a half of it could not be read
        lines = [name, f"({direction})"] if "$" in name else textwrap.wrap(whole, letters, break_long_words=False)
        if max(map(len, lines)) > letters and "$" not in name:
            slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
            return [with_direction(*pair) for pair in zip(names, directions, strict=True)], slanted
        labels.append("\n".join(map(literal, lines)))
    return labels, {"linespacing": 1.0}


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


# --------------------------------------------------------------------------------------------------- drawing
def shared_legend(figure: Figure, handles: Sequence[Any]) -> None:
    """One legend above all axes, in as many columns as fit the figure's width."""
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles=handles, loc="outside upper center", ncols=columns)
        if columns == 1 or legend.get_window_extent().width <= 0.98 * figure.bbox.width:
            return
        legend.remove()


@contextlib.contextmanager
def _unmoved(figure: Figure) -> Iterator[None]:
    """Put the axes back afterwards: each run of the layout starts from the last one and moves them a little."""
    before = [(axes, axes.get_position(True), axes.get_position(), axes.get_in_layout()) for axes in figure.axes]
    yield
    for axes, original, active, in_layout in before:
        axes.set_position(original, which="original")
        axes.set_position(active, which="active")
        axes.set_in_layout(in_layout)  # placing axes by hand takes them out of the layout


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure; the same figure gives the same bytes (no dates inside).

    It is written under a temporary name, then renamed, so that an older file stays whole where writing fails.

    Args:
        figure: Any matplotlib figure.
        path: The ending is the format: .pdf, .svg or .png (200 dots per inch).

    Returns:
        The path.

    Raises:
        ValueError: The ending is another one.
        OSError: The file could not be written; the error names it.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise ValueError(f"`path` should end in {', '.join(FORMATS)}: the ending is the format. Found {str(path)!r}.")
    undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {}}[ending]
    buffer = io.BytesIO()
    with paper_style(), _unmoved(figure):
        figure.savefig(buffer, format=ending[1:], metadata=undated)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(buffer.getvalue())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OSError(error.errno, f"could not be written: {error.strerror}", str(path)) from error
    return path
