"""Objectives that are known functions, such as a price: no model learns them, and nothing is left unsure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from moo.bayes.columns import Columns
from moo.bayes.surrogates import Surrogate
from moo.checks import unknown_name
from moo.directions import turn
from moo.metered import Metered
from moo.registry import resolve

CLOSE = 1e-6  # of its value that a known objective may be off
SHARP = 1e-4  # standard deviation of a known objective, in units of its own: nearly none, so that a slope is left


class KnownObjectives:
    """The objectives of a problem that are known functions.

    Args:
        problem: Its names and directions of the objectives.
        columns: Of its space.
        said: `"objective@module:function"`, or several of these; an objective by its name or its number from 0. The
            function takes rows `[n, d]` in the problem's units and gives the objective `[n]` in its own direction, by
            operations of torch, so that it has slopes.

    Attributes:
        numbers: Which objectives, in rising order.

    Raises:
        TypeError: It is something else.
        ValueError: An objective is unknown or stands twice, or none is left to learn; a function cannot be found.
    """

    def __init__(self, problem: Metered, columns: Columns, said: Any) -> None:
        parts = [said] if isinstance(said, str) else said
        if not isinstance(parts, Sequence) or not all(isinstance(part, str) and "@" in part for part in parts):
            raise TypeError(f"`known` should be 'objective@module:function', or several of these. Found {said!r}.")
        m, self._columns, self._directions = problem.num_objectives, columns, problem.directions
        names = list(problem.objective_names) or [str(j) for j in range(m)]
        self._functions: dict[int, Callable[[Tensor], Tensor]] = {}
        for part in parts:
            name, _, home = part.partition("@")
            if name not in names and name not in map(str, range(m)):
                raise ValueError(unknown_name("objective", name, names))
            j = names.index(name) if name in names else int(name)
            if j in self._functions:
                raise ValueError(f"`known` should name each objective once. {name!r} stands there twice.")
            self._functions[j] = _function(home)
        self.numbers = sorted(self._functions)
        if len(self.numbers) == m:
            raise ValueError("`known` should leave an objective to learn. It names all: use an evolutionary method.")

    def values(self, features: Tensor) -> Tensor:
        """The known objectives `[..., k]`, maximised, of what a model is told of rows, `[..., f]`.

        Raises:
            ValueError: A function gives another shape, values that are not finite, or no slope.
        """
        shape = features.shape[:-1]
        rows = self._columns.values(features.reshape(-1, features.shape[-1]))
        inside = rows.new_zeros(len(rows), len(self._directions))
        columns = list(inside.unbind(1))
        for j, function in self._functions.items():
            found = function(rows)
            if not isinstance(found, Tensor) or found.shape != rows.shape[:1]:
                shown = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
                raise ValueError(f"The known objective {j} should be a tensor of shape [{len(rows)}]. Found {shown}.")
            if not torch.isfinite(found).all():
                raise ValueError(f"The known objective {j} should be finite everywhere in the space. It is not.")
            columns[j] = found.to(rows)
        turned = turn(torch.stack(columns, dim=1), self._directions)
        return turned[:, self.numbers].reshape(*shape, len(self.numbers))

    def filled(self, features: Tensor, objectives: Tensor) -> Tensor:
        """Told objectives `[n, m]` with the known ones where they are missing.

        Raises:
            ValueError: What was told is something else.
        """
        known, told = self.values(features), objectives[:, self.numbers]
        wrong = (told - known).abs() > CLOSE * torch.maximum(told.abs(), known.abs()).clamp_min(1e-300)
        if wrong.any():
            i, j = (int(number) for number in wrong.nonzero()[0])
            number = self.numbers[j]
            sign = 1 if self._directions[number] == "max" else -1
            raise ValueError(
                f"The known objective {number} should be what was told. Where {sign * float(told[i, j]):.6g} was told, "
                f"the function gives {sign * float(known[i, j]):.6g}."
            )
        return objectives.index_copy(1, torch.tensor(self.numbers, device=objectives.device), known)


def _function(home: str) -> Callable[[Tensor], Tensor]:
    try:
        found: Callable[[Tensor], Tensor] = resolve({home: home}, home, "function")
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"`known` should name a function as 'module:function'. {home!r}: {error}.") from error
    return found


class WithKnown:
    """A surrogate of the objectives to be learned (and constraints), and the known ones in their places.

    Args:
        learned: Of the other outputs, in order.
        known: Which objectives are known.
        size: How large differences of the known ones usually are, `[k]`, positive.
    """

    def __init__(self, learned: Surrogate, known: KnownObjectives, size: Tensor) -> None:
        self.learned, self.known, self.size = learned, known, size
        self.num_outputs = learned.num_outputs + len(known.numbers)
        self._others = [j for j in range(self.num_outputs) if j not in known.numbers]

    def _joined(self, learned: Tensor, known: Tensor) -> Tensor:
        """Outputs `[..., m + c]` of the learned and the known ones."""
        order = torch.tensor([*self._others, *self.known.numbers], device=learned.device).argsort()
        return torch.cat([learned, known.expand(*learned.shape[:-1], -1)], dim=-1)[..., order]

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        means, sd = self.learned.moments(rows)
        return self._joined(means, self.known.values(rows)), self._joined(sd, SHARP * self.size)

    def samples(self, rows: Tensor, normal: Tensor) -> Tensor:
        return self._joined(self.learned.samples(rows, normal[..., self._others]), self.known.values(rows))

    def conditioned(self, rows: Tensor, values: Tensor) -> WithKnown:
        return WithKnown(self.learned.conditioned(rows, values[..., self._others]), self.known, self.size)
