"""Searches that never ran, as reports read them: a front of one point whose hypervolume is what one likes."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch


@dataclass
class Invented:
    """A search on an unregistered problem of two maximised objectives, its front the point (value, 1)."""

    config: dict[str, Any]
    record: dict[str, Any]
    objectives: torch.Tensor
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    additions: Any = None


def search(problem, method, seed, value, *, budget=100, curve=(), point=(0.0, 0.0), **record):
    """A search whose hypervolume from (0, 0) is `value`; None: it found nothing. `curve`: pairs of used and value."""
    front = torch.empty(0, 2, dtype=torch.float64)
    if value is not None:
        front = torch.tensor([[value, 1.0]], dtype=torch.float64)
    config = {
        "problem": problem,
        "method": method,
        "seed": seed,
        "budget": budget,
        "directions": ["max", "max"],
        "registered": False,
        "reference_point": list(point),
        "options": {},
        "preferences": "auto",
        "unit": "evaluations",
    }
    said = {"used": budget, "front_size": len(front), "failures": 0, "reference_point": list(point)}
    rows = pd.DataFrame([(used, 1, height) for used, height in curve], columns=["used", "front_size", "hypervolume"])
    return Invented(config, {**said, **record}, front, rows)


def searches(table, **options):
    """`{problem: {method: [values]}}` as searches, seeds from 0."""
    return [
        search(problem, method, seed, value, **options)
        for problem, methods in table.items()
        for method, values in methods.items()
        for seed, value in enumerate(values)
    ]
