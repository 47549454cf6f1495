"""Axes in space: names beside their numbers."""

import pytest

from moo.plots import STYLES, paper_style, text_faults
from moo.plots.space import lay_out_space
from moo.plots.style import new_figure


@pytest.mark.parametrize("style", STYLES)
def test_names_stand_apart_from_numbers(style):
    with paper_style(style):
        figure = new_figure(STYLES[style].column, 0.84)
        axes = figure.add_subplot(projection="3d", xlim=(0, 1), ylim=(-1, 1), zlim=(0, 1000))
        lay_out_space(axes, ["f1 (min)", "f2 (max)", "cost (min)"])
        assert text_faults(figure) == []
    assert axes.get_zlabel() == "cost (min)"
