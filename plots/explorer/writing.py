"""A page of the explorer: one file that needs nothing beside itself, and that asks the network for nothing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable
from html import escape
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from moo.plots.explorer.gathering import ExplorerData, explorer_data
from moo.plots.reading import Results
from moo.plots.saving import write_whole

SCRIPTS = (  # in the order in which they build on each other
    *("reading", "scales", "view", "choosing", "looks", "scatter", "space", "parallel", "details", "exporting"),
    *("controls", "start"),
)


def explore(results: Results, path: str | Path, *, picture: Callable[[str], str] | None = None) -> Path:
    """Write an interactive page of one result's front, or of several: one file, which opens offline.

    It shows any two or three objectives as a scatter, all objectives and variables on parallel axes, what is brushed in
    one view marked in the others, the solution that fits preferences best (as `SearchResult.sample` chooses of a
    front), and details of what is pointed at.

    Args:
        results: A result, or several on the same objectives and variables.
        path: Where to write it; it should end in .html.
        picture: Draws the name of a constructed solution as SVG; None: molecules are drawn where rdkit is installed.

    Returns:
        The path.

    Raises:
        TypeError: Something is not a `SearchResult`.
        ValueError: The results do not fit together, nothing is feasible (see `explorer_data`), or the path has another
            ending.
        ImportError: There are three objectives or more, and plotly, which draws them in space, is not installed.
        OSError: The file could not be written; the error names it.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"`path` should end in .html. Found {str(path)!r}.")
    write_whole(path, explorer_page(explorer_data(results, picture=picture)).encode())
    return path


def explorer_page(data: ExplorerData) -> str:
    """The page of what was gathered, as HTML; the same data give the same text.

    Names reach it as compressed JSON and are put on the page as text alone. The page's policy lets only its own
    scripts run, known by their checksums, and no address be asked for anything.

    Raises:
        ImportError: There are three objectives or more, and plotly is not installed.
    """
    script = '"use strict";\n' + "\n".join(_file(f"{name}.js") for name in SCRIPTS)
    plotly = _plotly() if len(data.objective_names) > 2 else ""
    allowed = " ".join(_checksum(text) for text in (script, plotly) if text)
    filled = {
        "title": escape(data.title),
        "policy": f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:",
        "style": _file("page.css"),
        "data": _packed(json.dumps(_as_json(data), allow_nan=False, separators=(",", ":"))),
        "plotly": _packed(plotly),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], _file("page.html"))


def _as_json(data: ExplorerData) -> dict[str, Any]:
    """What the page reads: columns of numbers, null where there is none."""
    objectives = zip(data.objective_names, data.directions, data.objectives.T, strict=True)
    variables = zip(data.variables, data.solutions.T, strict=True)
    return {
        "title": data.title,
        "objectives": [
            {"name": name, "direction": direction, "values": values.tolist()} for name, direction, values in objectives
        ],
        "variables": [
            {
                "name": variable.name,
                "kind": variable.kind,
                "low": variable.low,
                "high": variable.high,
                "choices": list(variable.choices),
                "values": _or_null(values),
            }
            for variable, values in variables
        ],
        "groups": [{"name": group.name, "color": group.color, "shape": group.shape} for group in data.groups],
        "rows": {
            "name": [row.name for row in data.rows],
            "group": [row.group for row in data.rows],
            "run": [row.run for row in data.rows],
            "used": [row.used for row in data.rows],
            "dominated": [int(row.dominated) for row in data.rows],
        },
        "preferences": None if data.preferences is None else [_or_null(column) for column in data.preferences.T],
        "pictures": dict(data.pictures),
        "notes": list(data.notes),
    }


def _or_null(values: NDArray[Any]) -> list[float | None]:
    return [value if value == value else None for value in values.tolist()]


def _plotly() -> str:
    """The source of plotly.js.

    Raises:
        ImportError: plotly is not installed.
    """
    if find_spec("plotly") is None:
        raise ImportError("Three objectives in space need plotly: pip install 'moo-suite[explorer]'.")
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _file(name: str) -> str:
    return (resources.files("moo.plots.explorer") / "page" / name).read_text(encoding="utf-8")


def _packed(text: str) -> str:
    """Text as base64 of gzip, which holds no mark-up; without a date, so that the same text gives the same."""
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode() if text else ""


def _checksum(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
