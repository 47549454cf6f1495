"""Statistics that compare methods over problems and runs: pure functions of arrays, with their sources.

Ranks and tests: `average_ranks`, `friedman`, `iman_davenport`, `rank_sum`, `signed_rank`, `holm`,
`critical_difference`. Summaries of runs: `interquartile_mean`, `bootstrap_interval`, `performance_profile`. Cost:
`used_to_target`, `expected_running_time`, `ecdf`, `area_under_curve`. What a report prints and what a plot draws comes
from here.
"""

from moo.statistics.critical import CriticalDifference, critical_difference, nemenyi_difference
from moo.statistics.hypotheses import Omnibus, friedman, holm, iman_davenport, least_rank_sum, rank_sum, signed_rank
from moo.statistics.ranks import average_ranks, oriented, ranks
from moo.statistics.runtimes import area_under_curve, ecdf, expected_running_time, used_to_target
from moo.statistics.summaries import bootstrap_interval, interquartile_mean, performance_profile

__all__ = [
    "CriticalDifference",
    "Omnibus",
    "area_under_curve",
    "average_ranks",
    "bootstrap_interval",
    "critical_difference",
    "ecdf",
    "expected_running_time",
    "friedman",
    "holm",
    "iman_davenport",
    "interquartile_mean",
    "least_rank_sum",
    "nemenyi_difference",
    "oriented",
    "performance_profile",
    "rank_sum",
    "ranks",
    "signed_rank",
    "used_to_target",
]
