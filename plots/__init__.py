"""Plots for papers: `PLOTS` lists them, and each loads where it is first used.

A plot is data, then drawing: `KIND_data` turns results or a table of scores into plain arrays, `draw_KIND` draws these
on matplotlib axes of yours, and `plot_KIND` does both on a figure in the style of a venue and writes it. `explore`
writes an interactive page instead. Importing this package loads no matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moo.registry import lazy

if TYPE_CHECKING:
    from moo.plots.attainment import attainment_data, draw_attainment, plot_attainment
    from moo.plots.boxes import box_data, draw_box, plot_box, plot_violin
    from moo.plots.differences import difference_data, draw_difference, plot_difference
    from moo.plots.drawing import draw, front
    from moo.plots.explorer.gathering import explorer_data
    from moo.plots.explorer.writing import explore
    from moo.plots.fronts import draw_front, plot_front
    from moo.plots.heatmaps import draw_heatmap, heatmap_data, plot_heatmap
    from moo.plots.histories import convergence_data, draw_convergence, plot_convergence, plot_regret, regret_data
    from moo.plots.overlaps import text_faults
    from moo.plots.pairs import draw_matrix, plot_matrix
    from moo.plots.parallel import draw_parallel, plot_parallel
    from moo.plots.petals import draw_petal, petal_data, plot_petal
    from moo.plots.ranks import draw_ranks, plot_ranks, rank_data
    from moo.plots.run_lengths import draw_ecdf, ecdf_data, plot_ecdf
    from moo.plots.runtimes import draw_runtime, plot_runtime, runtime_data
    from moo.plots.saving import save_figure
    from moo.plots.sets import front_data
    from moo.plots.style import STYLES, paper_style
    from moo.plots.sweeps import draw_sweep, plot_sweep, sweep_data
    from moo.plots.ternary import draw_ternary, plot_ternary, ternary_data

PLOTS: dict[str, str] = {
    "front": "moo.plots.fronts:plot_front",
    "matrix": "moo.plots.pairs:plot_matrix",
    "parallel": "moo.plots.parallel:plot_parallel",
    "attainment": "moo.plots.attainment:plot_attainment",
    "eaf-difference": "moo.plots.differences:plot_difference",
    "convergence": "moo.plots.histories:plot_convergence",
    "regret": "moo.plots.histories:plot_regret",
    "ecdf": "moo.plots.run_lengths:plot_ecdf",
    "box": "moo.plots.boxes:plot_box",
    "violin": "moo.plots.boxes:plot_violin",
    "heatmap": "moo.plots.heatmaps:plot_heatmap",
    "critical-difference": "moo.plots.ranks:plot_ranks",
    "runtime": "moo.plots.runtimes:plot_runtime",
    "petal": "moo.plots.petals:plot_petal",
    "ternary": "moo.plots.ternary:plot_ternary",
    "sweep": "moo.plots.sweeps:plot_sweep",
}

_FILES = {
    "attainment": ("attainment_data", "draw_attainment", "plot_attainment"),
    "boxes": ("box_data", "draw_box", "plot_box", "plot_violin"),
    "differences": ("difference_data", "draw_difference", "plot_difference"),
    "drawing": ("draw", "front"),
    "explorer.gathering": ("explorer_data",),
    "explorer.writing": ("explore",),
    "fronts": ("draw_front", "plot_front"),
    "heatmaps": ("heatmap_data", "draw_heatmap", "plot_heatmap"),
    "histories": ("convergence_data", "draw_convergence", "plot_convergence", "plot_regret", "regret_data"),
    "overlaps": ("text_faults",),
    "pairs": ("draw_matrix", "plot_matrix"),
    "parallel": ("draw_parallel", "plot_parallel"),
    "petals": ("petal_data", "draw_petal", "plot_petal"),
    "ranks": ("rank_data", "draw_ranks", "plot_ranks"),
    "run_lengths": ("ecdf_data", "draw_ecdf", "plot_ecdf"),
    "runtimes": ("runtime_data", "draw_runtime", "plot_runtime"),
    "saving": ("save_figure",),
    "sets": ("front_data",),
    "style": ("STYLES", "paper_style"),
    "sweeps": ("sweep_data", "draw_sweep", "plot_sweep"),
    "ternary": ("ternary_data", "draw_ternary", "plot_ternary"),
}
_HOMES = {name: f"moo.plots.{file}" for file, names in _FILES.items() for name in names}

__all__ = [
    "PLOTS",
    "STYLES",
    "attainment_data",
    "box_data",
    "convergence_data",
    "difference_data",
    "draw",
    "draw_attainment",
    "draw_box",
    "draw_convergence",
    "draw_difference",
    "draw_ecdf",
    "draw_front",
    "draw_heatmap",
    "draw_matrix",
    "draw_parallel",
    "draw_petal",
    "draw_ranks",
    "draw_runtime",
    "draw_sweep",
    "draw_ternary",
    "ecdf_data",
    "explore",
    "explorer_data",
    "front",
    "front_data",
    "heatmap_data",
    "paper_style",
    "petal_data",
    "plot_attainment",
    "plot_box",
    "plot_convergence",
    "plot_difference",
    "plot_ecdf",
    "plot_front",
    "plot_heatmap",
    "plot_matrix",
    "plot_parallel",
    "plot_petal",
    "plot_ranks",
    "plot_regret",
    "plot_runtime",
    "plot_sweep",
    "plot_ternary",
    "plot_violin",
    "rank_data",
    "regret_data",
    "runtime_data",
    "save_figure",
    "sweep_data",
    "ternary_data",
    "text_faults",
]


__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
