"""Fixed weights: each policy climbs a weighted sum of its returns. The baseline of everything that moves weights."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from moo.rl.advantages import Advantages
from moo.rl.sweep import WITH_TEXT, PolicySweep


class FixedWeights(PolicySweep):
    """A linear sweep: the weights of the objectives are the policy's preferences, from beginning to end.

    What is called MORLHF where the policies are language models. Policies that draw their actions reach all mixtures,
    and there every Pareto point is best for some weights; but where the best for many weights is one and the same
    corner, the sweep finds corners.

    Source: the sweep goes back to Zadeh 1963 (IEEE Transactions on Automatic Control 8); of language models: Zhou et
    al. 2024 (2310.03708), who hold their method against it. The episodes and what they are held against are described
    in `moo/rl/sweep.py` and `moo/rl/estimators.py`.
    """

    kinds: ClassVar[tuple[str, ...]] = WITH_TEXT

    def gains(self, advantages: Advantages, preferences: Tensor) -> Tensor:
        return advantages.weighted(preferences)
