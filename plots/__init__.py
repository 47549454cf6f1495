"""Plots for papers: `PLOTS` lists them, and each loads where it is first used.

A plot is data, then drawing: one function turns results into plain arrays, a second one draws these. Importing this
package loads no matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moo.registry import lazy

if TYPE_CHECKING:
    from moo.plots.fronts import front_data, plot_front
    from moo.plots.histories import convergence_data, plot_convergence
    from moo.plots.style import paper_style, save_figure

PLOTS: dict[str, str] = {
    "front": "moo.plots.fronts:plot_front",
    "convergence": "moo.plots.histories:plot_convergence",
}

_HOMES = {
    "front_data": "moo.plots.fronts",
    "plot_front": "moo.plots.fronts",
    "convergence_data": "moo.plots.histories",
    "plot_convergence": "moo.plots.histories",
    "paper_style": "moo.plots.style",
    "save_figure": "moo.plots.style",
}

__all__ = [
    "PLOTS",
    "convergence_data",
    "front_data",
    "paper_style",
    "plot_convergence",
    "plot_front",
    "save_figure",
]


__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
