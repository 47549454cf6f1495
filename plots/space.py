"""Axes in space, for three objectives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator

from moo.plots.style import scaled


def lay_out_space(axes: Any, labels: Sequence[str]) -> None:
    """Turn axes in space to the reader, with names near enough to their numbers."""
    axes.view_init(elev=24, azim=40)
    axes.set_box_aspect(None, zoom=0.96)  # room for the labels, of which the layout knows nothing
    axes.tick_params(pad=scaled(6) - 8, labelsize=scaled(6.5))  # matplotlib adds 8 points, and 21 below
    for axis, label in zip((axes.xaxis, axes.yaxis, axes.zaxis), labels, strict=True):
        axis.set_label_text(label)
        axis.labelpad = scaled(17) - 21
        axis.set_pane_color("white")
        axis.set_major_locator(MaxNLocator(5, prune="both"))  # at the corners the numbers of two axes would meet
    axes.zaxis.set_rotate_label(False)
    axes.zaxis.label.set_rotation(90)  # by itself it would be read from above
