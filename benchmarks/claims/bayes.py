"""The claims of `moo reproduce bayes`."""

from moo.benchmarks.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = (
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
)
