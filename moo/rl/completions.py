"""Fresh completions of stored language models, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from moo.base import Candidates
from moo.metered import MeteredText
from moo.seeding import child_seed

BLOCK = 1024  # completions of a policy at once, unless its method says how many


@runtime_checkable
class Writing(Protocol):
    """A generator whose candidates are language models: their weights stand in `parameters.*`.

    `copies_at_once` (a number; `BLOCK` where it is missing) says how many completions of one policy it writes at once.
    """

    def complete(self, candidates: Candidates, prompts: Sequence[str], seed: int = 0) -> list[str]:
        """One completion of each prompt by the policy of the same row; rows of one policy may share their memory."""
        ...


def completion_scores(
    problem: MeteredText, method: Writing, policies: Candidates, numbers: Tensor, seed: int
) -> Tensor:
    """Objectives of fresh completions `[k, m]` (maximised), which are paid; NaN in all columns where one is not finite.

    Args:
        problem: The metered problem. Each completion has a prompt of its own, drawn anew.
        method: Whose policies they are.
        policies: One row each.
        numbers: Which policy each completion is by, int64 `[k]`. Those of one policy that follow each other are written
            together, and its weights are not copied.
        seed: Of the completions, other ones for every policy.
    """
    prompts = problem.prompts(len(numbers))
    texts: list[str] = []
    most = getattr(method, "copies_at_once", BLOCK)
    which, counts = torch.unique_consecutive(numbers, return_counts=True)
    for number, count in zip(which.tolist(), counts.tolist(), strict=True):
        end = len(texts) + count
        while len(texts) < end:
            asked = prompts[len(texts) : min(len(texts) + most, end)]
            own = child_seed(seed, "completions", len(texts))
            texts += method.complete(_alike(policies, number, len(asked)), asked, own)
    scores, failed = problem.score(prompts, texts)
    return torch.where(failed[:, None], float("nan"), scores)


def evaluate_writers(
    problem: MeteredText, method: Writing, policies: Candidates, completions: int, seed: int
) -> Candidates:
    """The same policies with the means of so many fresh completions each as objectives.

    Args:
        problem: The metered problem.
        method: Whose policies they are.
        policies: One row each.
        completions: Of each, which are paid.
        seed: Of the completions.

    Returns:
        Candidates with objectives `[n, m]`, means over the completions whose scores are finite, NaN where there are
        none, and the extras `failed`, `reason`, `used`, `standard_error [n, m]` (NaN below two completions),
        `episodes` (completions that count) and `dropped`.
    """
    n, m = policies.objectives.shape
    numbers = torch.arange(n).repeat_interleave(completions)
    scores = completion_scores(problem, method, policies, numbers, seed).reshape(n, completions, m)
    means, count = scores.nanmean(dim=1), (~scores.isnan()).all(dim=2).sum(dim=1)
    squares = (scores - means[:, None]).square().nansum(dim=1) / (count - 1).clamp(min=1)[:, None]
    errors = torch.where(count[:, None] > 1, (squares / count[:, None]).sqrt(), float("nan"))
    extras: dict[str, Any] = {
        **policies.extras,
        "failed": count == 0,
        "reason": np.where((count == 0).numpy(), "a score was not finite", ""),
        "used": torch.full((n,), problem.used),
        "standard_error": errors,
        "episodes": count,
        "dropped": completions - count,
    }
    return Candidates(policies.solutions, means, policies.preferences, extras)


def _alike(policies: Candidates, number: int, count: int) -> Candidates:
    """So many rows of one policy, which share the memory of its weights."""
    row = policies.rows(slice(number, number + 1))

    def many(part: Tensor) -> Tensor:
        return part.expand(count, *part.shape[1:])

    weights = {name: many(part) for name, part in row.extras.items() if name.startswith("parameters.")}
    return Candidates(many(row.solutions), many(row.objectives), many(row.preferences), cast(dict[str, Any], weights))
