"""The claims of `moo reproduce foundation`."""

from moo.benchmarks.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = (
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
)
