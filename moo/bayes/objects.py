"""Objects of construction problems as Bayesian methods see them: the rows told and pending, and what is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from moo.base import Candidates
from moo.bayes.cells import free_cells
from moo.bayes.improvement import LogExpectedHypervolumeImprovement, log_improvement
from moo.bayes.sequences import SequenceFeatures, SequenceProcesses
from moo.dominance import non_dominated
from moo.gflow.histories import action_rows
from moo.metered import Metered

EVERY_FIT = 200  # rows up to which hyperparameters are learned anew with every row; beyond, when there are 2.5 % more
LEAST = 1e-6  # of the variance of exact values: what choices leave of another's is not taken below


class ObjectLedger:
    """What was told and what was asked for, of finished states.

    Args:
        shape: Of one finished state.
        num_objectives: m.

    Attributes:
        known: What was told, in that order.
        asked: How many objects were asked for, which is the next one's id.
    """

    def __init__(self, shape: tuple[int, ...], num_objectives: int) -> None:
        self._shape, self._num_objectives = shape, num_objectives
        self.known = Candidates.empty(shape, num_objectives, torch.int64)
        self.asked = 0
        self._pending: dict[int, Tensor] = {}  # id -> state asked for and not told yet
        self._tried: set[bytes] = set()

    def __len__(self) -> int:
        """Objects known or pending."""
        return len(self.known) + len(self._pending)

    def new(self, objects: Tensor) -> Tensor:
        """Those of `objects [n, ...]` that are neither known nor pending, each once, in their order."""
        taken, rows = set(self._tried), []
        for row, key in enumerate(_keys(objects)):
            if key not in taken:
                taken.add(key)
                rows.append(row)
        return objects[rows]

    def ask(self, objects: Tensor, **why: Tensor) -> Candidates:
        """Enter `objects [n, ...]` as asked for: a record of them, with `id` and numbers `[n]` that say why."""
        ids = torch.arange(self.asked, self.asked + len(objects))
        nan = torch.full((len(objects), self._num_objectives), float("nan"), dtype=torch.float64)
        self._pending.update(zip(ids.tolist(), objects, strict=True))
        self._tried.update(_keys(objects))
        self.asked += len(objects)
        return Candidates.of(objects, nan, id=ids, **why)

    def tell(self, candidates: Candidates) -> None:
        """Enter evaluated objects: asked for by `id`, or one's own."""
        for number in candidates.extras.get("id", torch.empty(0)).tolist():
            self._pending.pop(int(number), None)
        self._tried.update(_keys(candidates.solutions))
        self.known = Candidates.cat([self.known, candidates])

    @property
    def ordered(self) -> Candidates:
        """What is known, in an order that does not depend on the order in which it was told."""
        ids = self.known.extras.get("id")
        return self.known if ids is None else self.known.rows(ids.argsort(stable=True))

    @property
    def waiting(self) -> Tensor:
        """The pending objects `[k, ...]`, by id."""
        states = [self._pending[number] for number in sorted(self._pending)]
        return torch.stack(states) if states else torch.empty(0, *self._shape, dtype=torch.int64)

    def state_dict(self) -> dict[str, Any]:
        """All of it."""
        return {"known": self.known.state_dict(), "asked": self.asked, "pending": dict(self._pending)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.known, self.asked = Candidates.from_state(state["known"]), state["asked"]
        self._pending = {int(number): row for number, row in state["pending"].items()}
        self._tried = {*_keys(self.known.solutions), *_keys(self.waiting)}


def _keys(objects: Tensor) -> list[bytes]:
    """Of finished states `[n, ...]`, each as bytes."""
    return [row.tobytes() for row in objects.cpu().numpy()]


class Worth:
    """The logarithm of the expected improvement of the hypervolume, where evaluations succeed.

    Attributes:
        acquisition: The improvement, in closed form.
        success: What is believed of evaluations: 1 where they succeed, 0 where they fail; None: none failed.
        reached: Objectives of what was told, and of what is pending as they are believed, `[n, m]`.
        point: The reference point `[m]`.
    """

    def __init__(
        self, surrogate: SequenceProcesses, reached: Tensor, point: Tensor, success: SequenceProcesses | None
    ) -> None:
        self.acquisition = LogExpectedHypervolumeImprovement(surrogate, point, reached[non_dominated(reached.cpu())])
        self.surrogate, self.reached, self.point, self.success = surrogate, reached, point, success

    def log_success(self, rows: Tensor) -> Tensor:
        """The logarithm of the probability that features `[n, f]` succeed, `[n]`.

        That of a normal number with the mean and variance of the process to lie above 1/2.
        """
        if self.success is None:
            return rows.new_zeros(len(rows))
        mean, sd = self.success.moments(rows)
        logarithm: Tensor = torch.special.log_ndtr((mean[0, :, 0] - 0.5) / sd[:, 0])
        return logarithm

    def __call__(self, rows: Tensor) -> Tensor:
        """Of features `[n, f]`: `[n]`."""
        return self.acquisition.value(rows) + self.log_success(rows)

    def best_in_turn(self, rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Numbers of `count` of the features `[n, f]`, each the best given those before, and their values.

        After each choice its mean enters the front, as if it had been told, and the others' variances are conditioned
        on it; means stay (Ginsbourger, Le Riche and Carraro 2010, the kriging believer).
        """
        means, covariances = self.surrogate.joint(rows)
        variances, rounding = covariances.diagonal(dim1=1, dim2=2), self.surrogate.rounding
        succeed, open_ = self.log_success(rows), torch.ones(len(rows), dtype=torch.bool, device=rows.device)
        reached = self.reached[non_dominated(self.reached.cpu())]
        chosen, values = [], []
        pieces = means.new_zeros(len(means), len(rows), 0)  # of what is explained, one column for each choice
        for _ in range(min(count, len(rows))):
            lower, upper = (ends.to(rows.device)[None] for ends in free_cells(reached, self.point))
            sd = torch.maximum(variances, LEAST * rounding[:, None]).sqrt()
            worth = log_improvement(means.T[None], sd.T, lower, upper) + succeed
            best = int(worth.masked_fill(~open_, -torch.inf).argmax())
            chosen.append(best)
            values.append(worth[best])
            open_[best] = False
            left = covariances[:, :, best] - (pieces @ pieces[:, best, :, None]).squeeze(-1)
            piece = left / (left[:, best].clamp_min(0) + rounding).sqrt()[:, None]
            pieces = torch.cat([pieces, piece[:, :, None]], dim=2)
            variances = variances - piece.square()
            reached = torch.cat([reached, means[:, best][None]])
            reached = reached[non_dominated(reached.cpu())]
        return torch.tensor(chosen, dtype=torch.int64), torch.stack(values).cpu()


class ObjectBeliefs:
    """Processes fitted to what is known of objects, which are read by the actions that build them.

    Args:
        problem: Its objectives, reference point and whether it is noisy.
        order: The longest pieces of actions that are counted.
        noise: `"learned"`, `"none"`, or `"auto"`: learned where the problem is noisy.
        device: Where it is computed.
    """

    def __init__(self, problem: Metered, *, order: int, noise: str, device: str) -> None:
        self._problem, self._device = problem, device
        self._read = SequenceFeatures(problem.max_steps, problem.num_actions, order)
        self._noisy = noise == "learned" or (noise == "auto" and bool(problem.stochastic))
        self._fitted: dict[str, Tensor] = {}  # hyperparameters of the last fits ...
        self._rows = 0  # ... to how many rows

    def features(self, objects: Tensor) -> Tensor:
        """What is read of finished states `[n, ...]`: `[n, f]`."""
        return self.features_of(action_rows(self._problem, objects.cpu()))

    def features_of(self, actions: Tensor) -> Tensor:
        """What is read of sequences of actions `[n, T]`, -1 behind the end: `[n, f]`."""
        return self._read(actions.to(self._device))

    def about(self, known: Candidates, waiting: Tensor) -> Worth:
        """What objects are worth, given what was told, failed rows included, and those pending `[k, ...]`."""
        inputs, fine = self.features(known.solutions), ~known.failed
        due = len(known) < EVERY_FIT or len(known) > 1.025 * self._rows or len(known) < self._rows
        due = due and len(known) != self._rows
        told = known.objectives[fine].to(inputs)
        surrogate = self._process("objectives", inputs[fine.to(inputs.device)], told, self._noisy, due)
        failed = bool(known.failed.any())
        labels = fine.to(inputs)[:, None]
        success = self._process("success", inputs, labels, True, due) if failed else None
        self._rows = len(known) if due else self._rows
        reached = surrogate.moments(inputs[fine.to(inputs.device)])[0][0] if self._noisy else told
        if len(waiting):
            pending = self.features(waiting)
            believed = surrogate.moments(pending)[0]
            surrogate = surrogate.conditioned(pending, believed)
            reached = torch.cat([reached, believed[0]])
        point = self._problem.reference_point
        assert point is not None  # there are successful rows
        return Worth(surrogate, reached, point.to(reached), success)

    def _process(self, name: str, inputs: Tensor, values: Tensor, noisy: bool, due: bool) -> SequenceProcesses:
        """Fitted where that is due, from where the last fit ended; else with the hyperparameters of that."""
        starts = self._fitted.get(name)
        further: dict[str, Any] = {} if due or starts is None else {"iterations": 0}
        process = SequenceProcesses(inputs, self._read.sizes, values, noisy=noisy, starts=starts, **further)
        self._fitted[name] = process.hyperparameters.cpu()
        return process

    def state_dict(self) -> dict[str, Any]:
        """The last fits, which the next ones begin with."""
        return {"fitted": dict(self._fitted), "rows": self._rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._fitted, self._rows = dict(state["fitted"]), state["rows"]


Draw = Callable[[int], Tensor]  # the number of a block -> finished states [n, ...]


def new_objects(ledger: ObjectLedger, draw: Draw, wanted: int, blocks: int) -> Tensor:
    """At least `wanted` objects that were not tried, or all that so many blocks hold, `[n, ...]`, each once."""
    found = ledger.new(draw(0))
    for block in range(1, blocks):
        if len(found) >= wanted:
            break
        found = ledger.new(torch.cat([found, draw(block)]))
    return found
