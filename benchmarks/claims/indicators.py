"""The claims of `moo reproduce indicators`."""

from moo.benchmarks.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = (
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
)
