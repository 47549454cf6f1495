"""A front of models: one training run for each preference, and the mean rewards that each model reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from moo.adapters.trl.trainer import MultiObjectiveGRPOTrainer
from moo.archive import Archive
from moo.base import Candidates
from moo.checks import check_matrix
from moo.preferences import check_preferences


class Sweep(NamedTuple):
    """What `train_sweep` returns.

    Attributes:
        front: Those of the runs that no other one dominates. Chosen by noisy means, it flatters by a part of their
            standard errors: measure what you choose anew, on fresh prompts.
        runs: All runs, a row each: `solutions` `[k, 1]` holds their number, `objectives` mean rewards `[k, n]`,
            `extras["std"]` the standard errors of these, `preferences` what each followed.
    """

    front: Archive
    runs: Candidates


def train_sweep(make: Callable[..., MultiObjectiveGRPOTrainer], preferences: Any, eval_dataset: Any = None) -> Sweep:
    """Train a model for each preference, one after the other, and measure it.

    Args:
        make: Called with a preference, a list of n numbers, and the mean rewards `[i, n]` of the i runs before (for
            `HypervolumeGradient`). It returns a trainer, best with an `output_dir` of its own; saving the model is
            left to its configuration.
        preferences: `[k, n]`, rows of sum 1.
        eval_dataset: Prompts to measure on; None: the trainer's own.

    Raises:
        TypeError: The preferences are no array of numbers, or `make` returns something else.
        ValueError: A row of the preferences is none.
    """
    table = check_matrix("preferences", preferences)
    rows = check_preferences(table, table.shape[1])
    runs = Candidates.empty((1,), rows.shape[1])
    for number, preference in enumerate(rows):
        trainer = make(preference.tolist(), runs.objectives)
        if not isinstance(trainer, MultiObjectiveGRPOTrainer):
            raise TypeError(f"`make` should return a MultiObjectiveGRPOTrainer. Found {type(trainer).__name__}.")
        trainer.train()
        means, errors = trainer.measure(eval_dataset)
        one = torch.tensor([[float(number)]], dtype=torch.float64)
        runs = Candidates.cat([runs, Candidates.of(one, means[None], preference[None], std=errors[None])])
    front = Archive((1,), rows.shape[1])
    front.add(runs)
    return Sweep(front, runs)
