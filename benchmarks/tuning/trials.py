"""Trials of a tuning run: choosing them, running them rung by rung, and which are best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moo.benchmarks.running.conduct import Conduct
from moo.benchmarks.running.on_disk import UNFINISHED, cell_folder
from moo.benchmarks.running.runner import finish
from moo.benchmarks.suites import Cell, format_method, parse_method
from moo.benchmarks.tuning.halving import Rungs, going_on
from moo.benchmarks.tuning.measuring import Measures
from moo.benchmarks.tuning.proposals import Told, TrialBeliefs, even_rows
from moo.benchmarks.tuning.varying import Combinations
from moo.dominance import non_dominated
from moo.generators import GENERATORS
from moo.registry import resolve
from moo.search import load_result, one_thread
from moo.seeding import torch_generator

LOOKED_THROUGH = 1000  # Sobol rows in which a combination that is new is looked for
ROUNDING = 1e-9  # of costs that are added up

Choice = tuple[str, dict[str, Any]]  # who proposed it, and the options


class InterruptedRunError(Exception):
    """Ctrl-C was pressed while cells ran."""


@dataclass(frozen=True)
class Asked:
    """What is to be tuned and how: with another one of these, the same folder does not go on.

    Attributes:
        problem: A registered one with options, or a function of a file.
        method: With the options that stay as they are.
        rungs: The budgets.
        measures: The objectives.
        seeds: Of every trial.
        vary: What is varied.
        seed: Of the proposals.
    """

    problem: Any
    method: str
    rungs: Rungs
    measures: Measures
    seeds: tuple[int, ...]
    vary: Combinations
    seed: int

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "problem": self.problem if isinstance(self.problem, str) else self.problem.identity(),
            "method": self.method,
            "budget": self.rungs.budget,
            "rungs": self.rungs.count,
            "reduction": self.rungs.reduction,
            "objectives": list(self.measures.names),
            "reference_point": list(self.measures.reference_point),
            "seeds": list(self.seeds),
            "vary": {option.name: option.to_json() for option in self.vary.varied},
            "seed": self.seed,
        }

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """What is varied, as it is where nobody says."""
        declared = resolve(GENERATORS, parse_method(self.method)[0], "method").options
        return {option.name: declared[option.name].default for option in self.vary.varied}

    def spelled(self, options: Mapping[str, Any]) -> str:
        """The method with these options, as one writes it after `-m`."""
        name, fixed = parse_method(self.method)
        spelled: str = format_method(name, {**fixed, **options})
        return spelled


@dataclass
class Trial:
    """One combination of options and what it has brought.

    Attributes:
        number: From 0, by age.
        by: Who proposed it: `"defaults"`, `"sobol"` or `"model"`.
        method: With all options that are set.
        row: Of the space of combinations; None where it lies outside.
        values: The objectives at each rung that it ran at, the mean over the seeds; NaN where it failed.
        reason: Why it failed.
    """

    number: int
    by: str
    method: str
    row: Tensor | None
    values: dict[int, list[float]] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Engine:
    """Runs cells as `moo bench` does: what is on disk is kept, what was cut short goes on.

    Attributes:
        out: Where they lie.
        workers: Processes.
        retry_failed: Whether cells that failed before are run again.
        say: Called with a line for people.
    """

    out: Path
    workers: int = 1
    retry_failed: bool = False
    say: Callable[[str], object] = lambda _: None

    def run(self, cells: Sequence[Cell], measures: Measures) -> list[tuple[list[float], str]]:
        """The objectives of each cell, or NaN and why it failed.

        Raises:
            InterruptedRunError: By Ctrl-C.
            RuntimeError: Another process runs one of them.
        """
        conduct = Conduct(workers=self.workers, retry_failed=self.retry_failed)
        ended = finish(cells, self.out, conduct, self.say)
        states = {status.state for status in ended.values()}
        if "busy" in states:
            raise RuntimeError(f"Another process runs cells of {self.out}. Wait until it has ended.")
        found = []
        for cell in cells:
            status = ended.get(cell)
            if status is None or status.state == "interrupted":
                raise InterruptedRunError
            if status.state in UNFINISHED:
                found.append(([float("nan")] * len(measures.names), status.reason.split(" (see ")[0]))
            else:
                found.append((measures.of_result(load_result(cell_folder(cell, self.out))), ""))
        return found


class Trials:
    """Groups of trials that climb the rungs.

    Each group chooses new combinations, runs them at the lowest rung, and at each rung sends on the best of all that
    wait there, also from earlier groups. Everything follows from what was asked, the choices and the cells, whatever
    process ends first.

    Args:
        asked: What is tuned.
        engine: Runs the cells.
        chosen: The choices of earlier lives of the run, by group.
        note: Called with all choices when a group has made its own, before it runs.
        done: Called when a rung has ended.
    """

    def __init__(
        self,
        asked: Asked,
        engine: Engine,
        chosen: Sequence[Sequence[Choice]] = (),
        note: Callable[[list[list[Choice]]], object] = lambda _: None,
        done: Callable[[Trials], object] = lambda _: None,
    ) -> None:
        self.asked, self.trials, self.spent = asked, list[Trial](), 0.0
        self._engine, self._note, self._done = engine, note, done
        self._chosen = [list(group) for group in chosen]
        self._taken: set[str] = set()

    def search(self, full_trials: float) -> None:
        """Run groups while another one can be paid, or until there is nothing left to run.

        Args:
            full_trials: What all of it may cost.

        Raises:
            InterruptedRunError: By Ctrl-C.
            RuntimeError: All of the first trials fail.
        """
        cost, number = self.asked.rungs.group_cost, 0
        groups = int((full_trials + ROUNDING) / cost)
        while number < groups and self._group(number, groups):
            number += 1

    def _group(self, number: int, groups: int) -> bool:
        """One group; false where nothing was left to run."""
        if number == len(self._chosen):
            self._chosen.append(self._choose())
            self._note(self._chosen)
        going = [self._enter(*choice) for choice in self._chosen[number]]
        rungs, ran = self.asked.rungs, 0
        for rung in range(rungs.count):
            if rung:
                going = self._next(rung - 1, rungs.sizes[rung])
            if not going:
                continue
            self._run(going, rung)
            ran += len(going)
            self._say(f"group {number + 1} of {groups}", rung, going)
            self._done(self)
        return ran > 0

    # ------------------------------------------------------------------------------------------ choosing
    def _choose(self) -> list[Choice]:
        """New combinations for a group; fewer where hardly any are left."""
        beliefs, group = self._beliefs(), list[Choice]()
        taken = set(self._taken)
        for number in range(len(self.trials), len(self.trials) + self.asked.rungs.sizes[0]):
            choice = self._choice(number, beliefs, [options for _, options in group], taken)
            if choice is not None:
                group.append(choice)
                taken.add(self._key(choice[1]))
        return group

    def _choice(
        self, number: int, beliefs: TrialBeliefs | None, waiting: list[dict[str, Any]], taken: set[str]
    ) -> Choice | None:
        """The combination of trial `number`, or None where none is new."""
        if number == 0:
            return "defaults", {}
        vary = self.asked.vary
        if beliefs is not None:
            rows = [row for options in waiting if (row := vary.row({**self.asked.defaults, **options})) is not None]
            with one_thread():
                found = beliefs.next_rows(vary.stacked(rows), torch_generator(self.asked.seed, "proposal", number))
            for options in map(vary.options, found):
                if self._key(options) not in taken:
                    return "model", options
        for options in map(vary.options, even_rows(vary.space, number - 1, LOOKED_THROUGH, self.asked.seed)):
            if self._key(options) not in taken:
                return "sobol", options
        return None

    def _beliefs(self) -> TrialBeliefs | None:
        """What is believed of all combinations; None before enough of them were tried."""
        runs = [(trial.row, rung, trial.values[rung]) for trial in self.trials for rung in sorted(trial.values)]
        inside = [(row, rung, values) for row, rung, values in runs if row is not None]
        space, last = self.asked.vary.space, max(1, self.asked.rungs.count - 1)
        told = Told(
            self.asked.vary.stacked([row for row, _, _ in inside]),
            torch.tensor([rung / last for _, rung, _ in inside], dtype=torch.float64),
            self.asked.measures.maximised([values for _, _, values in inside]),
        )
        enough = len(self.trials) >= 2 * (space.dim + 1) and int((~told.failed).sum()) >= 2
        if not enough:
            return None
        with one_thread():
            return TrialBeliefs(space, told)

    def _key(self, options: Mapping[str, Any]) -> str:
        """What tells one combination from another, the defaults said or not."""
        return self.asked.spelled({**self.asked.defaults, **options})

    # ------------------------------------------------------------------------------------------ running
    def _enter(self, by: str, options: dict[str, Any]) -> Trial:
        """A new trial."""
        row = self.asked.vary.row({**self.asked.defaults, **options})
        trial = Trial(len(self.trials), by, self.asked.spelled(options), row)
        self.trials.append(trial)
        self._taken.add(self._key(options))
        return trial

    def _next(self, rung: int, count: int) -> list[Trial]:
        """The trials that leave a rung now."""
        here = [trial for trial in self.trials if rung in trial.values]
        gone = {place for place, trial in enumerate(here) if rung + 1 in trial.values}
        values = self.asked.measures.maximised([trial.values[rung] for trial in here])
        return [here[place] for place in going_on(values, gone, count)]

    def _run(self, going: Sequence[Trial], rung: int) -> None:
        """Run trials at a rung: all seeds of all of them together."""
        asked, budget = self.asked, self.asked.rungs.budgets[rung]
        cells = [Cell(asked.problem, trial.method, seed, budget) for trial in going for seed in asked.seeds]
        found = self._engine.run(cells, asked.measures)
        each = len(asked.seeds)
        for place, trial in enumerate(going):
            runs = found[place * each : (place + 1) * each]
            trial.values[rung] = [sum(values) / each for values in zip(*(values for values, _ in runs), strict=True)]
            trial.reason = next((reason for _, reason in runs if reason), "")
        self.spent += len(going) * asked.rungs.cost(rung)
        if self.trials[-1].number < asked.rungs.sizes[0] and all(trial.reason for trial in going) and not rung:
            raise RuntimeError(f"All of the first {len(going)} trials failed. The first: {going[0].reason}")

    def _say(self, group: str, rung: int, going: Sequence[Trial]) -> None:
        """One line about a rung that has ended."""
        rungs, measures = self.asked.rungs, self.asked.measures
        for trial in going:
            if trial.reason:
                self._engine.say(f"trial {trial.number} failed: {trial.method}: {trial.reason}")
        values = measures.maximised([trial.values[rung] for trial in self.trials if rung in trial.values])[:, 0]
        known = values[torch.isfinite(values)]
        best = f"{abs(float(known.max())):.6g}" if len(known) else "none"
        count = f"{len(going)} trial{'s' if len(going) > 1 else ''}"
        self._engine.say(
            f"{group}, rung {rung + 1} of {rungs.count} (budget {rungs.budgets[rung]:,}): {count}; "
            f"best {measures.names[0]} there {best}; {self.spent:.1f} full trials spent"
        )

    # ------------------------------------------------------------------------------------------ the end
    def best(self) -> list[Trial]:
        """The non-dominated ones of the trials that ran with the full budget, by their first objective."""
        last = self.asked.rungs.count - 1
        full = [trial for trial in self.trials if last in trial.values]
        values = self.asked.measures.maximised([trial.values[last] for trial in full])
        fine = torch.nonzero(torch.isfinite(values).all(dim=1)).flatten()
        front = fine[non_dominated(values[fine])]
        return [full[place] for place in sorted(front.tolist(), key=lambda place: (-float(values[place, 0]), place))]
