"""Results made by hand, whose fronts plots draw."""

import numpy as np
import pandas as pd
import torch

from moo.base import Candidates
from moo.result import SearchResult

CONVEX = [[0.0, 1.0], [0.4, 0.5], [1.0, 0.0]]


def result(objectives, method="nsga2", seed=0, directions=None, names=None, violating=None):
    """A result whose front has these objectives; with `violating`, nothing is feasible."""
    objectives = torch.as_tensor(objectives, dtype=torch.float64)
    m = objectives.shape[1]
    front = Candidates.of(torch.zeros(len(objectives), 1), objectives)
    least = front.rows(slice(0))
    if violating is not None:
        rows = torch.as_tensor(violating, dtype=torch.float64).reshape(-1, m)
        least = Candidates.of(torch.zeros(len(rows), 1), rows)
    config = {
        "method": method,
        "problem": "toy",
        "seed": seed,
        "options": {},
        "preferences": "auto",
        "unit": "evaluations",
        "objective_names": names or [f"f{i + 1}" for i in range(m)],
        "directions": directions or ["min"] * m,
    }
    none = front.rows(slice(0))
    history = pd.DataFrame({"used": [], "front_size": [], "hypervolume": []})
    return SearchResult(front, none, none, none, least, history, config, {"reference_point": None}, lambda: None)


def random_front(n, m, seed=0):
    """Points on the unit sphere: none dominates another."""
    points = np.abs(np.random.default_rng(seed).normal(size=(n, m)))
    return points / np.linalg.norm(points, axis=1, keepdims=True)
