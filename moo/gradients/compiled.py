"""PAMA's weights for many tokens, compiled by numba (optional extra `fast`)."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, fastmath=False)  # type: ignore[untyped-decorator]
def project(advantages: np.ndarray, weights: np.ndarray) -> bool:
    """Write the weights of each row of advantages `[k, n]`; False where one is not finite.

    The arithmetic is that of `moo.gradients.projections`, operation by operation, so that results are equal.
    """
    k, n = advantages.shape
    zero = advantages.dtype.type(0)
    one = advantages.dtype.type(1)
    finite = True
    for row in range(k):
        low = high = advantages[row, 0]
        for i in range(n):
            value = advantages[row, i]
            finite = finite and np.isfinite(value)
            low, high = min(low, value), max(high, value)
        below, above = max(-low, zero), max(high, zero)
        lowest = one if low == high else above / (below + above)
        at_low, at_high = 0, 0
        for i in range(n):
            value = advantages[row, i]
            at_low += value == low
            at_high += value == high
            weights[row, i] = lowest if value == low else (one - lowest if value == high else zero)
        if at_low > 1 or at_high > 1:
            for i in range(n):
                if advantages[row, i] == low:
                    weights[row, i] = lowest / at_low
                elif advantages[row, i] == high:
                    weights[row, i] = (one - lowest) / at_high
    return finite
