"""Pareto set learning by Stein variational gradients."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

from moo.base import Candidates
from moo.bayes.pareto_sets import KERNELS, stein_descent
from moo.bayes.set_search import SEARCHING, SetSearch
from moo.metered import Metered
from moo.options import Option


class SVHPSL(SetSearch):
    """Pareto set learning whose training pushes the solutions of different preferences apart.

    Source: Nguyen, Dinh, Nguyen, Hoang and Le 2025 (AAAI, 2412.17312) and its authors' public code, which is followed
    where the two differ. Differences: see docs/methods/svh_psl.md.
    """

    options: ClassVar[Mapping[str, Option]] = {
        **SEARCHING,
        "kernel": Option("local", choices=KERNELS, help="between solutions: by the objective that decides, or by all"),
        "repulsion": Option(1e-3, low=0.0, high=1e6, help="how strongly solutions are pushed apart (alpha)"),
        "width": Option(1.0, low=1e-9, high=1e9, help="factor of the kernel's squared width (c)"),
    }

    def __init__(
        self,
        problem: Metered,
        *,
        budget: int,  # noqa: ARG002
        seed: int,
        device: str,
        initial: Candidates | None = None,
        **options: Any,
    ) -> None:
        said = SimpleNamespace(**options)
        descent = stein_descent(said.kernel, said.repulsion, said.width)
        super().__init__(problem, descent, said, seed=seed, device=device, initial=initial)
