"""Re-evaluation: what a noisy front is really worth.

On a noisy problem the archive of observed values keeps what was lucky. So a pool is evaluated again on fresh seeds and
the front chosen by those means; then the chosen rows are evaluated on a second set of fresh seeds, and these means are
what is reported. Choosing and reporting on the same values would be luck again.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from moo.base import Candidates
from moo.dominance import non_dominated
from moo.metered import Metered, MeteredEnvironment
from moo.rl.rollouts import episode_returns
from moo.seeding import torch_generator


def needs_reevaluation(problem: Metered, generator: Any) -> bool:
    """Whether observed objectives are noisy and can be observed again: noise, or policies, which draw their actions."""
    if problem.kind == "environment":
        return hasattr(generator, "act")
    return bool(problem.stochastic) and problem.kind in ("vector", "construction")


def honest_front(problem: Metered, generator: Any, pool: Candidates, episodes: int) -> Candidates:
    """The front of a pool, chosen and reported on separate fresh evaluations, counted apart.

    Args:
        problem: The metered problem.
        generator: The method; its `act` plays policies.
        pool: Distinct rows to choose from, failed ones left out.
        episodes: Evaluations of each row, for choosing and again for reporting.

    Returns:
        The chosen rows. Their objectives are means of the second set; extras `standard_error [n, m]` and
        `episodes [n]`. Reported means need not be mutually non-dominated.
    """
    if not len(pool):
        return pool
    with problem.apart():
        chosen = _sound(_means(problem, generator, pool, episodes))
        best = chosen.rows(non_dominated(chosen.objectives))
        return _sound(_means(problem, generator, best, episodes))


def _sound(candidates: Candidates) -> Candidates:
    """The rows that succeeded at least once and are feasible on average."""
    return candidates.rows(~candidates.failed & (candidates.violation == 0))


def distinct(parts: list[Candidates]) -> Candidates:
    """The rows of several records that did not fail, each solution once, the first of equals staying."""
    together = Candidates.cat(parts)
    together = together.rows(~together.failed)
    seen: set[tuple[Any, ...]] = set()
    keep = []
    for number, row in enumerate(together.solutions.flatten(1).tolist()):
        key = tuple(row)
        if key not in seen:
            seen.add(key)
            keep.append(number)
    return together.rows(torch.tensor(keep, dtype=torch.int64))


def _means(problem: Metered, generator: Any, rows: Candidates, episodes: int) -> Candidates:
    """Each row with the mean of `episodes` fresh evaluations as its objectives (and constraints)."""
    values, constraints = _observe(problem, generator, rows, episodes)
    count = (~values.isnan().any(dim=2)).sum(dim=1)
    mean = values.nanmean(dim=1)
    spread = (values - mean[:, None]).square().nansum(dim=1) / (count - 1).clamp(min=1)[:, None]
    extras = {key: value for key, value in rows.extras.items() if key not in ("constraints", "std", "reason")}
    extras["failed"] = count == 0
    extras["standard_error"] = torch.where(count[:, None] > 1, (spread / count[:, None]).sqrt(), float("nan"))
    extras["episodes"] = count
    if constraints is not None:
        extras["constraints"] = constraints
    return Candidates(rows.solutions, mean, rows.preferences, extras)


def _observe(problem: Metered, generator: Any, rows: Candidates, episodes: int) -> tuple[Tensor, Tensor | None]:
    """Objectives `[n, episodes, m]` of fresh evaluations, NaN where one failed, and the constraints' means `[n, c]`."""
    n = len(rows)
    repeated = torch.arange(n).repeat_interleave(episodes)
    if problem.kind == "environment":
        copies = rows.rows(repeated)
        stream = torch_generator(problem.seed, "actions apart", problem.used_apart)
        environment = cast(MeteredEnvironment, problem)
        returns, failed, _ = episode_returns(
            environment, lambda observations, _: generator.act(copies, observations, stream), len(copies)
        )
        values = torch.where(failed[:, None], float("nan"), returns).cpu()
        return values.reshape(n, episodes, problem.num_objectives), None
    told = problem.evaluate(rows.solutions[repeated])
    constraints = told.extras.get("constraints")
    means = None if constraints is None else constraints.reshape(n, episodes, problem.num_constraints).nanmean(dim=1)
    return told.objectives.reshape(n, episodes, problem.num_objectives), means
