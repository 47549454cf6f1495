"""pymoo's side of the fence: our vector problems as pymoo problems."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pymoo.core.problem import Problem as PymooProblem

from moo.base import Evaluation
from moo.directions import turn


class ToPymoo(PymooProblem):  # type: ignore[misc]
    """A vector problem of ours as a pymoo problem, all objectives minimised, so that pymoo runs on exactly our values.

    Args:
        problem: A vector problem, metered or not. Whole-number columns are rounded inside the evaluation.
    """

    def __init__(self, problem: Any) -> None:
        self.ours = problem
        super().__init__(
            n_var=problem.space.dim,
            n_obj=problem.num_objectives,
            n_ieq_constr=problem.num_constraints,
            xl=problem.space.lower.numpy(),
            xu=problem.space.upper.numpy(),
        )

    def _evaluate(self, x: np.ndarray, out: dict[str, Any], *_: Any, **__: Any) -> None:
        result = self.ours.evaluate(self.ours.space.canonical(np.asarray(x, dtype=np.float64)))
        given = result if isinstance(result, Evaluation) else Evaluation(torch.as_tensor(result))
        out["F"] = -turn(given.objectives, self.ours.directions).numpy()
        if given.constraints is not None:
            out["G"] = given.constraints.numpy()
