"""The claims of `moo reproduce gflownet`."""

from moo.benchmarks.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = (
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
)
