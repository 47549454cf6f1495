"""Judges: callables that say of whole batches of samples which of them satisfy a constraint.

A judge is told `Samples` and answers with booleans `[n]`. A problem offers its own in `judges`, a mapping of names;
others are named as `"module:function"`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.base import Candidates
from moo.checks import unknown_name
from moo.directions import turn
from moo.registry import resolve
from moo.rl.episodes import Episodes


@dataclass(frozen=True)
class Samples:
    """What judges are told of n samples, all of which ended and whose rewards are numbers.

    Attributes:
        returns: `[n, m]`, float64, in the problem's own directions.
        actions: int64 `[n, T]`, -1 behind a sample's end.
        solutions: Finished states of a construction problem `[n, ...]`, else None.
        constraints: What the problem itself says, `[n, c]`, satisfied where `<= 0`; None where it has none.
        prompts, completions: Of a text problem, else None.
    """

    returns: Tensor
    actions: Tensor
    solutions: Tensor | None = None
    constraints: Tensor | None = None
    prompts: Sequence[str] | None = None
    completions: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.returns)


Judge = Callable[[Samples], Any]


class ScoreJudge:
    """A model-based judge: satisfied where a model's score is at least a value.

    Args:
        score: Batched: `Samples` to numbers `[n]`, such as a classifier's chances.
        least: The value.
    """

    def __init__(self, score: Callable[[Samples], Any], least: float) -> None:
        self.score, self.least = score, float(least)

    def __call__(self, samples: Samples) -> Tensor:
        scores = check_scores("a judge's model", self.score(samples), len(samples))
        return scores >= self.least


class ReturnJudge:
    """A rule-based judge: satisfied where a sample's return of an objective is at least a value, or at most.

    Args:
        objective: Its number.
        threshold: The value, in the problem's own direction.
        direction: `"max"`: at least; `"min"`: at most.
    """

    def __init__(self, objective: int, threshold: float, direction: str = "max") -> None:
        self.objective, self.threshold, self.direction = objective, float(threshold), direction

    def __call__(self, samples: Samples) -> Tensor:
        returns = samples.returns[:, self.objective]
        return returns >= self.threshold if self.direction == "max" else returns <= self.threshold


class ConstraintJudge:
    """A rule-based judge: satisfied where a constraint of the problem itself is.

    Args:
        number: Of the constraint.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, samples: Samples) -> Tensor:
        assert samples.constraints is not None
        return samples.constraints[:, self.number] <= 0


def find_judges(problem: Any, said: Any) -> dict[str, Judge]:
    """The judges of a problem: of its constraints, and those it offers, or those named instead of the latter.

    Args:
        problem: May have `num_constraints`, and `judges`, a mapping of names to judges.
        said: None: all that it offers; else a name or several, each of one that it offers or `"module:function"`.

    Returns:
        Names and judges, those of the problem's constraints first.

    Raises:
        TypeError: `said` is something else.
        ValueError: A name is unknown or stands twice, or a function cannot be found.
    """
    offered: Mapping[str, Judge] = getattr(problem, "judges", {})
    names = [said] if isinstance(said, str) else list(offered) if said is None else said
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"`judges` should be names of judges or 'module:function', or several of these. Found {said!r}."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"`judges` should name each judge once. {twice[0]!r} stands there twice.")
    own: dict[str, Judge] = {f"constraint {i + 1}": ConstraintJudge(i) for i in range(problem.num_constraints)}
    return own | {name: offered[name] if name in offered else found_by(name, "judge", offered) for name in names}


def found_by(name: str, what: str, known: Mapping[str, Any]) -> Any:
    """What `"module:function"` names.

    Raises:
        ValueError: It is written otherwise, or cannot be found.
    """
    if ":" not in name:
        raise ValueError(f"{unknown_name(what, name, known)} Another one is named as 'module:function'.")
    try:
        return resolve({name: name}, name, what)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"A {what} should be named as 'module:function'. {name!r}: {error}.") from error


def samples_of(episodes: Episodes, told: Candidates | None, directions: Sequence[str]) -> Samples:
    """The sound ones of episodes `[p, c]`, policy by policy, as judges are told of them.

    Args:
        episodes: Of p policies.
        told: The objects that were built and evaluated, in the same order; None: none were.
        directions: Of the problem's objectives.
    """
    rows = torch.nonzero(episodes.sound.flatten()).flatten()
    returns = turn(episodes.returns.flatten(0, 1)[rows].cpu(), directions)
    actions = torch.where(episodes.moves, episodes.actions, -1).flatten(0, 1)[rows].cpu()
    if told is None:
        prompts, texts = (
            [part[row] for row in rows.tolist()] if part else None for part in (episodes.prompts, episodes.texts)
        )
        return Samples(returns, actions, prompts=prompts, completions=texts)
    found = told.rows(rows.cpu())
    return Samples(returns, actions, found.solutions, found.extras.get("constraints"))


def verdicts(judges: Mapping[str, Judge], samples: Samples, sound: Tensor) -> Tensor:
    """What every judge says, bool `[p, c, j]`; false where a sample is not sound. No judge hears of these.

    Args:
        judges: j of them.
        samples: The sound ones, in the order of `samples_of`.
        sound: Bool `[p, c]`.

    Raises:
        TypeError: A judge's answer cannot be read as numbers.
        ValueError: It has another shape, or is neither true nor false somewhere.
    """
    found = torch.zeros(*sound.shape, len(judges), dtype=torch.bool, device=sound.device)
    if len(samples):
        for number, (name, judge) in enumerate(judges.items()):
            found[..., number][sound] = _read(name, judge(samples), len(samples)).to(sound.device)
    return found


def _read(name: str, answer: Any, n: int) -> Tensor:
    values = check_scores(f"judge {name!r}", answer, n)
    odd = torch.nonzero((values != 0) & (values != 1)).flatten()
    if len(odd):
        raise ValueError(
            f"Judge {name!r} should say true or false of each sample. Of sample {int(odd[0])} it says "
            f"{float(values[odd[0]]):g}. A score is made a judge by `moo.rl.judges.ScoreJudge(score, least)`."
        )
    return values.bool()


def check_scores(name: str, answer: Any, n: int) -> Tensor:
    """Read what was said of n samples as float64 `[n]` on the CPU.

    Raises:
        TypeError: It cannot be read as numbers.
        ValueError: It has another shape or holds NaN.
    """
    try:
        plain = answer.detach().cpu().numpy() if isinstance(answer, Tensor) else answer
        values = torch.from_numpy(np.array(plain, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise TypeError(f"What {name} says should be {n} numbers. Found {type(answer).__name__}: {error}.") from error
    if values.shape != (n,):
        raise ValueError(f"What {name} says should have shape [{n}], one for each sample. Found {list(values.shape)}.")
    lost = torch.nonzero(values.isnan()).flatten()
    if len(lost):
        raise ValueError(f"What {name} says should hold no NaN. Sample {int(lost[0])} is NaN.")
    return values
