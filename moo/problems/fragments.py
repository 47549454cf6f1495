"""Fragments: molecules built from ring systems, linkers and end groups, bond by bond.

Source of the task: Jain et al. 2023, "Multi-objective GFlowNets", ICML (2210.12765), after Bengio et al. 2021
(2106.04399) and Jin, Barzilay and Jaakkola 2018 (1802.04364); quantitative estimate of drug-likeness: Bickerton et al.
2012, Nature Chemistry 4; synthetic accessibility: Ertl and Schuffenhauer 2009, Journal of Cheminformatics 1:8.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from moo.base import ConstructionProblem, Evaluation
from moo.checks import check_count, unknown_name
from moo.chemistry.attachments import Rules, pieces_of
from moo.chemistry.molecules import OBJECTIVES, molecule_values, rdkit, read_molecule, read_vocabulary
from moo.chemistry.scoring import Scorer
from moo.chemistry.trees import Node, smiles_of, tree_of
from moo.dominance import non_dominated
from moo.gflow.oracle import ConditionalOracle, enumerated

ENUMERABLE = 20_000  # objects up to which the oracle lists them all: 20 s of evaluations


class Fragments(ConstructionProblem):
    """A tree of fragments: drug-likeness, ease of synthesis and lightness of its molecule are maximised.

    A fragment is a piece of a molecule with numbered points. The first action puts the root. Then, in turn, an action
    chooses a free point of the tree and the next one what is bound there: a fragment, by one of its points. Stopping
    is legal whenever no point is waiting; points left free carry hydrogen. Every bond is a single one between two atoms
    that each give up a hydrogen, so every tree is a valid molecule.

    Rules that leave one way to build a tree, and hardly more than one tree for a molecule:

    - points are chosen in ascending order, those of earlier fragments first: the tree is built level by level;
    - no fragment comes before the root in the vocabulary (a tree in which that one occurs k times has up to k states);
    - a fragment is bound by the lowest of points that a symmetry maps onto each other;
    - points on the same atom, which are interchangeable, are used in their order.

    Two atoms that are none of carbon are never bound to each other: such bonds stand inside fragments alone. Still, one
    molecule can be several trees, where fragments together make another one (carbon bound to carbon is ethane).

    A state is int64 `[n, 2 max_fragments + 1]`: the pieces put so far (a piece is a fragment and how it is bound), the
    points that they are bound to (a point is numbered `slot * most points of a fragment + point`), -1 where there is
    none yet, and whether it is finished. A chosen point waits where its piece is still -1. Actions are the pieces, the
    points and the stop.

    `features` are, with 0 for nothing: how many pieces there are; whether it is finished; and for each piece its
    number, that of the piece it is bound to, at which of its points, and that one's place. They say all of a state.

    Objectives are `"qed"`, `"sa"` (`(10 - score) / 9`) and `"mw"` (1 up to a weight of 300, falling to 0 at 1,000). The
    vocabulary is this library's own: 75 fragments that are common in drugs, not the published 72. So figures are no
    more than of the same kind as published ones. `oracle` lists all objects where there are at most 20,000.

    Args:
        objectives: Two or three of qed, sa, mw.
        max_fragments: The most fragments of a molecule, at least 1; the published 9.
        vocabulary: SMILES of fragments with points `([*:1])`, `([*:2])`, ..., or the path of a table with a column
            `smiles`; None: the one that is shipped.
        workers: Processes that share the molecules of a batch; one that dies is a failed row.

    Raises:
        ImportError: rdkit is not installed.
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of its range, or a fragment is not written as it should be.
    """

    name = "fragments"
    unit_objectives = True

    def __init__(
        self,
        objectives: str | Sequence[str] = ("sa", "qed"),
        max_fragments: int = 9,
        vocabulary: str | Sequence[str] | None = None,
        workers: int = 1,
    ) -> None:
        self.objective_names = _check_objectives(objectives)
        self.num_objectives = len(self.objective_names)
        self.directions = ("max",) * self.num_objectives
        self.reference_point = torch.zeros(self.num_objectives, dtype=torch.float64)
        self.max_fragments = check_count("max_fragments", max_fragments, high=90)  # marks of bonds have two digits
        self.vocabulary = read_vocabulary(vocabulary)
        self._kinds = pieces_of(self.vocabulary)
        self._rules = Rules.of(self.vocabulary, self._kinds)
        self._per_slot = max(fragment.points for fragment in self.vocabulary)
        self._pieces = len(self._kinds)
        self._points = self.max_fragments * self._per_slot
        self.num_actions = self._pieces + self._points + 1
        self.max_steps = 2 * self.max_fragments
        row = (self._pieces + 1, self._pieces + 1, self._per_slot + 1, self.max_fragments + 1)
        self.feature_sizes = (self.max_fragments + 1, 2, *row * self.max_fragments)
        self._score = Scorer(partial(molecule_values, self.objective_names), self.num_objectives, workers=workers)
        self._tables: dict[torch.device, Rules] = {}

    # ------------------------------------------------------------------------------------------ moves
    def start(self, n: int) -> Tensor:
        state = torch.full((n, 2 * self.max_fragments + 1), -1, dtype=torch.int64)
        state[:, -1] = 0
        return state

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The next states and which are finished; finished states stay as they are."""
        count, point = self._count(state), actions - self._pieces
        ended = (state[:, -1] > 0) | (point == self._points)
        column = torch.where(point < 0, count, self.max_fragments + count)
        column = torch.where(ended, 2 * self.max_fragments, column)
        value = torch.where(ended, 1, torch.where(point < 0, actions, point))
        return state.scatter(1, column[:, None], value[:, None]), ended

    def undo(self, state: Tensor, actions: Tensor) -> Tensor:
        count, point = self._count(state), actions - self._pieces
        column = torch.where(point < 0, (count - 1).clamp(min=0), self.max_fragments + count)
        column = torch.where(point == self._points, 2 * self.max_fragments, column)
        value = torch.where(point == self._points, 0, -1)
        return state.scatter(1, column[:, None], value[:, None])

    def action_mask(self, state: Tensor) -> Tensor:
        """Legal actions, bool `[n, num_actions]`; none in a finished state."""
        rules, count = self._on(state.device), self._count(state)
        going, waiting = state[:, -1] == 0, self._waiting(state, count) >= 0
        root = torch.where(count > 0, rules.fragment[state[:, 0]], -1)
        hetero = rules.hetero_points[self._waiting_piece(state, count), self._waiting(state, count) % self._per_slot]
        pieces = rules.allowed[root + 1, hetero.long()] & (going & (waiting | (count == 0)))[:, None]
        resting = going & ~waiting & (count > 0)
        points = self._free(state, root) & (resting & (count < self.max_fragments))[:, None]
        return torch.cat([pieces, points, resting[:, None]], dim=1)

    def backward_mask(self, state: Tensor) -> Tensor:
        """The one action that can have been the last, bool `[n, num_actions]`; none at the start."""
        count = self._count(state)
        waiting = self._waiting(state, count)
        last = state.gather(1, (count - 1).clamp(min=0)[:, None]).squeeze(1)  # -1 at the start
        last = torch.where(waiting >= 0, self._pieces + waiting, last)
        last = torch.where(state[:, -1] > 0, self.num_actions - 1, last)
        return last[:, None] == torch.arange(self.num_actions, device=state.device)

    def features(self, state: Tensor) -> Tensor:
        """Count, end, and a row for each piece: whole numbers `[n, 2 + 4 max_fragments]`."""
        pieces, points = state[:, : self.max_fragments], state[:, self.max_fragments : -1]
        slot = torch.div(points, self._per_slot, rounding_mode="floor")  # -1 where there is none
        parent = pieces.gather(1, slot.clamp(min=0)) * (slot >= 0) - (slot < 0).long()
        place = torch.where(points >= 0, points % self._per_slot, -1)
        rows = torch.stack([pieces, parent, place, slot], dim=2) + 1
        return torch.cat([self._count(state)[:, None], state[:, -1:], rows.flatten(1)], dim=1)

    def _count(self, state: Tensor) -> Tensor:
        """How many pieces there are, `[n]`."""
        return (state[:, : self.max_fragments] >= 0).sum(dim=1)

    def _waiting(self, state: Tensor, count: Tensor) -> Tensor:
        """The point that waits for its piece `[n]`, -1 where none does."""
        last = count.clamp(max=self.max_fragments - 1)
        waiting = state.gather(1, (self.max_fragments + last)[:, None]).squeeze(1)
        return torch.where(count < self.max_fragments, waiting, -1)

    def _waiting_piece(self, state: Tensor, count: Tensor) -> Tensor:
        """The piece `[n]` whose point waits; the first one where none does."""
        slot = torch.div(self._waiting(state, count).clamp(min=0), self._per_slot, rounding_mode="floor")
        return state.gather(1, slot[:, None]).squeeze(1).clamp(min=0)

    def _free(self, state: Tensor, root: Tensor) -> Tensor:
        """Points that can be bound next, bool `[n, points]`."""
        rules, n = self._on(state.device), len(state)
        pieces, bound = state[:, : self.max_fragments], state[:, self.max_fragments : -1]
        used = torch.zeros(n, self._points + 1, dtype=torch.bool, device=state.device)
        used = used.scatter(1, torch.where(bound < 0, self._points, bound), True)[:, : self._points]
        last = bound.amax(dim=1, keepdim=True)  # points ascend
        place = torch.arange(self._points, device=state.device)
        before = rules.before[pieces].flatten(1)  # -1: no point has to be used first
        first = (place // self._per_slot * self._per_slot + before).clamp(min=0)
        ready = (before < 0) | used.gather(1, first)
        partner = rules.partner[(root + 1)[:, None, None], rules.hetero_points[pieces].long()].flatten(1)
        there = (rules.open[pieces] & (pieces >= 0)[:, :, None]).flatten(1)
        return there & ready & partner & (place > last)

    def _on(self, device: torch.device) -> Rules:
        if device not in self._tables:
            self._tables[device] = Rules(*(table.to(device) for table in self._rules))
        return self._tables[device]

    # ------------------------------------------------------------------------------------------ values
    def evaluate(self, solutions: Tensor, generator: torch.Generator | None = None) -> Evaluation:  # noqa: ARG002
        """Objectives float64 `[n, m]` of finished states.

        Raises:
            ValueError: The shape is another, or a state is not finished.
        """
        return self._score([smiles_of(self.vocabulary, tree) for tree in self._trees(solutions)])

    def decode(self, solutions: Tensor) -> list[str]:
        """The molecules, finished or not, as rdkit's canonical SMILES; nothing for the empty one."""
        trees = [self._tree(row) for row in solutions.tolist()]
        chem = rdkit()
        return [chem.MolToSmiles(read_molecule(smiles_of(self.vocabulary, tree))) if tree else "" for tree in trees]

    def encode(self, smiles: Sequence[str]) -> Tensor:
        """Finished states `[n, 2 max_fragments + 1]` of molecules, each that of a tree of fewest fragments.

        Raises:
            ValueError: A molecule cannot be read, or not be built of `max_fragments` fragments of the vocabulary.
        """
        rows = []
        for number, text in enumerate(smiles):
            tree = tree_of(self.vocabulary, text)
            if tree is None or len(tree) > self.max_fragments:
                need = "cannot be built of them" if tree is None else f"takes {len(tree)}"
                raise ValueError(
                    f"`smiles` should be molecules of at most {self.max_fragments} fragments of the vocabulary. "
                    f"Molecule {number}, {text!r}, {need}."
                )
            empty = [-1] * (self.max_fragments - len(tree))
            pieces = [self._kinds.index((node.fragment, node.entry)) for node in tree]
            points = [node.parent * self._per_slot + node.point for node in tree[1:]]
            rows.append([*pieces, *empty, -1, *points, *empty, 1])
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, 2 * self.max_fragments + 1)

    def _tree(self, row: Sequence[int]) -> list[Node]:
        """The tree of a state; a point that waits is not in it."""
        tree = []
        for piece, point in zip(row, row[self.max_fragments :], strict=False):
            if piece < 0:
                break
            parent, place = divmod(point, self._per_slot) if point >= 0 else (-1, -1)
            tree.append(Node(*self._kinds[piece], parent, place))
        return tree

    def _trees(self, solutions: Tensor) -> list[list[Node]]:
        width = 2 * self.max_fragments + 1
        if solutions.ndim != 2 or solutions.shape[1] != width:
            raise ValueError(f"`solutions` should have shape [n, {width}]. Found {list(solutions.shape)}.")
        unfinished = solutions[:, -1] == 0
        if unfinished.any():
            row = int(torch.nonzero(unfinished)[0])
            raise ValueError(f"`solutions` should be finished states. Row {row} is {solutions[row].tolist()}.")
        return [self._tree(row) for row in solutions.tolist()]

    # ------------------------------------------------------------------------------------------ oracle
    @cached_property
    def oracle(self) -> ConditionalOracle | None:  # type: ignore[override]
        """The exact law over all objects, where there are at most 20,000 and none fails."""
        states = self._all_objects()
        if states is None:
            return None
        evaluation = self.evaluate(states)
        if evaluation.reasons:
            return None
        number = {tuple(row): place for place, row in enumerate(states.tolist())}
        objectives = evaluation.objectives
        front = torch.unique(objectives[non_dominated(objectives)], dim=0)

        def index(found: Tensor) -> Tensor:
            return torch.tensor([number[tuple(row)] for row in found.tolist()], dtype=torch.int64)

        return enumerated(objectives, states, index, front)

    def _all_objects(self) -> Tensor | None:
        """All finished states, or None where there are more than `ENUMERABLE`: as many as pieces are put."""
        state, parts, objects = self.start(1), [], 0
        while len(state):
            rows, actions = torch.nonzero(self.action_mask(state), as_tuple=True)
            objects += int((actions < self._pieces).sum())
            if objects > ENUMERABLE:
                return None
            moved, finished = self.step(state[rows], actions)
            parts.append(moved[finished])
            state = moved[~finished]
        return torch.cat(parts)


def _check_objectives(objectives: Any) -> tuple[str, ...]:
    if not isinstance(objectives, str) and not hasattr(objectives, "__iter__"):
        raise TypeError(f"`objectives` should be names, such as ['sa', 'qed']. Found {objectives!r}.")
    names = tuple(objectives.split("+") if isinstance(objectives, str) else objectives)
    for name in names:
        if name not in OBJECTIVES:
            raise ValueError(unknown_name("objective of fragments", name, OBJECTIVES))
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"`objectives` should be at least two different ones. Found {', '.join(names) or 'none'}.")
    return names
