"""Many maximisations of the same sort at once, by BoTorch's batched L-BFGS-B."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager as ContextManager

import numpy as np
import torch
from botorch.optim.batched_lbfgs_b import fmin_l_bfgs_b_batched
from threadpoolctl import ThreadpoolController
from torch import Tensor

WORST = 1e10  # the cost of a point whose value is not finite
PRECISION = 1e9  # a climb ends where a step gains less than so many roundings of the value


def climb(
    function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], starts: Tensor, bounds: Tensor, *, iterations: int
) -> tuple[Tensor, Tensor]:
    """Local maxima, one from each start.

    Args:
        function: Gives values `[b]` and gradients `[b, p]` of rows `[b, p]`; also told which of the starts they stem
            from, `[b]`. Where a value is not finite, the step is taken back.
        starts: `[k, p]`.
        bounds: Lower and upper ends, `[2, p]`.
        iterations: At most, of each; one is always made.

    Returns:
        Rows `[k, p]` and their values `[k]`, minus infinity where none was finite.
    """

    def cost(flat: np.ndarray, batch_indices: list[int]) -> tuple[np.ndarray, np.ndarray]:
        which = torch.as_tensor(batch_indices, device=starts.device)
        values, gradients = function(torch.from_numpy(flat).to(starts), which)
        fine = torch.isfinite(values) & torch.isfinite(gradients).all(dim=1)
        costs = torch.where(fine, -values, WORST)
        return costs.cpu().numpy(), torch.where(fine[:, None], -gradients, 0.0).cpu().numpy()

    ends = bounds.cpu().double().numpy().T
    begun = np.clip(starts.detach().cpu().numpy(), ends[:, 0], ends[:, 1])
    with one_blas_thread():
        rows, costs, _ = fmin_l_bfgs_b_batched(
            cost, begun, bounds=ends, maxiter=iterations, factr=PRECISION, pass_batch_indices=True
        )
    found = torch.as_tensor(np.clip(np.stack(rows), ends[:, 0], ends[:, 1])).to(starts)
    values = -torch.as_tensor(np.asarray(costs, dtype=np.float64)).to(starts)
    return found, torch.where(values <= -WORST, -torch.inf, values)


def one_blas_thread() -> ContextManager[object]:
    """One thread for the optimisers' tiny products, which wait for each other on several."""
    limited: ContextManager[object] = _blas().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _blas() -> ThreadpoolController:
    """What controls the threads of the linear algebra libraries that are loaded by now."""
    return ThreadpoolController()
