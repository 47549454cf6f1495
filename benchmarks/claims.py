"""The claims that the project makes about itself, as data; `moo reproduce` measures them.

A claim's required figure is copied from the issue that set it, its unit is the bar's. A function in `perf/` measures it
and says whether it is met; a peer or a device that is absent is "not measured", never "met".
"""

from __future__ import annotations

import json
import os
import platform
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from moo.checks import unknown_name
from moo.choosing import versions
from moo.registry import resolve
from moo.storage import read_json, write_json


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        what: In a line.
        against: The paper's or the peer's figure, or what is compared with.
        required: The bar, verbatim.
        measure: `"module:function"`; called with `quick`, gives a `Measurement`.
        quick: What the smaller form requires; None: it has none.
    """

    what: str
    against: str
    required: str
    measure: str
    quick: str | None = None


@dataclass(frozen=True)
class Measurement:
    """What a claim's function found.

    Attributes:
        met: Whether the bar is met; None: not measured.
        median, worst: In words, with their unit.
        seeds: Which.
        shortfall: By how much it falls short, or why it was not measured; empty where met.
        details: Further figures, JSON values.
    """

    met: bool | None
    median: str
    worst: str
    seeds: list[int]
    shortfall: str = ""
    details: Mapping[str, Any] | None = None

    @property
    def verdict(self) -> str:
        """As people read it."""
        if self.met is None:
            return f"not measured ({self.shortfall})"
        return "met" if self.met else f"short by {self.shortfall}"


CLAIMS: dict[str, tuple[Claim, ...]] = {
    "foundation": (
        Claim(
            "pymoo's methods: finals equal a direct run of pymoo, and the archive all that it evaluated",
            "pymoo.optimize.minimize, same seed and budget",
            "each pymoo-backed method's `finals` equal a direct pymoo run's result (on our problem wrapped for pymoo, "
            "at whole generations) bit for bit, same seed and budget, and its archive equals the non-dominated set of "
            "all that run's evaluations (ZDT1, ZDT3, DTLZ2, RE21)",
            "moo.benchmarks.perf.parity:measure",
            quick="the same at 1,000 evaluations",
        ),
        Claim(
            "What the loop costs over pymoo's own",
            "pymoo's minimize with NSGA-II on ZDT1, population 100, 25,000 evaluations",
            "the loop costs <= 20 % CPU (stretch 10 %) over a direct pymoo run of NSGA-II on ZDT1, population 100, "
            "25,000 evaluations, history, archive and checkpoint included",
            "moo.benchmarks.perf.loop_overhead:measure",
            quick="the same at 10,000 evaluations, <= 30 %",
        ),
        Claim(
            "What a noisy front is reported to be worth",
            "its noise-free hypervolume",
            "on ZDT1 with noise of sd .3, 20,000 evaluations of NSGA-II, the reported hypervolume of the front is "
            "within 5 % of its true (noise-free) one",
            "moo.benchmarks.perf.noise:measure",
        ),
        Claim(
            "Starting the command line",
            "CPU seconds of `moo --help` and `moo list`",
            "`moo --help` and `moo list` without importing torch, <= .4 s CPU",
            "moo.benchmarks.perf.startup:measure",
            quick="the same",
        ),
    ),
    "indicators": (
        Claim(
            "Hypervolume of many sets of two objectives",
            "moocore in a loop; BoTorch batched",
            "hypervolume 2D, 1,000 x 50 / 10,000 x 20: >= 3x / 4x a moocore loop; >= 25x BoTorch batched",
            "moo.benchmarks.perf.indicators:hypervolume_2d_batched",
            quick="1,000 x 50 alone",
        ),
        Claim(
            "Hypervolume of one large front of two objectives",
            "Optuna, moocore",
            "2D single n = 1e4: no slower than the best of Optuna's and moocore's (.54 ms class)",
            "moo.benchmarks.perf.indicators:hypervolume_2d_single",
        ),
        Claim(
            "Hypervolume of many sets of three objectives",
            "moocore in a loop",
            "3D batched 1,000 x 20 / x 50: >= 2x / >= .9x a moocore loop",
            "moo.benchmarks.perf.indicators:hypervolume_3d_batched",
            quick="1,000 x 20 alone",
        ),
        Claim(
            "Hypervolume of one set of three to five objectives",
            "moocore, to which it is delegated",
            "3D, 4D, 5D single: <= 1.05x moocore 0.3.2 (pinned) + 30 us of checks",
            "moo.benchmarks.perf.indicators:hypervolume_single",
            quick="n = 100 alone",
        ),
        Claim(
            "Hypervolume of many objectives",
            "moocore",
            "m = 6, n = 1,000; m = 8, n = 100: >= 5x and >= 4x faster than moocore",
            "moo.benchmarks.perf.indicators:hypervolume_many",
            quick="m = 8 alone",
        ),
        Claim(
            "Contributions of four and five objectives",
            "pygmo",
            "contributions m = 4, 5, n = 1,000: no slower than pygmo (18x and 39x faster than moocore)",
            "moo.benchmarks.perf.indicators:contributions_many",
        ),
        Claim(
            "Non-dominated rows of a large cloud",
            "moocore",
            "filter, cloud of 1e5, m = 2, 3, 5: >= 1.7x moocore",
            "moo.benchmarks.perf.indicators:filter_cloud",
            quick="the same with 20,000 rows",
        ),
        Claim(
            "Non-dominated rows of many sets",
            "moocore in a loop",
            "filter batched 10,000 x 20: >= 1.7x a moocore loop",
            "moo.benchmarks.perf.indicators:filter_batched",
            quick="1,000 x 20",
        ),
        Claim(
            "Contributions and exact R2 of many sets of two objectives",
            "moocore in a loop",
            "contributions 2D batched; exact R2 m = 2 batched: >= 3x; >= 2.5x",
            "moo.benchmarks.perf.indicators:two_objectives_batched",
            quick="the same",
        ),
        Claim(
            "Exact R2 of three objectives",
            "nobody ships one",
            "exact R2, m = 3, n = 100: <= 1 ms, relative error 1e-12 against high precision, `r2_exact(-ones(1, "
            "3), zeros(3))` is 11/18",
            "moo.benchmarks.perf.indicators:r2_three_objectives",
            quick="the same with fewer sets",
        ),
        Claim(
            "Agreement on random sets with ties and duplicates",
            "moocore, pygmo; exact rational arithmetic in the tests",
            "relative 1e-12 with moocore (and pygmo in the benchmark) on 1,000 random sets per m <= 6 with ties "
            "and duplicates; exact rational arithmetic on small integers",
            "moo.benchmarks.perf.indicators:agreement",
        ),
        Claim(
            "Hypervolume of many sets on a GPU",
            "moocore in a loop on all cores",
            "GPU, 10,000 fronts x 100, m = 2, 3, 4: >= 20x / 10x / 3x a 16-core moocore loop, measured whenever a"
            " GPU is at hand",
            "moo.benchmarks.perf.indicators:on_gpu",
        ),
    ),
    "gflownet": (
        Claim(
            "The conditional law of cells, one model for all beta",
            "the exact conditional distribution on branin-currin 32 x 32",
            "G1: branin-currin 32x32, <= 640k trajectories, ONE model for all beta, log-uniform in [.5, 32]: L1 to the "
            "exact conditional distribution (0..2, mean over 11 preferences) <= .06 at beta 1, 2, 4, <= .08 at 8, "
            "<= .10 at 16",
            "moo.benchmarks.perf.gflownet_quality:grid_law",
        ),
        Claim(
            "Log Z of the same model, and its time",
            "the exact log Z at 55 conditions",
            "G2: log Z error <= .1 nat at all 55 conditions; whole run <= 5 minutes on one idle core",
            "moo.benchmarks.perf.gflownet_quality:grid_log_z",
        ),
        Claim(
            "The conditional law on concave fronts",
            "the exact conditional distribution on currin-shubert and shubert-beale",
            "G3: currin-shubert and shubert-beale, <= 640k, G1's defaults: L1 <= .06 at beta 1, 2 and <= .10 at 4; "
            "pooled hypervolume >= 99.5 % of the true one",
            "moo.benchmarks.perf.gflownet_quality:grid_concave",
        ),
        Claim(
            "One pick for each preference on a concave front",
            "weighted sums, which cannot pass .66",
            "G5: Tchebycheff or goal cones on currin-shubert, <= 640k, one pick per preference, 11 preferences: "
            "hypervolume >= .71, R2 <= .47",
            "moo.benchmarks.perf.gflownet_quality:grid_tchebycheff",
        ),
        Claim(
            "The Pareto cells of six grids, from dominance alone",
            "mogfn at the same budget",
            "O1: order-preserving on the 6 grid pairs, 128k trajectories: mass on the true Pareto cells >= .75, PC-ent "
            ">= .95 of its maximum, better than the same-budget preference-conditional run on both",
            "moo.benchmarks.perf.gflownet_quality:pareto_cells",
        ),
        Claim(
            "The law of strings by their counts of n-grams",
            "the exact law by dynamic programming",
            "N4: AV, VC and AV, VC, CA, length 33-36, beta 96, 1.28M evaluations: total variation of the count-vector "
            "law: two bigrams mean <= .10 and worst preference <= .15; three bigrams mean <= .15 (stretch .10); log Z "
            "error <= 1 nat at every preference; the same figures printed for the unigram task",
            "moo.benchmarks.perf.gflownet_quality:string_law",
        ),
        Claim(
            "Scores of strings with three bigrams",
            "the exact sampler",
            "N1: AV, VC, CA, same run, 10 bins, 55 preferences: hypervolume, R2 and top-10 reward within 5 % of the "
            "exact sampler on both sides; top-10 edit distance >= 9.0",
            "moo.benchmarks.perf.gflownet_quality:three_bigrams",
        ),
        Claim(
            "Scores of strings with two bigrams",
            "the exact sampler",
            "N2: AV, VC, same: the same within 5 % on both sides, edit distance >= 9.5",
            "moo.benchmarks.perf.gflownet_quality:two_bigrams",
        ),
        Claim(
            "Active learning of strings with three bigrams",
            "NSGA-II and random mutation of the best, at equal evaluations",
            "A1: active learning, 3-bigram regex task, 512 + 16 rounds x 64 evaluations, 5 seeds, <= 10 minutes each: "
            "relative hypervolume above NSGA-II's and random mutation's on every seed",
            "moo.benchmarks.perf.active_learning:strings",
            quick="the same with 2 rounds, one seed",
        ),
        Claim(
            "Fresh molecules for 15 preferences",
            "a composition of GFlowNets, .792 by another protocol and vocabulary",
            "F1: fragments SA-QED, 1.28M evaluations or the largest budget that 60 minutes allow; ref 0, 15 "
            "preferences x 128 fresh samples, pooled: hypervolume >= .79; say plainly what was reached",
            "moo.benchmarks.perf.molecule_quality:sampled_front",
            quick="the same with 50,000 evaluations and one seed",
        ),
        Claim(
            "Transitions per second on the hypergrid",
            "torchgfn 2.4.1",
            "T1: throughput, HyperGrid 2D H=32, batch 128, same network, CPU, one thread: >= 4x torchgfn 2.4.1's "
            "transitions per second with the same fixed policy and network, stretch 6x, measured in one command",
            "moo.benchmarks.perf.gflownet:throughput",
            quick="the same, in fewer rounds",
        ),
    ),
    "morl": (
        Claim(
            "All of the convex deep sea, with linear preferences",
            "the exact front",
            "DST convex, gamma .99, <= 100k transitions: hypervolume >= 854.8 (exact), <= 15 s",
            "moo.benchmarks.perf.morl_quality:convex",
            quick="the same, one seed",
        ),
        Claim(
            "The concave deep sea with linear preferences: no more than they can find",
            "the exact convex coverage set",
            "DST concave, linear scalarisation, final greedy policies: = 3391.57 within .1 % (it must not exceed its "
            "own cap)",
            "moo.benchmarks.perf.morl_quality:concave_linear",
            quick="the same, one seed",
        ),
        Claim(
            "All of the concave deep sea, by deterministic policies",
            "the exact front",
            "DST concave, deterministic policies, by a hard per-episode budget, time-aware Tchebycheff or Pareto Q; <= "
            "200k: = 3688.377 within .1 (and not above), <= 30 s",
            "moo.benchmarks.perf.morl_quality:concave_sets",
            quick="the same, one seed",
        ),
        Claim(
            "The concave deep sea by networks: expected returns of stochastic policies",
            "all mixtures of policies, 4231.04",
            "DST concave, `c-morl`, expected return of stochastic policies; <= 600k: >= 4100 of the mixtures' 4230.99, "
            "with an exploration device on by default",
            "moo.benchmarks.perf.morl_quality:concave_constrained",
        ),
        Claim(
            "Every leaf of the fruit tree",
            "the exact front",
            "fruit-tree depth 5/6/7, `tabular`, gamma .99, ref -1, <= 300k: every leaf: hypervolume as in the notes, "
            "relative 1e-6",
            "moo.benchmarks.perf.morl_quality:fruits",
            quick="the same, one seed",
        ),
        Claim(
            "The fruit tree by networks",
            "the exact front of deterministic policies, 46034.8",
            "fruit-tree depth 6, `c-morl` PPO, <= 500k: hypervolume (ref -1, gamma .99) >= 4.2e4",
            "moo.benchmarks.perf.morl_quality:fruits_constrained",
        ),
        Claim(
            "Resource gathering",
            "the exact front",
            "resource-gathering, gamma .99, learned by `tabular`, <= 300k: the three true vectors within .02",
            "moo.benchmarks.perf.morl_quality:gathering",
            quick="the same, one seed",
        ),
        Claim(
            "The deterministic minecart by networks",
            "the front that MO-Gymnasium gives, 81.8; ours, a lower bound as well, 103.3",
            "minecart-deterministic, gamma .98, `c-morl`, <= 1M: hypervolume with ref (0, 0, -200) >= 77.7",
            "moo.benchmarks.perf.morl_quality:minecart",
        ),
        Claim(
            "Hopper with two objectives",
            "PGMORL's published 1.20e5",
            "mo-hopper 2 objectives, gamma .99, cap 500, <= 1.5M: hypervolume >= 1.2e5 (ref (-100, -100))",
            "moo.benchmarks.perf.morl_quality:hopper",
        ),
        Claim(
            "Steps per second of native environments",
            "MO-Gymnasium's own",
            "native env speed, batch 4096, one thread: DST >= 5M steps/s, fruit-tree and resource-gathering >= 3M, "
            "minecart >= 300k; printed beside MO-Gymnasium's own in the same run",
            "moo.benchmarks.perf.environments:environment_speed",
            quick="the same, in fewer rounds",
        ),
        Claim(
            "Training many policies at once",
            "a loop over the same networks apart",
            "training throughput of 6 and 32 policies, 8 and 64 states per policy: >= 3x a loop over separate policies "
            "with the same networks: forward, backward, clipping and optimiser step, one run; printed at 512 too",
            "moo.benchmarks.perf.environments:training_speed",
            quick="the same, in fewer rounds",
        ),
    ),
    "alignment": (
        Claim(
            "PAMA's weights",
            "a quadratic program by scipy on random inputs",
            "PAMA's c: on the simplex and c.A = s* to 1e-12; s*^2 within 1e-12 of an independent QP on random inputs, "
            "n = 2..16; invariant to permutation",
            "moo.benchmarks.perf.gradients:pama_exact",
            quick="the same, fewer programs",
        ),
        Claim(
            "What PAMA's weights cost",
            "the bar alone",
            "solve cost, one thread: <= .02 ms scalar; <= .3 ms in all for the per-token form over 8,192 tokens; <= "
            ".15 ms PAMA-G at n <= 16; the same at 1e4 and 1e8 parameters",
            "moo.benchmarks.perf.gradients:pama_cost",
            quick="n = 2 and 16 alone",
        ),
        Claim(
            "The shortest combination of gradients, from their Gram matrix",
            "TorchJD 0.18's MGDA",
            "minimum norm on a given Gram, m = 2..16: >= 3x faster than torchjd's MGDA and exact (its relative gap is "
            "1e-3 at m = 16)",
            "moo.benchmarks.perf.gradients:shortest",
            quick="m = 2, 3, 16 alone",
        ),
        Claim(
            "Weights by influence",
            "the closed form",
            "DRW influence weights: equal the closed form to 1e-12; floor honoured",
            "moo.benchmarks.perf.gradients:influence_exact",
            quick="n = 2 and 16 alone",
        ),
        Claim(
            "A concave front by exact gradients",
            "linear preferences and DRW-2, which stay at its ends; PAMA-G without levels, which ignores preferences",
            "Fonseca-Fleming (concave), exact gradients, 11 preferences in [.05, .95]: smooth Tchebycheff (annealed), "
            "EPO, hypervolume gradient, preference-conditioned PAMA: >= 10 of 11 finals inside the front (>= .02 from "
            "its ends) and within 1e-3 of it, hypervolume >= .86 on the scale where the best 11 points reach .887, "
            "Spearman of preference and objective >= .95 (hypervolume gradient exempt), <= 5 s each. Linear and DRW-2 "
            "finals stay at the ends, and PAMA-G without a value term ignores its preference",
            "moo.benchmarks.perf.gradients:concave_front",
            quick="the same, one seed",
        ),
        Claim(
            "The hypervolume-guided factor",
            "moocore's hypervolume",
            "DRW hypervolume: equals moocore to 1e-12, points below the reference included",
            "moo.benchmarks.perf.gradients:factor_exact",
            quick="the same, 300 cases",
        ),
        Claim(
            "Where a factor of the rewards acts",
            "the same run with the factor fixed at 1",
            "DRW effect test: final parameters differ from those with the factor fixed at 1 by > 1e-3 in relative norm "
            "for every estimator where the docs say it acts, and by <= 1e-5 where they say it is inert",
            "moo.benchmarks.perf.alignment:effect",
            quick="the same, one seed, fewer steps",
        ),
        Claim(
            "Weights by influence on bandits",
            "equal weights, all that a policy passes through",
            "three-objective bandit (40 arms, rewards on the sphere's octant), mean of 5 seeds: archive hypervolume >= "
            "1.10x equal weights' at mu = .001 and .01 (the exponent is eta I / mu), >= .99x at .1 and 1",
            "moo.benchmarks.perf.alignment:influence_on_bandits",
            quick="the same, 2 seeds",
        ),
        Claim(
            "Objectives that are learned at different speeds",
            "fixed weights",
            "asynchronous saturation toy, `reward-weighting` by influence: saturated objective's weight falls below "
            ".25; steps to the front at least 5 % fewer than fixed weights",
            "moo.benchmarks.perf.alignment:saturation",
            quick="the same",
        ),
        Claim(
            "PAMA by step on bandits and n-grams",
            "fixed weights, and the other methods of its kind, at equal budget",
            "per-token PAMA against fixed weights on n-grams and bandits: reported whatever it is",
            "moo.benchmarks.perf.alignment:fronts",
            quick="the same, one seed, a twentieth of the budget",
        ),
        Claim(
            "Whether PAMA ends at a Pareto-stationary point",
            "its second theorem; the least combination of the exact gradients at the start",
            "exact-gradient min-norm value on a smooth bandit: reported whatever it is",
            "moo.benchmarks.perf.alignment:stationarity",
            quick="the same, 2 seeds, a fifth of the steps",
        ),
    ),
    "bayes": (
        Claim(
            "The hypervolume that 50 evaluations reach on three problems",
            "BoTorch's loop 58.18 / .319 / 244.3; Ax 58.03 / .378 (starts on the Pareto set) / 243.8; Optuna GP 57.0 / "
            ".243 / 243.5",
            "BraninCurrin >= 58.1; DTLZ2 6d >= .34; VehicleSafety >= 244.1, and the median paired difference to "
            "BoTorch's loop on the same seeds >= -.1 % (DTLZ2 >= -.01)",
            "moo.benchmarks.perf.bayes_quality:volumes",
        ),
        Claim(
            "What a proposal costs",
            "BoTorch 1.57 / 1.51 / 4.59; Ax 1.46 / 1.09 / 5.53; Optuna GP .28 / .37 / .96",
            "CPU per proposal (first call left out on both sides) >= 10x less than BoTorch's loop in the same run, on "
            "each (stretch: <= .10 s)",
            "moo.benchmarks.perf.bayes_quality:cost",
        ),
        Claim(
            "The same on four engineering problems",
            "BoTorch's loop in the same run",
            "Penicillin, CarSideImpact, RE33, RE37 at 2(d+1) + 60, seeds 1000-1002: median hypervolume >= BoTorch's "
            "loop on each, >= 5x less CPU",
            "moo.benchmarks.perf.bayes_quality:engineering",
        ),
        Claim(
            "Under noise, in batches of four",
            "qNEHVI 57.77 in one run",
            "noisy BraninCurrin (sd 15.19, .63), 6 + 20 x q 4: hypervolume of the noise-free values of all evaluated "
            "points >= 57.5",
            "moo.benchmarks.perf.bayes_quality:noisy",
            quick="the same, one seed",
        ),
        Claim(
            "Twenty columns",
            "SVH-PSL -7.2 / -5.5 / -1.05, DGEMO -1.45 on ZDT3",
            "ZDT1/ZDT2 20d, 20 + 100: ln hypervolume difference to pymoo's 100-point front, ref (1.1, 1.1), <= -4.5 / "
            "-4.8; ZDT3 <= -1.05; a hypervolume above the 100-point front's counts as met",
            "moo.benchmarks.perf.bayes_quality:twenty_columns",
        ),
        Claim(
            "Six objectives",
            "qLogNParEGO in the same run",
            "DTLZ2 with 6 objectives, 30 + 70: <= 1 s per proposal, hypervolume >= qLogNParEGO",
            "moo.benchmarks.perf.bayes_quality:six_objectives",
        ),
        Claim(
            "A fifth of the evaluations failing",
            "the same without failures",
            "20 % failing evaluations on VehicleSafety (seeded at random, counted in the budget): >= .97 of the clean "
            "hypervolume",
            "moo.benchmarks.perf.bayes_quality:failing",
            quick="the same, one seed",
        ),
        Claim(
            "Pareto set learning as published",
            "SVH-PSL's figure",
            "`svh-psl` in its published setting (d = 20, 20 + 20 x 5; d = 30 printed): within .5 of the figure's ln "
            "difference on ZDT1/2/3 or an experiment that explains why not",
            "moo.benchmarks.perf.set_learning:set_learning",
        ),
        Claim(
            "The weight tuner",
            "Dirichlet, uniform grid and corner weights at equal training transitions",
            "weight tuner with `ppo-preference`, 200k transitions each, on DST concave, fruit-tree and minecart, 5 "
            "seeds: hypervolume over time (area under the curve) >= all three on at least two problems, not below 98 % "
            "of the best on any",
            "moo.benchmarks.perf.preference_tuning:weights",
        ),
        Claim(
            "Tuning hyperparameters",
            "random search",
            "tuning `c-morl` on fruit-tree and `mogfn` on hypergrid, trials of <= 20 s, 5 seeds: hypervolume with 27 "
            "full-trial equivalents >= random search with 81",
            "moo.benchmarks.perf.hyperparameter_tuning:hyperparameters",
        ),
    ),
    "benchmarks": (
        Claim(
            "What the engines cost",
            "5.0 s",
            "200 cells of 50 ms on 2 workers: loky <= 5.8 s, dask <= 6.5 s, ray <= 6.5 s (ideal 5.0; start-up apart)",
            "moo.benchmarks.perf.engines:short_cells",
            quick="40 cells, a fifth of each",
        ),
        Claim(
            "What a suite survives",
            "the CSV of a run that nothing happened to",
            "SIGKILL of a worker, of the main process, of one of two concurrent runs; disk full; a corrupted record: "
            "only cells in flight are lost and they are named; the rerun's report equals the uninterrupted one, byte "
            "for byte in its CSV (times excluded)",
            "moo.benchmarks.perf.faults:survive",
            quick="the same, half as many cells",
        ),
        Claim(
            "A cell that always kills its worker",
            "the bar alone",
            "a poison cell (always kills its worker) among 40: 39 done, 1 quarantined with its reason, on loky, dask "
            "and ray",
            "moo.benchmarks.perf.engines:poison",
            quick="among 10, on loky",
        ),
        Claim(
            "Going on with ten thousand finished cells",
            "the bar alone",
            "10,000 finished cells: `moo bench` resume scan <= 5 s, memory <= 1 GB",
            "moo.benchmarks.perf.engines:scan",
            quick="1,000 cells, <= .5 s",
        ),
        Claim(
            "Starting the command line, with all that it can do now",
            "CPU seconds of `moo --help` and `moo list`",
            "`moo --help` <= .4 s CPU; no torch import",
            "moo.benchmarks.perf.startup:measure",
            quick="the same",
        ),
        Claim(
            "A report of ten thousand cells",
            "the bar alone",
            "10,000 finished cells (2 objectives, fronts of 100, final hypervolume and IGD+, cold file cache aside): "
            "`moo report` <= 20 s, memory <= 1 GB",
            "moo.benchmarks.perf.reports:large_report",
            quick="1,000 cells, <= 8 s",
        ),
        Claim(
            "Tables for LaTeX",
            "pdflatex where it is installed; a parser",
            "LaTeX tables compile with booktabs alone (tested where TeX is installable in CI, else by a parser)",
            "moo.benchmarks.perf.reports:latex_tables",
            quick="the same",
        ),
        Claim(
            "Plots for papers",
            "the bar alone",
            "every plot kind: opens, fonts embedded as type 42, same bytes twice, no text overlap at the stated widths",
            "moo.benchmarks.perf.plots:measure",
            quick="in one style",
        ),
    ),
}


def machine() -> str:
    """Processor, cores, system."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line for line in cpuinfo.read_text().splitlines() if line.startswith("model name"))
        name = next(lines, f": {name}").partition(":")[2].strip()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def reproduce(
    name: str, path: Path, *, quick: bool = False, say: Callable[[str], object] = print
) -> list[dict[str, Any]]:
    """Measure the claims of one name, those measured before at the same versions excepted.

    Args:
        name: Of a group of claims.
        path: The JSON file that holds what was measured; written after each claim.
        quick: The smaller forms.
        say: Called with lines for people.

    Returns:
        One record per claim: what, required, measured, verdict, machine; `error` where measuring failed.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in CLAIMS:
        raise ValueError(unknown_name("claims", name, CLAIMS))
    before = {record["what"]: record for record in read_json(path)["claims"]} if path.exists() else {}
    records = []
    for claim in CLAIMS[name]:
        if quick and claim.quick is None:
            continue
        record = before.get(claim.what)
        current = {"versions": versions(), "machine": machine(), "quick": quick, "required": _required(claim, quick)}
        if record is None or "error" in record or any(record.get(key) != value for key, value in current.items()):
            say(f"measuring: {claim.what} ...")
            record = {**asdict(claim), **current, **_measure(claim, quick)}
        records.append(record)
        kept = [old for what, old in before.items() if what not in {new["what"] for new in records}]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"name": name, "claims": records + kept})
        for line in describe(record):
            say(line)
    return records


def _required(claim: Claim, quick: bool) -> str:
    return str(claim.quick) if quick else claim.required


def _measure(claim: Claim, quick: bool) -> dict[str, Any]:
    function = resolve({claim.what: claim.measure}, claim.what, "claim")
    try:
        found: Measurement = function(quick=quick)
    except Exception as error:
        return {"verdict": f"error: {type(error).__name__}: {error}", "error": traceback.format_exc()}
    plain: dict[str, Any] = json.loads(json.dumps({**asdict(found), "verdict": found.verdict}))
    return plain


def describe(record: Mapping[str, Any]) -> list[str]:
    """A claim's record in lines."""
    lines = [record["what"], f"  against   {record['against']}", f"  required  {record['required']}"]
    if "error" not in record:
        lines.append(f"  measured  median {record['median']}, worst {record['worst']}, seeds {record['seeds']}")
    return [*lines, f"  verdict   {record['verdict']}", f"  machine   {record['machine']}", ""]


def exit_code(records: list[dict[str, Any]]) -> int:
    """0 where every claim is met, 2 where some are short or not measured, 1 on an error."""
    if any("error" in record for record in records):
        return 1
    return 0 if all(record["verdict"] == "met" for record in records) else 2
