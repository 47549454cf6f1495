"""What is known of MO-Gymnasium's environments, beside what they say themselves. All objectives are maximised."""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """Names of the objectives, and the reference point that published hypervolumes go by, if there is one.

    The points are those of C-MORL's released code, for episodes of 500 steps and gamma .99; halfcheetah's is that of
    MORL/D's examples. (C-MORL has minecart and fruit-tree too, which are problems of our own.)
    """

    objectives: tuple[str, ...]
    reference_point: tuple[float, ...] | None = None


RUNS = ("velocity", "energy")

KNOWN: dict[str, Known] = {
    "mo-hopper-2obj-v5": Known(("velocity", "height"), (-100.0, -100.0)),
    "mo-hopper-v5": Known(("velocity", "height", "energy"), (-100.0, -100.0, -100.0)),
    "mo-halfcheetah-v5": Known(RUNS, (-100.0, -100.0)),
    "mo-walker2d-v5": Known(RUNS),
    "mo-ant-2obj-v5": Known(("x velocity", "y velocity"), (-100.0, -100.0)),
    "mo-ant-v5": Known(("x velocity", "y velocity", "energy"), (-100.0, -100.0, -100.0)),
    "mo-humanoid-v5": Known(RUNS, (-100.0, -100.0)),
    "mo-swimmer-v5": Known(RUNS),
    "mo-lunar-lander-v3": Known(
        ("landing", "shaping", "main engine", "side engine"), (-101.0, -1001.0, -101.0, -101.0)
    ),
}
