"""Figures from their style to their file: the same figure gives the same bytes."""

from __future__ import annotations

import contextlib
import io
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_pgf import LatexError
from matplotlib.figure import Figure

from moo.plots.style import STYLE, PaperFigure, find_style, new_figure, paper_style

FORMATS = (".pdf", ".svg", ".png", ".pgf")
ENGINES = ("xelatex", "lualatex", "pdflatex")  # that matplotlib can ask for the widths of letters


@contextlib.contextmanager
def paper_figure(
    path: str | Path | None,
    style: str,
    width: float | None,
    shape: float,
    *,
    at_most: float = math.inf,
    page: bool = False,
) -> Iterator[PaperFigure]:
    """A figure to draw on in a style; what was drawn is written at the end, where a path is given.

    Args:
        path: Where to write it; see `save_figure`.
        style: A name in `STYLES`.
        width: In inches; None: that of a column of the style, or of its page.
        shape, at_most: As for `new_figure`.
        page: Whether the figure takes the page where no width is given.

    Raises:
        ValueError: The style is unknown, the width is not positive, or the path has an unknown ending.
        OSError: The file could not be written; the error names it.
    """
    chosen = find_style(style)
    if width is None:
        width = chosen.page if page else chosen.column
    with paper_style(style):
        figure = new_figure(width, shape, at_most)
        figure.style = style
        yield figure
        if path is not None:
            save_figure(figure, path)


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure; the same figure gives the same bytes (no dates inside).

    It is written under a temporary name, then renamed, so that an older file stays whole where writing fails.

    Args:
        figure: Any matplotlib figure.
        path: The ending is the format: .pdf, .svg, .png (200 dots per inch), or .pgf, which LaTeX sets in the letters
            of the document and which needs a TeX engine here.

    Returns:
        The path.

    Raises:
        ValueError: The ending is another one, or .pgf and no TeX engine is there.
        RuntimeError: The TeX engine failed.
        OSError: The file could not be written; the error names it.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise ValueError(f"`path` should end in {', '.join(FORMATS)}: the ending is the format. Found {str(path)!r}.")
    content = _content(figure, ending)
    write_whole(path, content)
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, then rename it, so that an older one stays whole where writing fails.

    Raises:
        OSError: The file could not be written; the error names it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OSError(error.errno, f"could not be written: {error.strerror}", str(path)) from error


def _content(figure: Figure, ending: str) -> bytes:
    """The figure in the format of that ending."""
    undated: dict[str, Any] = {".pdf": {"metadata": {"CreationDate": None}}, ".svg": {"metadata": {"Date": None}}}
    style = figure.style if isinstance(figure, PaperFigure) else STYLE
    engine = {"pgf.texsystem": _tex_engine()} if ending == ".pgf" else {}
    buffer = io.BytesIO()
    with paper_style(style), matplotlib.rc_context(engine), unmoved(figure):
        try:
            figure.savefig(buffer, format=ending[1:], **undated.get(ending, {}))
        except (RuntimeError, OSError, LatexError) as error:
            if not engine:
                raise
            raise RuntimeError(f"{engine['pgf.texsystem']} failed on a figure's text: {error}") from error
    return buffer.getvalue()


def _tex_engine() -> str:
    for engine in ENGINES:
        if shutil.which(engine):
            return engine
    raise ValueError(
        f"A .pgf file needs a TeX engine ({', '.join(ENGINES)}) on the PATH, which measures its letters. Found none: "
        "install one, as TeX Live with its pgf package, or write .pdf."
    )


@contextlib.contextmanager
def unmoved(figure: Figure) -> Iterator[None]:
    """Put the axes back afterwards: each run of the layout starts from the last one and moves them a little."""
    before = [(axes, axes.get_position(True), axes.get_position(), axes.get_in_layout()) for axes in figure.axes]
    yield
    for axes, original, active, in_layout in before:
        axes.set_position(original, which="original")
        axes.set_position(active, which="active")
        axes.set_in_layout(in_layout)  # placing axes by hand takes them out of the layout
