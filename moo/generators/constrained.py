"""Policies that climb their rewards under constraints: CGPO's optimisers with judges, and Lagrange multipliers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from moo.base import Candidates
from moo.directions import turn
from moo.metered import Metered
from moo.options import Option
from moo.rl.advantages import Advantages
from moo.rl.divergences import DIVERGENCES
from moo.rl.episodes import Episodes
from moo.rl.estimators import PER_OBJECTIVE, per_objective
from moo.rl.judged import calibrated, codpo, crpg, crraft
from moo.rl.judges import ReturnJudge, check_scores, find_judges, found_by, samples_of, verdicts
from moo.rl.levels import Levels
from moo.rl.multipliers import FORMS, Multipliers, NelderMead, read_thresholds
from moo.rl.sweep import STANDARDISED, SWEEP_OPTIONS, WITH_TEXT, PolicySweep

OPTIMISERS = ("multipliers", "crpg", "codpo", "crraft")
GROUPED = ("codpo", "crraft")
ALONE = (*(name for name in PER_OBJECTIVE if name != "gdpo"), "ppo")  # GDPO is GRPO of every objective
EARLY = 20  # steps after which a threshold above all returns is warned of
SEARCH_STEP = 0.2  # of a threshold's search, in ranges of the returns


class Constrained(PolicySweep):
    """A sweep of policies that climb the weighted sum of their preference, each under the same constraints.

    Constraints are `thresholds` of objectives, and `judges`, which say of each sample whether it satisfies them: those
    of the problem's own constraints, and those that it offers or that are named.

    - `optimiser="multipliers"`: Lagrange multipliers weigh the advantages of the reward and of the constraints. A
      threshold is one of the mean return, and a judge is to be satisfied by a share `rate` of the samples.
      `multipliers` says how they are read (`moo.rl.multipliers.Multipliers`): `"projected"`, ours; `"sigmoid"`,
      mu-PPO; `"tanh"`, xi-PPO, which holds a threshold from both sides, and leaves the objectives that have one out of
      the weighted sum. With `gold`, the thresholds are searched.
    - `"crpg"`, `"codpo"`, `"crraft"`: CGPO's optimisers (`moo.rl.judged`). All is judged sample by sample, so a
      threshold is one of each sample's return.

    Policies of an environment carry `constraints`, in ranges of the returns, satisfied within `tolerance`: policies
    that miss theirs enter no front.

    Source: Xu et al. 2024 (CGPO, 2409.20370); Moskovitz et al. 2024 (constrained RLHF, 2310.04373, ICLR). Differences:
    docs/methods/constrained.md.
    """

    kinds: ClassVar[tuple[str, ...]] = WITH_TEXT
    constraints: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Option]] = {
        "optimiser": Option("multipliers", choices=OPTIMISERS, tuned=OPTIMISERS, help="how constraints are kept"),
        "thresholds": Option(
            None, help="one for each objective, none where it has none (none+0.5): at least, or at most"
        ),
        "judges": Option(None, help="names of the problem's judges, or module:function; none: all that it offers"),
        "rate": Option(0.98, low=0.0, high=1.0, help="share of samples that are to satisfy a judge"),
        "tolerance": Option(
            0.02, low=0.0, high=1.0, help="by how much constraints may be missed, in ranges, or of `rate`"
        ),
        "multipliers": Option("projected", choices=FORMS, help="how they are read"),
        "ascent": Option(0.1, low=0.0, high=100.0, log=True, tuned=(0.01, 1.0), help="step of the multipliers"),
        "momentum": Option(0.0, low=0.0, high=0.99, help="of their steps"),
        "proportional": Option(
            5.0, low=0.0, high=1000.0, help="what counts beside a multiplier, by what is lacking now"
        ),
        "gold": Option(
            None, help="module:function of samples whose mean the thresholds are searched for; multipliers=tanh"
        ),
        "reached": Option(
            0.05, low=0.0, high=1.0, help="how near to a threshold a search takes it for held, in ranges"
        ),
        "patience": Option(50, low=1, high=100_000, help="steps after which a search no longer waits for that"),
        "sharpness": Option(4.0, low=1e-3, high=1e3, log=True, tuned=(1.0, 10.0), help="of CGPO's calibrated rewards"),
        "limit": Option(
            50.0, low=1e-3, high=1e6, log=True, help="of a sample's log-chance over that at first, in nats"
        ),
        "group": Option(8, low=2, high=100_000, help="samples of which codpo and crraft choose"),
        "beta": Option(0.1, low=1e-6, high=1e3, log=True, tuned=(0.03, 1.0), help="of codpo's preference loss"),
        "imitation": Option(0.1, low=0.0, high=1e3, help="of codpo's likelihood"),
        **SWEEP_OPTIONS,
        "learning_rate": Option(5e-3, low=1e-6, high=1.0, log=True, tuned=(1e-3, 5e-2), help="of Adam"),
        "entropy": Option(0.0, low=0.0, high=100.0, help="weight of the policies' entropy per step"),
        "divergence_weight": Option(
            0.01, low=0.0, high=100.0, help="of the divergence from the first policies per step"
        ),
        "divergence": Option("forward", choices=DIVERGENCES, help="which one; forward keeps chances above 0"),
        "estimator": Option("rloo", choices=ALONE, help="with multipliers: what episodes are held against"),
        "memory": Option(0.8, low=0.0, high=0.999, help="share of an old mean that a new one keeps"),
    }

    def __init__(self, problem: Metered, *, initial: Candidates | None = None, **options: Any) -> None:
        _check(options)
        super().__init__(problem, initial=initial, **options)
        said, m = self._said, problem.num_objectives
        thresholds = read_thresholds(said.thresholds, problem.directions).to(self._device)
        self._judges = find_judges(problem, said.judges)
        self._gold = None if said.gold is None else found_by(said.gold, "gold", {})
        self._bounded = torch.nonzero(~thresholds.isnan()).flatten()
        if said.optimiser != "multipliers":
            own = turn(thresholds.cpu(), problem.directions).tolist()
            for i in self._bounded.tolist():
                self._judges[f"threshold {i + 1}"] = ReturnJudge(i, own[i], problem.directions[i])
            self._bounded = self._bounded[:0]
        elif said.gold is not None and not len(self._bounded):
            raise ValueError("Option `gold` is for a search of thresholds. Set `thresholds` to where it begins.")
        self.thresholds = thresholds[self._bounded].expand(said.policies, -1).clone()  # [p, n], maximised
        self.multipliers = Multipliers(
            said.policies,
            len(self._bounded) + len(self._judges),
            said.multipliers,
            rate=said.ascent,
            momentum=said.momentum,
            proportional=said.proportional,
            device=self._device,
        )
        self._ranges = Levels(0.0, self._device)
        columns = m + len(self._judges) + (self._gold is not None)
        self._now = self._running = torch.full((said.policies, columns), torch.nan, dtype=torch.float64).to(
            self._device
        )
        self._base = self._now[:, :m]  # of the first policies
        self._satisfied = torch.zeros(0, dtype=torch.bool)
        self._searches: list[NelderMead] = []
        self._waited = [0] * said.policies

    # ------------------------------------------------------------------------------------------ what is seen
    def _sample(self, preferences: Tensor) -> tuple[Episodes, Candidates | None]:
        episodes, told = super()._sample(preferences)
        if not episodes.cut.any() and episodes.sound.any():
            self._see(episodes, told)
        return episodes, told

    def _see(self, episodes: Episodes, told: Candidates | None) -> None:
        """Have the samples judged, and note where the policies stand."""
        samples = samples_of(episodes, told, self.problem.directions)
        sound = episodes.sound
        self._satisfied = verdicts(self._judges, samples, sound)
        parts = [episodes.means, _means(self._satisfied.to(torch.float64), sound)]
        if self._gold is not None:
            scores = torch.zeros(sound.shape, dtype=torch.float64, device=sound.device)
            scores[sound] = check_scores("gold", self._gold(samples), len(samples)).to(sound.device)
            parts.append(_means(scores[..., None], sound))
        self._ranges.see(episodes)
        self._now, kept = torch.cat(parts, dim=1), self._said.memory
        old = torch.where(self._running.isnan(), self._now, self._running)
        self._running = torch.where(self._now.isnan(), old, kept * old + (1 - kept) * self._now)
        self._base = torch.where(self._base.isnan(), episodes.means, self._base)
        if self._steps == EARLY:
            self._warn()
        if self._gold is not None:
            self._search()

    def _values(self, stands: Tensor) -> tuple[Tensor, Tensor]:
        """Of all constraints what they are worth and what is asked, `[p, n]`: in ranges of returns, and shares."""
        m, span = self.problem.num_objectives, self._ranges.span[self._bounded]
        shares = stands[:, m : m + len(self._judges)]
        values = torch.cat([stands[:, self._bounded] / span, shares], dim=1)
        return values, torch.cat([self.thresholds / span, torch.full_like(shares, self._said.rate)], dim=1)

    def _warn(self) -> None:
        """Say so where a threshold is beyond all returns seen."""
        assert self._ranges.high is not None
        high = self._ranges.high[self._bounded]
        for column in torch.nonzero(high < self.thresholds[0]).flatten().tolist():
            number = int(self._bounded[column])
            directions = [self.problem.directions[number]]
            asked, seen = (float(turn(part[column, None], directions)) for part in (self.thresholds[0], high))
            warnings.warn(
                f"The threshold of objective {number + 1} is {asked:g}, and the best return of any episode so far is "
                f"{seen:g}. Where it cannot be met, the policies that miss it least are in `least_violating`.",
                stacklevel=2,
            )

    # ------------------------------------------------------------------------------------------ what is learned
    def gains(self, advantages: Advantages, preferences: Tensor) -> Tensor:
        if self._said.optimiser == "multipliers":
            return self._by_multipliers(advantages, preferences)
        return self._by_judges(advantages.episodes, preferences)

    def _by_multipliers(self, advantages: Advantages, preferences: Tensor) -> Tensor:
        """The advantages of reward and constraints, weighted, `[p, c, T]`."""
        estimator, wanted = self._said.estimator, preferences
        if self._said.multipliers == "tanh":  # what is held at its threshold is not climbed as well
            wanted = preferences.index_fill(1, self._bounded, 0.0)
        reward = advantages.weighted(wanted)
        if estimator not in STANDARDISED:
            size = wanted @ self._ranges.span
            reward = reward / torch.where(size > 0, size, 1.0)[:, None, None]
        if not self.multipliers.raw.shape[1]:
            return reward
        episodes, each = advantages.episodes, advantages.each()
        if estimator not in STANDARDISED:
            each = each / self._ranges.span
        columns = [reward[..., None], each[..., self._bounded]]
        if self._judges:
            name = "grpo" if estimator in STANDARDISED else estimator
            flags, sound = (episodes.grouped(part) for part in (self._satisfied.to(torch.float64), episodes.sound))
            judged = per_objective(name, flags, sound).flatten(1, 2)
            columns.append(judged[:, :, None] * episodes.live[..., None])
        self.multipliers.move(*self._values(self._now))
        values, asked = self._values(self._running)
        weights = self.multipliers.weights(asked - values)[:, None, None]
        return (weights * torch.cat(columns, dim=3)).sum(dim=3)

    def _by_judges(self, episodes: Episodes, preferences: Tensor) -> Tensor:
        """Gains by one of CGPO's optimisers, the same at all steps of an episode, `[p, c, T]`."""
        said, live = self._said, episodes.live
        unit = preferences @ self._ranges.span
        rewards, base = (
            (values @ preferences[..., None])[..., 0] / unit[:, None]
            for values in (episodes.returns, self._base[:, None])
        )
        away = self._away(episodes).to(rewards)
        rows = (calibrated(rewards, base, said.sharpness), self._satisfied.all(dim=2), away)
        size = said.group if said.optimiser in GROUPED else said.copies
        worth, feasible, away, sound, lengths = (
            row.reshape(said.policies, -1, size) for row in (*rows, episodes.sound, live.sum(dim=2).to(rewards))
        )
        if said.optimiser == "crpg":
            found = crpg(worth, feasible, away, sound, said.limit)
        elif said.optimiser == "codpo":
            found = codpo(worth, feasible, away, lengths, sound, said.beta, said.imitation)
        else:
            found = crraft(worth, feasible, away, sound, said.limit)
        return found.reshape(said.policies, -1, 1) * live

    def _away(self, episodes: Episodes) -> Tensor:
        """Each sample's log-chance less that by the first policies, `[p, c]`."""
        first = []
        for which in self._portions:
            part = episodes if which == slice(None) else episodes.of(which)
            chances = self._first_law(part, which).log_chance(part.actions.flatten(1))
            first.append(chances.reshape(part.actions.shape))
        return torch.where(episodes.live, episodes.before - torch.cat(first), 0.0).sum(dim=2)

    # ------------------------------------------------------------------------------------------ thresholds
    def _search(self) -> None:
        """Of each policy that holds its thresholds, or has tried for long: tell its score, and set the next ones."""
        span, said = self._ranges.span[self._bounded], self._said
        if not self._searches:
            self._searches = [NelderMead(row.cpu(), (SEARCH_STEP * span).cpu()) for row in self.thresholds]
            return
        off = ((self._running[:, self._bounded] - self.thresholds) / span).abs().amax(dim=1)
        for policy, search in enumerate(self._searches):
            self._waited[policy] += 1
            if (off[policy] <= said.reached or self._waited[policy] >= said.patience) and not off[policy].isnan():
                search.tell(-float(self._running[policy, -1]))
                self.thresholds[policy] = search.point.to(self.thresholds)
                self._waited[policy] = 0

    @property
    def found_thresholds(self) -> Tensor:
        """The thresholds of each policy that had the best gold scores, `[p, m]`, NaN where an objective has none."""
        m = self.problem.num_objectives
        best = torch.stack([search.best for search in self._searches]) if self._searches else self.thresholds.cpu()
        rows = torch.full((len(best), m), torch.nan, dtype=torch.float64)
        rows[:, self._bounded.cpu()] = best
        return turn(rows, self.problem.directions)

    # ------------------------------------------------------------------------------------------ the contract
    def _policies(self, episodes: Episodes, preferences: Tensor) -> Candidates:
        told = super()._policies(episodes, preferences)
        if not len(told) or not self.multipliers.raw.shape[1]:
            return told
        values, asked = self._values(self._running)
        missed = asked - values
        if self._said.multipliers == "tanh":
            held = torch.arange(missed.shape[1], device=missed.device) < len(self._bounded)
            missed = torch.where(held, missed.abs(), missed)
        columns = {"constraints": (missed - self._said.tolerance).cpu()}
        if self._said.optimiser == "multipliers":
            columns["multipliers"] = self.multipliers.raw.cpu().clone()
        return told.with_extras(**columns)

    # ------------------------------------------------------------------------------------------ state
    def state_dict(self) -> dict[str, Any]:
        return {
            **super().state_dict(),
            "multipliers": self.multipliers.state_dict(),
            "thresholds": self.thresholds,
            "ranges": self._ranges.state_dict(),
            "stands": [self._running, self._base],
            "searches": [search.state_dict() for search in self._searches],
            "waited": list(self._waited),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.multipliers.load_state_dict(state["multipliers"])
        self._ranges.load_state_dict(state["ranges"])
        self.thresholds = state["thresholds"].to(self._device)
        self._running, self._base = (part.to(self._device) for part in state["stands"])
        self._searches = [NelderMead(torch.zeros(1), torch.ones(1)) for _ in state["searches"]]
        for search, part in zip(self._searches, state["searches"], strict=True):
            search.load_state_dict(part)
        self._waited = list(state["waited"])


def _check(options: Mapping[str, Any]) -> None:
    """Refuse options that contradict each other."""
    alike = options["copies"] // options["prompts"]
    if options["optimiser"] in GROUPED and alike % options["group"]:
        raise ValueError(
            f"Option `group` should divide `copies` (of a text, those of each of the `prompts`) with optimiser="
            f"{options['optimiser']}. Found group={options['group']} and {alike} copies."
        )
    held = options["optimiser"] == "multipliers" and options["multipliers"] == "tanh"
    if options["gold"] is not None and not held:
        raise ValueError(
            "Option `gold` searches thresholds that are held, so it is for optimiser=multipliers, multipliers=tanh. "
            f"Found optimiser={options['optimiser']}, multipliers={options['multipliers']}."
        )


def _means(values: Tensor, sound: Tensor) -> Tensor:
    """Of values `[p, c, k]` the means over sound episodes, `[p, k]`, NaN where a policy has none."""
    kept = torch.where(sound[..., None], values, 0.0)
    return kept.sum(dim=1) / sound.sum(dim=1, keepdim=True)
