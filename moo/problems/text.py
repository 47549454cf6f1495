"""Texts: completions of prompts by a language model, with several rewards as objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moo.base import TextProblem
from moo.checks import check_count, unknown_name
from moo.text.named import REWARDS, openings
from moo.text.rewards import Reward

PROMPTS = ("none", "openings")


class Text(TextProblem):
    """Completions of prompts; each objective is the expected reward of one reward function, all maximised.

    The language model is an option of the methods. By name there is the offline test bed, whose data
    `python -m moo.text.fetch` fetches; from Python take prompts and rewards of your own:
    `Text({"short": lambda prompts, completions: [...]}, ["Once upon a time"])`.

    Rewards by name, each from 0 to 1:

    - `sentiment`: the rating that a ridge regression predicts, trained on one half of rated film reviews (words and
      pairs of words), -4 being 0 and 4 being 1. `sentiment-gold` is the same, trained on the other half: what the
      former is a proxy of.
    - `length`: characters over `target`, at most 1.
    - `harmlessness`: 1 less the chance of profanity by alt-profanity-check.
    - `fluency`: the inverse perplexity of the characters by the pre-trained character model.
    - `readability`: Flesch's reading ease over 100.
    - `lexicon`: the mean valence of its words by VADER's lexicon.

    Source: the pair of sentiment and length is that of He and Maghsudi 2025 (PAMA, 2508.07768), who take films' reviews
    and GPT-2; here model and reward are small and offline.

    Args:
        objectives: At least one reward, by name or as a mapping from names to functions of prompts and completions
            that give one number for each pair; NaN drops the pair.
        prompts: Texts to draw from; `"none"`: the empty one alone; `"openings"`: the first three words of film reviews.
        target: Characters at which `length` is 1.
        reference_point: For the hypervolume, one number for each reward; None: zeros where all rewards are named ones,
            else inferred.

    Attributes:
        rewards: By objective, functions of prompts and completions.

    Raises:
        TypeError: A reward is no function, or a prompt no text.
        ValueError: A name is unknown, or there are no prompts.
        FileNotFoundError: What a named reward needs was not fetched.
        ImportError: A package that it needs is missing.
    """

    name = "text"
    stochastic = False  # a completion's rewards are; policies draw their completions

    def __init__(
        self,
        objectives: str | Sequence[str] | Mapping[str, Reward] = ("sentiment", "length"),
        prompts: str | Sequence[str] = "none",
        target: int = 40,
        reference_point: Sequence[float] | None = None,
    ) -> None:
        target = check_count("target", target)
        self.rewards = _rewards(objectives, target)
        self.objective_names = tuple(self.rewards)
        self.num_objectives = len(self.rewards)
        self.directions = ("max",) * self.num_objectives
        named = not isinstance(objectives, Mapping)
        point = [0.0] * self.num_objectives if reference_point is None and named else reference_point
        self.reference_point = None if point is None else torch.tensor(point, dtype=torch.float64)
        self._prompts = _prompts(prompts)

    def prompts(self, n: int, generator: torch.Generator) -> list[str]:
        """Draw `n` prompts: different ones, where there are as many."""
        rounds = -(-n // len(self._prompts))
        orders = [torch.randperm(len(self._prompts), generator=generator) for _ in range(rounds)]
        return [self._prompts[number] for number in torch.cat(orders)[:n].tolist()] if rounds else []

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> Tensor:
        """Rewards float64 `[n, m]` of completions.

        Raises:
            ValueError: A reward gives another number of values.
        """
        columns = [self._column(name, prompts, completions) for name in self.rewards]
        return torch.from_numpy(np.stack(columns, axis=1))

    def _column(self, name: str, prompts: Sequence[str], completions: Sequence[str]) -> np.ndarray:
        given = self.rewards[name](prompts, completions)
        column = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given, dtype=np.float64)
        if column.shape != (len(completions),):
            raise ValueError(
                f"Reward {name!r} should give one number for each completion, {len(completions)} in all. "
                f"Found shape {list(column.shape)}."
            )
        return column


def _rewards(objectives: Any, target: int) -> dict[str, Reward]:
    """The rewards by name."""
    if not isinstance(objectives, Mapping):
        names = [objectives] if isinstance(objectives, str) else list(objectives)
        for name in names:
            if name not in REWARDS:
                raise ValueError(unknown_name("reward", name, REWARDS))
            if names.count(name) > 1:
                raise ValueError(f"`objectives` should be different from each other. {name!r} stands there twice.")
        objectives = {name: REWARDS[name](target) for name in names}
    for name, reward in objectives.items():
        if not callable(reward):
            raise TypeError(f"Reward {name!r} should be a function of prompts and completions. Found {reward!r}.")
    if not objectives:
        raise ValueError("`objectives` should name at least one reward. Found none.")
    return dict(objectives)


def _prompts(prompts: Any) -> tuple[str, ...]:
    """The prompts to draw from."""
    if isinstance(prompts, str):
        if prompts not in PROMPTS:
            raise ValueError(f"{unknown_name('prompts', prompts, PROMPTS)} Texts of your own stand in a list.")
        return ("",) if prompts == "none" else openings()
    wrong = next((prompt for prompt in prompts if not isinstance(prompt, str)), None)
    if wrong is not None:
        raise TypeError(f"`prompts` should be texts. Found {wrong!r}.")
    if not len(prompts):
        raise ValueError("`prompts` should hold at least one text. Found none.")
    return tuple(prompts)
