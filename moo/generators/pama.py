"""PAMA: reinforce what every objective likes, by what the least fond of it would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Candidates
from moo.gradients import pama, pama_gram
from moo.metered import Metered
from moo.options import Option
from moo.rl.advantages import Advantages
from moo.rl.estimators import PER_OBJECTIVE
from moo.rl.sweep import LEVEL_OPTIONS, SWEEP_OPTIONS, WITH_TEXT, PolicySweep

ALONE = (*(name for name in PER_OBJECTIVE if name != "gdpo"), "ppo")  # GDPO is GRPO of every objective
READINGS = ("step", "batch", "gram")


class PAMA(PolicySweep):
    """Pareto multi-objective alignment: the gain of an action is the projection of 0 onto the range of its advantages.

    Advantages are made non-negative first (Noon: `max(A, 0)`, or `leak A` where `A < 0`), so the gain is the least of
    them. The paper leaves open of what the range is taken; `reading` says:

    - `"step"`: of the advantages of each step (token).
    - `"batch"`: of their means over the batch. Then all steps have the same gain, whose expected gradient is 0.
    - `"gram"`: one combination for the batch, the shortest of the objectives' rows of advantages (PAMA-G). Ours.

    As published it takes no preference and finds one policy. With `follow` (ours, the default) each policy has one:
    what is compared are advantages in units of the preferences, and objectives that are ahead of the worst shortfall
    give way to it (`moo.gradients.pama`). So a sweep gives a front. `follow=false` is the paper's.

    The more objectives, the fewer actions that all of them like: with independent advantages of either sign all but
    `2^-m` of the gains are 0. With a `leak` what no objective likes is heard as well, `2^(1-m)` in all. With a
    `softness` t every action is: the gain is the soft minimum `-t log mean exp(-x / t)`, x being the advantages; with
    preferences p and shortfalls s, of `p (advantage - s)`, less the same of `-p s`.

    Source: He and Maghsudi 2025 (ECML-PKDD, 2508.07768); the soft minimum: RVPO (2605.05750). Differences:
    docs/methods/pama.md.
    """

    kinds: ClassVar[tuple[str, ...]] = WITH_TEXT
    options: ClassVar[Mapping[str, Option]] = {
        "reading": Option("step", choices=READINGS, help="of what the range of advantages is taken"),
        "follow": Option(True, help="each policy follows its preference; false: as published, none does"),
        "noon": Option(True, help="advantages below 0 are multiplied by `leak`"),
        "leak": Option(0.0, low=0.0, high=1.0, help="what is left of them"),
        "softness": Option(0.0, low=0.0, high=100.0, help="temperature of a soft minimum; 0: the projection"),
        **LEVEL_OPTIONS,
        **SWEEP_OPTIONS,
        "estimator": Option("rloo", choices=ALONE, help="what episodes are held against; ppo has value heads"),
    }

    def __init__(self, problem: Metered, *, initial: Candidates | None = None, **options: Any) -> None:
        if options["softness"] and options["reading"] != "step":
            raise ValueError(
                f"Option `softness` is for reading=step, which takes a minimum. Found reading={options['reading']}. "
                "Leave it at 0."
            )
        super().__init__(problem, initial=initial, **options)

    def gains(self, advantages: Advantages, preferences: Tensor) -> Tensor:
        said, live = self._said, advantages.episodes.live
        each = self.comparable(advantages)
        if said.noon:
            each = torch.where(each < 0, said.leak * each, each)
        context = self._context(preferences)
        if said.softness:
            gains = soft_least(each, said.softness, *(one[:, None, None] for one in context))
        elif said.reading == "step":
            weights = pama(each, *(one[:, None, None] for one in context))
            gains = (weights * each).sum(dim=3)
        elif said.reading == "batch":
            means = each.sum(dim=(1, 2)) / live.sum(dim=(1, 2)).clamp(min=1)[:, None]
            gains = (pama(means, *context) * means).sum(dim=1)[:, None, None].expand(live.shape)
        else:
            rows = each.flatten(1, 2)
            weights = pama_gram(rows.transpose(1, 2) @ rows / rows.shape[1], *context)
            gains = (weights[:, None, None] * each).sum(dim=3)
        return gains * live

    def _context(self, preferences: Tensor) -> tuple[Tensor, ...]:
        """Preferences and shortfalls of the policies, each `[p, m]`; nothing where they follow none."""
        return (preferences, self.levels.shortfalls) if self._said.follow else ()


def soft_least(
    advantages: Tensor, softness: float, preferences: Tensor | None = None, shortfalls: Tensor | None = None
) -> Tensor:
    """The soft minimum of `p (advantage - shortfall)` over objectives, less the same without the advantage, `[...]`.

    Without preferences and shortfalls it is `-t log mean exp(-advantage / t)`: the mean of the advantages for a large
    softness t, the least of them for a small one.

    Args:
        advantages: `[..., m]`.
        softness: t, above 0.
        preferences: `[..., m]`; None: ones.
        shortfalls: `[..., m]`; None: zeros.
    """
    preference = torch.ones_like(advantages) if preferences is None else preferences
    shortfall = torch.zeros_like(advantages) if shortfalls is None else shortfalls
    stands = -(preference * shortfall).expand_as(advantages)
    moved = stands + preference * advantages
    softly = [-softness * torch.logsumexp(-level / softness, dim=-1) for level in (moved, stands)]
    return softly[0] - softly[1]
