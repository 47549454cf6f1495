"""The perfect sampler: what a generator would find that had learned the exact conditional law."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from moo.base import Candidates, Setting
from moo.gflow.rewards import SCALARISATIONS
from moo.metered import Metered
from moo.options import Option
from moo.seeding import child_seed


class PerfectSampler:
    """A ceiling, not a method: objects from the exact law `p(x | preference, beta)`, one for each preference.

    It reads the law off the problem's oracle and learns nothing. What a learned sampler scores above it is luck, or a
    law that is too sharp.
    """

    kinds: ClassVar[tuple[str, ...]] = ("construction",)
    columns: ClassVar[tuple[str, ...]] = ()
    encodings: ClassVar[tuple[str, ...]] = ()
    max_objectives: ClassVar[int | None] = None
    constraints: ClassVar[bool] = False
    uses_preferences: ClassVar[bool] = True
    schedules_by_budget: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "beta": Option(32.0, low=0.0, high=1e4, help="how sharply preferences are followed"),
        "scalarisation": Option("weighted-sum", choices=SCALARISATIONS, help="from objectives to a reward"),
        "batch": Option(100, low=1, high=100_000, help="objects of a step, each for a preference of its own"),
    }
    wants_setting = True
    finished = ""

    def __init__(
        self,
        problem: Metered,
        *,
        budget: int,  # noqa: ARG002
        seed: int,
        device: str,  # noqa: ARG002
        initial: Candidates | None = None,  # noqa: ARG002
        beta: float,
        scalarisation: str,
        batch: int,
    ) -> None:
        if not hasattr(problem.oracle, "perfect_sampler"):
            raise ValueError(
                f"Method 'perfect-sampler' needs a problem whose oracle knows the exact law. {problem.name!r} has none."
            )
        self.problem, self.beta, self.scalarisation = problem, beta, scalarisation
        self.preferences_per_round = batch
        self._seed = seed
        self._steps = 0

    def step(self, setting: Setting | None) -> Candidates:
        """One object for each preference of the setting."""
        assert setting is not None
        assert setting.preferences is not None
        objects = self.sample(setting.preferences, child_seed(self._seed, "objects", self._steps))
        n = self.problem.affordable(len(objects))
        self._steps += 1
        return self.problem.evaluate(objects[:n], preferences=setting.preferences[:n])

    def sample(self, preferences: torch.Tensor, seed: int = 0) -> torch.Tensor:
        """One object for each of the preferences `[k, m]`: finished states `[k, ...]`."""
        form = {"seed": seed, "scalarisation": self.scalarisation}
        drawn: torch.Tensor = self.problem.oracle.perfect_sampler(preferences, self.beta, 1, **form)
        return drawn.squeeze(1)

    def finals(self) -> Candidates | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._steps = state["steps"]
