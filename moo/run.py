"""A search under way: its parts, what it has gathered, and all that a checkpoint holds."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from moo.archive import Archive
from moo.base import Candidates, Generator, Setting, Tuner
from moo.directions import turn
from moo.history import History
from moo.indicators.volume import hypervolume
from moo.metered import Metered
from moo.progress import say
from moo.reevaluation import distinct, honest_front, needs_reevaluation
from moo.result import SearchResult

IDLE_STEPS = 1000  # steps in a row that neither spend nor finish, after which a method is taken to be stuck
HOPELESS_STEPS = 3  # whole steps without a single success ...
HOPELESS_ROWS = 20  # ... and so many failed rows, so that a method of one row a step gets a chance


@dataclass
class Run:
    """One search. The loop in `moo/search.py` drives it.

    Attributes:
        setting: The one in force; `setting_began` is what was used when it began, `gathered` what it has brought.
        ended: Why the loop stopped.
        interrupted: Whether Ctrl-C was pressed, be it too late to stop anything.
        original: Where the method meets an encoded problem, the meter of the original one, for re-evaluation.
        watched: Whether a method that gets nowhere is an error; not where somebody else drives it.
    """

    problem: Metered
    generator: Generator
    tuner: Tuner
    archive: Archive
    config: Mapping[str, Any]
    initial: Candidates | None
    history: History = field(default_factory=History)
    setting: Setting | None = None
    setting_began: int = 0
    gathered: list[Candidates] = field(default_factory=list)
    ended: str = ""
    interrupted: bool = False
    watched: bool = True
    original: Metered | None = None
    _last: Candidates | None = None  # of the step before, with the weights of policies
    _reported: dict[str, Candidates] = field(
        default_factory=dict
    )  # what replaces `front` and `finals`: see `reevaluate`
    _additions: list[Candidates] = field(default_factory=list)
    _failures: list[Candidates] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=lambda: {"steps": 0, "successes": 0, "idle": 0})
    _times: dict[str, float] = field(default_factory=lambda: {"wall_seconds": 0.0, "cpu_seconds": 0.0})

    def __post_init__(self) -> None:
        self._began = (time.perf_counter(), time.process_time())
        if self.initial is not None and len(self.initial):
            self._enter(self.initial)
            self.problem.watch(self.initial)

    # ------------------------------------------------------------------------------------------ the loop's verbs
    def next_setting(self) -> None:
        """Tell the tuner what its setting brought and cost, and ask it for the next."""
        if self.gathered and self.setting is not None:
            cost = self.problem.used - self.setting_began
            self.tuner.observe(self.setting, Candidates.cat(self.gathered), cost)
        k = self.generator.preferences_per_round  # 0: this stage takes no setting
        self.setting = self.tuner.suggest(k) if k else None
        self.gathered, self.setting_began = [], self.problem.used

    def take(self, candidates: Candidates) -> None:
        """Take in what a step gave: archive, failures, reference point, history.

        Raises:
            RuntimeError: Nothing has succeeded in three whole steps and twenty rows, or the method is stuck.
        """
        if self.setting is not None:
            self.gathered.append(candidates.without_parameters())
        candidates = self._decoded(candidates)
        self._last = candidates
        changed = self._enter(candidates)
        frozen = self.problem.watch(candidates)
        spent = self.problem.used - self.history.used
        self.history.record(self.problem.used, self.archive.objectives, self.problem.reference_point, changed=changed)
        if frozen:
            self._measure_again()
        if not self.watched:
            return
        self._counts["steps"] += len(candidates) > 0
        self._counts["idle"] = 0 if spent else self._counts["idle"] + 1
        if self._counts["idle"] >= IDLE_STEPS:
            name = self.config["method"]
            raise RuntimeError(f"Method {name!r} neither spent budget nor finished in {IDLE_STEPS} steps in a row.")
        if self._counts["steps"] >= HOPELESS_STEPS and sum(map(len, self._failures)) >= HOPELESS_ROWS:
            self._check_hope()

    def close(self) -> None:
        """Settle the reference point and the last hypervolume.

        Warns:
            UserWarning: No row of the front dominates the reference point that the caller gave.
        """
        if self._counts["steps"]:
            self._check_hope()
        if self.problem.freeze_reference():
            self._measure_again()
        point = self.problem.reference_point
        self.history.close(self.archive.objectives, point)
        front = self.archive.objectives
        given = self.config["reference_point"] is not None
        if given and point is not None and len(front) and not bool((front > point).all(dim=1).any()):
            own = turn(point, self.problem.directions).tolist()
            warnings.warn(
                f"The hypervolume is 0: no point of the front is better than the reference point {own} in every "
                f"objective (directions {', '.join(self.problem.directions)}). Search longer, or choose a worse "
                "`reference_point`.",
                stacklevel=4,
            )

    def reevaluate(self, episodes: int, *, announced: bool) -> None:
        """On a noisy problem, replace the reported front and finals by what fresh evaluations say of them.

        Args:
            episodes: Evaluations of each row, for choosing and again for reporting; 0: leave the observed values.
            announced: Say so on standard error.
        """
        problem = self.original or self.problem
        if not episodes or not needs_reevaluation(problem, self.generator):
            return
        front = self.archive.front
        pools = {"front": [front] if self._last is None else [front, self._kept(self._last)]}
        finals = self._finals()
        if finals is not None:
            pools["finals"] = [finals]
        distinct_pools = {name: distinct(parts) for name, parts in pools.items()}
        count = sum(map(len, distinct_pools.values()))
        say(
            f"The problem is noisy: {count} solutions are evaluated {episodes} times anew to choose among them, and "
            "the chosen ones again until their hypervolume is known to 1.5 %, at most as often as the search evaluated "
            "(counted apart; reevaluations=0 turns this off).",
            shown=announced and count > 0,
        )
        for name, pool in distinct_pools.items():
            self._reported[name] = honest_front(problem, self.generator, pool, episodes, precise=name == "front")

    # ------------------------------------------------------------------------------------------ what it is made of
    def _enter(self, candidates: Candidates) -> bool:
        """Archive rows and note the failed ones; whether the front changed."""
        entered = self.archive.add(candidates)
        if len(entered):
            self._additions.append(entered.without_parameters())
        failed = candidates.failed
        count = int(np.count_nonzero(failed.numpy()))
        if count:
            self._failures.append(candidates.rows(failed).without_parameters())
        self._counts["successes"] += len(candidates) - count
        return len(entered) > 0

    def _kept(self, candidates: Candidates) -> Candidates:
        """Without the rows that break constraints which the method alone knows: no evaluation tells these anew."""
        return candidates if self.problem.num_constraints else candidates.rows(candidates.violation == 0)

    def _decoded(self, candidates: Candidates) -> Candidates:
        """Candidates with solutions of the original problem, where the method met an encoded one."""
        if self.original is None or not len(candidates):
            return candidates
        return replace(candidates, solutions=self.problem.original_solutions(candidates.solutions))

    def _finals(self) -> Candidates | None:
        finals = self.generator.finals()
        return None if finals is None else self._decoded(finals)

    def _measure_again(self) -> None:
        """Recompute the history, the reference point being final now."""
        own = self.archive
        empty = Archive(own.front.solutions.shape[1:], self.problem.num_objectives, own.capacity, own.bound)
        self.history.recompute(self._additions, empty, self.problem.reference_point)

    def _check_hope(self) -> None:
        if not self._counts["successes"]:
            first = self._failures[0].extras["reason"][0] if self._failures else "no candidate was evaluated"
            count = sum(map(len, self._failures))
            raise RuntimeError(f"Every evaluation of {self.problem.name!r} fails ({count} so far). The first: {first}")

    # ------------------------------------------------------------------------------------------ what comes of it
    def result(self) -> SearchResult:
        """The outcome so far, in the problem's own directions."""
        empty = self.archive.front.rows(slice(0))
        front = self._reported.get("front", self.archive.front)
        finals = self._reported.get("finals", self._finals())
        point = self.problem.reference_point
        volume = self.history.hypervolume
        if "front" in self._reported and point is not None:
            volume = hypervolume(front.objectives, point, warn=False)
        record = {
            "status": "ok",
            "used": self.problem.used,
            "used_apart": (self.original or self.problem).used_apart,
            "ended": self.ended or "under way",
            "interrupted": self.interrupted,
            "feasible": len(front) > 0,
            "front_size": len(front),
            "hypervolume": volume,
            "reevaluated": bool(self._reported),
            "reference_point": None if point is None else turn(point, self.problem.directions).tolist(),
            "failures": sum(map(len, self._failures)),
            **self._elapsed(),
        }
        return SearchResult(
            front=self._outside(front),
            finals=self._outside(empty if finals is None else finals),
            additions=self._outside(Candidates.cat([empty, *self._additions])),
            failures=self._outside(Candidates.cat([empty, *self._failures])),
            least_violating=self._outside(self.archive.least_violating),
            history=self.history.frame(),
            config=self.config,
            record=record,
            _build=lambda: self.generator,
            _state=lambda: {"problem": self.problem.state_dict(), "generator": self.generator.state_dict()},
        )

    def _outside(self, candidates: Candidates) -> Candidates:
        """In the problem's own directions; what was constructed also as a person reads it."""
        objectives = turn(candidates.objectives, self.problem.directions)
        extras = dict(candidates.extras)
        original = self.original or self.problem
        if original.kind == "construction":
            extras["object"] = np.array(original.decode(candidates.solutions), dtype=np.str_)
        return Candidates(candidates.solutions, objectives, candidates.preferences, extras)

    def _elapsed(self) -> dict[str, float]:
        wall, cpu = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
        return {
            "wall_seconds": self._times["wall_seconds"] + wall,
            "cpu_seconds": self._times["cpu_seconds"] + cpu,
        }

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the run depends on."""
        setting = self.setting
        return {
            "problem": self.problem.state_dict(),
            "generator": self.generator.state_dict(),
            "tuner": self.tuner.state_dict(),
            "archive": self.archive.state_dict(),
            "history": self.history.state_dict(),
            "additions": [part.state_dict() for part in self._join("_additions")],
            "failures": [part.state_dict() for part in self._join("_failures")],
            "setting": setting and {"preferences": setting.preferences, "hyperparameters": setting.hyperparameters},
            "setting_began": self.setting_began,
            "gathered": [part.state_dict() for part in self._join("gathered")],
            "last": None if self._last is None else self._last.state_dict(),
            "counts": self._counts,
            "times": self._elapsed(),
        }

    def _join(self, name: str) -> list[Candidates]:
        """The named list of records, joined into one, so that a state holds few tensors."""
        parts = getattr(self, name)
        if len(parts) > 1:
            parts[:] = [Candidates.cat(parts)]
        joined: list[Candidates] = parts
        return joined

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        for part in ("problem", "generator", "tuner", "archive", "history"):
            getattr(self, part).load_state_dict(state[part])
        for name in ("additions", "failures", "gathered"):
            attribute = name if name == "gathered" else f"_{name}"
            setattr(self, attribute, [Candidates.from_state(part) for part in state[name]])
        self.setting = None if state["setting"] is None else Setting(**state["setting"])
        self.setting_began = state["setting_began"]
        self._last = None if state["last"] is None else Candidates.from_state(state["last"])
        self._counts = dict(state["counts"])
        self._times = dict(state["times"])
