"""Pareto set learning by Stein variational gradients."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

from torch import Tensor

from moo.base import Candidates, Setting
from moo.bayes.pareto_sets import KERNELS, stein_descent
from moo.bayes.set_search import SEARCHING, SetSearch
from moo.metered import Metered, step_by_asking
from moo.options import Option


class SVHPSL:
    """Pareto set learning whose training pushes the solutions of different preferences apart.

    Source: Nguyen, Dinh, Nguyen, Hoang and Le 2025 (AAAI, 2412.17312) and its authors' public code, which is followed
    where the two differ. Differences: see docs/methods/svh_psl.md.
    """

    kinds: ClassVar[tuple[str, ...]] = ("vector",)
    columns: ClassVar[tuple[str, ...]] = ("real", "integer")
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = 5
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = False  # it draws its own
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        **SEARCHING,
        "kernel": Option("local", choices=KERNELS, help="between solutions: by the objective that decides, or by all"),
        "repulsion": Option(1e-3, low=0.0, high=1e6, help="how strongly solutions are pushed apart (alpha)"),
        "width": Option(1.0, low=1e-9, high=1e9, help="factor of the kernel's squared width (c)"),
    }
    own_points: ClassVar[bool] = True
    wants_setting = False
    preferences_per_round = 0

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
        self.problem, said = problem, SimpleNamespace(**options)
        descent = stein_descent(said.kernel, said.repulsion, said.width)
        self._search = SetSearch(problem, descent, said, seed=seed, device=device, initial=initial)

    @property
    def finished(self) -> str:
        """Why nothing is left to do."""
        return self._search.finished

    def step(self, setting: Setting | None) -> Candidates:  # noqa: ARG002
        return step_by_asking(self, self.problem, self._search.due())

    def ask(self, n: int) -> Candidates:
        """The next `n` rows: Sobol points first, then points of the learned set."""
        return self._search.ask(n)

    def tell(self, candidates: Candidates) -> None:
        """Evaluated rows: asked for by `id`, or points of one's own."""
        self._search.tell(candidates)

    def sample(self, preferences: Tensor, seed: int = 0) -> Tensor:
        """Canonical rows `[k, d]` for preferences `[k, m]`: those of the last learned set, whatever the seed.

        Before anything is learned they are those of a new network, drawn by the seed.
        """
        return self._search.sample(preferences, seed)

    def finals(self) -> Candidates | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return self._search.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._search.load_state_dict(state)
