"""The claims of `moo reproduce morl`."""

from moo.benchmarks.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = (
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
)
