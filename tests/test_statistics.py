"""Statistics of reports against scipy, enumeration, and cases worked by hand, ties and missing scores among them."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from moo.statistics import (
    area_under_curve,
    average_ranks,
    bootstrap_interval,
    critical_difference,
    ecdf,
    expected_running_time,
    friedman,
    holm,
    iman_davenport,
    interquartile_mean,
    least_rank_sum,
    nemenyi_difference,
    performance_profile,
    rank_sum,
    ranks,
    signed_rank,
    used_to_target,
)

DEMSAR = [  # Demsar 2006, table 6: AUC of four variants of C4.5 on 14 data sets
    *([0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967]),
    *([0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931]),
    *([0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875]),
    *([1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669]),
    *([0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970]),
]


def draws(*shape, seed=0, ties=False):
    values = np.random.default_rng(seed).normal(size=shape)
    return np.round(2 * values) / 2 if ties else values


# --------------------------------------------------------------------------------------------------- ranks
def test_ranks_count_who_is_better():
    # Literally: one more than those better, and half of the others that are equal.
    for seed, higher in itertools.product(range(20), (True, False)):
        scores = draws(4, 6, seed=seed, ties=True)
        better = (lambda a, b: a > b) if higher else (lambda a, b: a < b)
        expected = [
            [1 + sum(better(b, a) for b in row) + 0.5 * (sum(b == a for b in row) - 1) for a in row] for row in scores
        ]
        np.testing.assert_array_equal(ranks(scores, higher), expected)
        np.testing.assert_allclose(average_ranks(scores, higher), np.mean(expected, axis=0))


@pytest.mark.parametrize("higher", [True, False])
def test_no_score_ranks_worst_and_ties_with_its_like(higher):
    assert ranks([[math.nan, 1, 2, math.nan]], higher).tolist() == [
        [3.5, 2, 1, 3.5] if higher else [3.5, 1, 2, 3.5],
    ]
    worst = -math.inf if higher else math.inf
    assert ranks([[worst, math.nan, 0.0]], higher).tolist() == [[2.5, 2.5, 1]]


def test_demsars_average_ranks_and_friedman_test_come_out():
    # Section 3.2.2 of the paper: ranks 3.143, 2.000, 2.893, 1.964; chi-square 9.28 without and F_F = 3.69.
    np.testing.assert_allclose(average_ranks(DEMSAR, True), [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    uncorrected = 12 * 14 / (4 * 5) * ((average_ranks(DEMSAR, True) ** 2).sum() - 4 * 25 / 4)
    assert uncorrected == pytest.approx(9.28, abs=5e-3)
    assert friedman(DEMSAR).statistic > uncorrected  # ties make it larger


# --------------------------------------------------------------------------------------------------- all at once
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shape", [(2, 3), (5, 4), (30, 7)])
def test_friedman_is_scipys(shape, ties):
    for seed in range(10):
        scores = draws(*shape, seed=seed, ties=ties)
        expected = scipy.stats.friedmanchisquare(*scores.T)
        assert friedman(scores) == pytest.approx(tuple(expected), rel=1e-10)


def test_friedman_by_hand():
    # Two problems that agree on three methods: rank sums 2, 4, 6; 12/(2*3*4) * (4 + 16 + 36) - 3*2*4 = 4.
    found = friedman([[1, 2, 3], [10, 20, 30]])
    assert found == pytest.approx((4.0, math.exp(-2.0)))  # chi-square with two degrees: exp(-x / 2)


def test_nothing_differs_where_everything_ties():
    assert friedman(np.ones((5, 3))) == (0.0, 1.0)
    assert iman_davenport(np.ones((5, 3))) == (0.0, 1.0)
    assert rank_sum([1, 1, 1], [1, 1, 1]) == 1
    assert rank_sum(np.ones(50), np.ones(50)) == 1
    assert signed_rank([1, 2, math.inf], [1, 2, math.inf]) == 1


def test_iman_davenport_is_the_f_test_of_the_ranks():
    # Without ties it equals a two-way analysis of variance of the ranks, problems as blocks.
    for seed in range(5):
        scores = draws(7, 4, seed=seed)
        ranked = ranks(scores, True)
        n, k = scores.shape
        between = n * ((ranked.mean(axis=0) - 2.5) ** 2).sum() / (k - 1)
        left = ((ranked - ranked.mean(axis=0)) ** 2).sum() / ((n - 1) * (k - 1))
        found = iman_davenport(scores)
        assert found.statistic == pytest.approx(between / left)
        assert found.p_value == pytest.approx(scipy.stats.f.sf(between / left, k - 1, (n - 1) * (k - 1)))


def test_perfect_agreement_has_the_probability_of_chance():
    found = iman_davenport(np.tile([3.0, 1.0, 2.0], (4, 1)))
    assert found == (math.inf, 6.0**-3)


def test_iman_davenport_needs_two_problems():
    with pytest.raises(ValueError, match="at least 2 problems"):
        iman_davenport([[1, 2, 3]])


# --------------------------------------------------------------------------------------------------- two samples
def enumerated_rank_sum(a, b):
    """Every way to split the values, literally: both tails of the rank sum of the first part."""
    both = np.concatenate([a, b])
    ranked = scipy.stats.rankdata(both)
    sums = np.array([sum(ranked[list(part)]) for part in itertools.combinations(range(len(both)), len(a))])
    found = ranked[: len(a)].sum()
    return min(1.0, 2 * min((sums <= found + 1e-9).mean(), (sums >= found - 1e-9).mean()))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 5), (3, 3), (4, 6), (7, 5)])
def test_small_rank_sums_are_those_of_all_splits(n, k, ties):
    for seed in range(5):
        a, b = draws(n, seed=seed, ties=ties), draws(k, seed=seed + 100, ties=ties) + 0.5
        assert rank_sum(a, b) == pytest.approx(enumerated_rank_sum(a, b))
        assert rank_sum(a, b) == pytest.approx(rank_sum(b, a))


@pytest.mark.parametrize(("n", "k"), [(3, 4), (10, 10), (5, 30), (20, 20)])
def test_rank_sums_without_ties_are_scipys_exact_ones(n, k):
    a, b = draws(n, seed=n), draws(k, seed=k + 50) + 0.4
    expected = scipy.stats.mannwhitneyu(a, b, method="exact").pvalue
    assert rank_sum(a, b) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("ties", [False, True])
def test_large_rank_sums_are_scipys_normal_ones(ties):
    for seed, (n, k) in enumerate([(21, 20), (40, 70), (1, 40)]):
        a, b = draws(n, seed=seed, ties=ties), draws(k, seed=seed + 50, ties=ties) + 0.3
        expected = scipy.stats.mannwhitneyu(a, b, method="asymptotic").pvalue
        assert rank_sum(a, b) == pytest.approx(expected, rel=1e-10)


def test_the_two_laws_of_rank_sums_meet():
    # On each side of the limit the p-values of like samples are alike.
    a, b = draws(20, seed=1), draws(20, seed=2) + 0.6
    normal = scipy.stats.mannwhitneyu(a, b, method="asymptotic").pvalue
    assert rank_sum(a, b) == pytest.approx(normal, rel=0.05)


def test_infinite_scores_rank_as_such():
    assert rank_sum([math.inf] * 4, [1, 2, 3, 4]) == rank_sum([5, 5, 5, 5], [1, 2, 3, 4]) < 0.05
    assert signed_rank([math.inf, 1, 2], [0, 0, 0]) == signed_rank([9, 1, 2], [0, 0, 0])


@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 3), (3, 3), (5, 5), (4, 9)])
def test_the_least_rank_sum_is_that_of_samples_apart(n, k):
    assert least_rank_sum(n, k) == pytest.approx(rank_sum(np.arange(n), 100 + np.arange(k)))


# --------------------------------------------------------------------------------------------------- pairs
def enumerated_signed_rank(a, b):
    """All signs of the ranked distances, literally."""
    differences = np.array([x - y for x, y in zip(a, b, strict=True) if x != y])
    if not len(differences):
        return 1.0
    ranked = scipy.stats.rankdata(abs(differences))
    sums = np.array([ranked[list(map(bool, signs))].sum() for signs in itertools.product((0, 1), repeat=len(ranked))])
    found = ranked[differences > 0].sum()
    return min(1.0, 2 * min((sums <= found + 1e-9).mean(), (sums >= found - 1e-9).mean()))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_small_signed_ranks_are_those_of_all_signs(n, ties):
    for seed in range(8):
        a, b = draws(n, seed=seed, ties=ties), draws(n, seed=seed + 100, ties=ties) + 0.5
        assert signed_rank(a, b) == pytest.approx(enumerated_signed_rank(a, b))


@pytest.mark.parametrize("n", [6, 20, 50])
def test_signed_ranks_without_ties_are_scipys_exact_ones(n):
    a, b = draws(n, seed=n), draws(n, seed=n + 50) + 0.3
    expected = scipy.stats.wilcoxon(a, b, method="exact").pvalue
    assert signed_rank(a, b) == pytest.approx(expected, rel=1e-10)


def test_large_signed_ranks_are_scipys_normal_ones():
    for ties in (False, True):
        a, b = draws(80, seed=1, ties=ties), draws(80, seed=2, ties=ties) + 0.2
        expected = scipy.stats.wilcoxon(a, b, method="asymptotic", correction=True, zero_method="wilcox").pvalue
        assert signed_rank(a, b) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("test", [rank_sum, signed_rank])
def test_samples_that_are_none_are_refused(test):
    with pytest.raises(ValueError, match=r"`b` should be a list of at least one number\. Found shape \[0\]"):
        test([1.0], [])
    with pytest.raises(ValueError, match="`a` should hold no NaN"):
        test([math.nan], [1.0])


def test_pairs_of_unequal_number_are_refused():
    with pytest.raises(ValueError, match="Found 2 and 3 values"):
        signed_rank([1, 2], [1, 2, 3])


# --------------------------------------------------------------------------------------------------- Holm
def test_holm_by_hand():
    # .01 * 4, .02 * 3 = .06, .03 * 2 = .06, .04 * 1: not smaller than the one before it.
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])
    assert holm([]).shape == (0,)


def test_holm_rejects_what_the_step_down_rule_rejects():
    # Holm's own words: reject in order while p_(i) <= alpha / (m - i + 1).
    for seed in range(30):
        p_values = np.random.default_rng(seed).random(7) ** 3
        expected, going = np.zeros(7, dtype=bool), True
        for step, i in enumerate(np.argsort(p_values)):
            going = going and p_values[i] <= 0.05 / (7 - step)
            expected[i] = going
        np.testing.assert_array_equal(holm(p_values) <= 0.05, expected)


def test_what_is_no_probability_is_refused():
    for wrong in ([0.5, 1.5], [math.nan], [[0.5]]):
        with pytest.raises(ValueError, match="`p_values` should be a list of numbers from 0 to 1"):
            holm(wrong)


# --------------------------------------------------------------------------------------------------- critical
@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_nemenyis_quantiles_are_those_printed_by_demsar(methods, q):
    # Table 5(a) of the paper, alpha = .05.
    expected = q * math.sqrt(methods * (methods + 1) / (6 * 14))
    assert nemenyi_difference(methods, 14) == pytest.approx(expected, rel=5e-4)


def test_demsars_diagram_comes_out():
    # Figure 1 and the text: CD = 1.25 at alpha .05, no pair differs that much but at .10 (CD 1.12) one does.
    names = ["C4.5", "m", "cf", "m+cf"]
    at_05 = critical_difference(DEMSAR, names, how="nemenyi")
    assert at_05.names == ("m+cf", "m", "cf", "C4.5")
    assert at_05.difference == pytest.approx(1.25, abs=5e-3)
    assert at_05.groups == (("m+cf", "m", "cf", "C4.5"),)
    at_10 = critical_difference(DEMSAR, names, how="nemenyi", alpha=0.1)
    assert at_10.difference == pytest.approx(1.12, abs=5e-3)
    assert at_10.groups == (("m+cf", "m", "cf"), ("cf", "C4.5"))


def test_pairwise_p_values_are_scipys_adjusted():
    scores = draws(12, 4, seed=3) + np.array([0, 0.2, 1.5, 3])
    found = critical_difference(scores, "abcd")
    assert found.names == ("d", "c", "b", "a")
    columns = dict(zip("abcd", scores.T, strict=True))
    pairs = list(itertools.combinations(found.names, 2))
    plain = [scipy.stats.wilcoxon(columns[x], columns[y], method="exact").pvalue for x, y in pairs]
    for (x, y), p_value in zip(pairs, holm(plain), strict=True):
        i, j = found.names.index(x), found.names.index(y)
        assert found.p_values[i, j] == found.p_values[j, i] == pytest.approx(p_value)
        assert any({x, y} <= set(group) for group in found.groups) == (p_value > 0.05)
    assert found.p_value == pytest.approx(scipy.stats.friedmanchisquare(*scores.T).pvalue)
    assert found.groups == (("c", "b"), ("b", "a"))


def test_groups_are_the_largest_sets_without_a_difference():
    # Of all subsets, literally.
    from moo.statistics.critical import _largest_groups

    for seed in range(30):
        alike = np.random.default_rng(seed).random((6, 6)) < 0.6
        alike = alike | alike.T | np.eye(6, dtype=bool)
        cliques = [
            set(part)
            for size in range(2, 7)
            for part in itertools.combinations(range(6), size)
            if alike[np.ix_(part, part)].all()
        ]
        largest = sorted(tuple(sorted(part)) for part in cliques if not any(part < other for other in cliques))
        assert _largest_groups(alike) == largest


def test_no_two_methods_differ_where_friedman_finds_nothing():
    # One pair alone would differ: 6 of 6 problems, p = .03; among noisy others Friedman's test does not reject.
    rng = np.random.default_rng(5)
    scores = np.column_stack([rng.normal(size=6), rng.normal(size=6), rng.normal(size=6)])
    scores = np.column_stack([scores, scores[:, 0] + 1e-3])
    found = critical_difference(scores, "abcd")
    assert found.p_value > 0.05
    assert [set(group) for group in found.groups] == [set("abcd")]


def test_two_methods_are_compared_without_a_test_before():
    # Six large gains and the two smallest losses: 5 of 256 outcomes are as extreme on each side.
    scores = np.column_stack([np.zeros(8), [3, 4, 5, 6, 7, 8, -1, -2]])
    found = critical_difference(scores, ["a", "b"])
    assert found.p_value == pytest.approx(scipy.stats.chi2.sf(2, 1))  # .16: six of eight say little
    assert found.p_values[0, 1] == pytest.approx(2 * 5 / 2**8)
    assert found.groups == ()


def test_lower_can_be_better():
    scores = draws(9, 3, seed=2) + np.array([0, 2, 4])
    up, down = critical_difference(scores, "abc"), critical_difference(-scores, "abc", higher_is_better=False)
    assert (up.names, up.ranks, up.groups) == (down.names, down.ranks, down.groups)


def test_methods_without_a_score_are_the_last():
    scores = np.column_stack([np.full(8, math.nan), np.arange(8.0), np.arange(8.0) + 1])
    for higher in (True, False):
        assert critical_difference(scores, "abc", higher_is_better=higher).names[-1] == "a"


def test_all_equal_methods_are_one_group():
    for how in ("wilcoxon-holm", "nemenyi"):
        found = critical_difference(np.ones((4, 3)), "abc", how=how)
        assert (found.groups, found.ranks, found.p_value) == ((("a", "b", "c"),), (2.0, 2.0, 2.0), 1.0)


def test_what_cannot_be_compared_is_refused():
    table = np.arange(6.0).reshape(2, 3)
    with pytest.raises(ValueError, match=r"`scores` should have shape \[problems, methods\].*Found \[3\]"):
        average_ranks([1, 2, 3], True)
    with pytest.raises(ValueError, match="at least 2 problems"):
        critical_difference(table[:1], "abc")
    with pytest.raises(ValueError, match=r"`names` should be 3 different names.*\['a', 'b', 'b'\]"):
        critical_difference(table, "abb")
    with pytest.raises(ValueError, match=r"`alpha` should be above 0 and below 1\. Found 0"):
        critical_difference(table, "abc", alpha=0)
    with pytest.raises(ValueError, match=r"Unknown way to compare.*Did you mean 'nemenyi'\?"):
        critical_difference(table, "abc", how="nemeny")


# --------------------------------------------------------------------------------------------------- summaries
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 5), (4, 10), (3, 31)])
def test_interquartile_mean_is_scipys_trimmed_mean(shape):
    for seed in range(5):
        scores = draws(*shape, seed=seed)
        assert interquartile_mean(scores) == pytest.approx(scipy.stats.trim_mean(scores.ravel(), 0.25))


def test_interquartile_mean_by_hand():
    assert interquartile_mean([[1, 100, 3, 5], [2, 4, 6, -50]]) == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert interquartile_mean([[1, 100, 3], [2]]) == pytest.approx(2.5)


def test_the_bootstrap_of_a_mean_is_as_wide_as_theory_says():
    scores = draws(5, 40, seed=0)
    low, high = bootstrap_interval(scores, lambda runs: float(np.mean(np.concatenate(runs))), replicates=4000)
    error = math.sqrt(np.mean(scores.var(axis=1)) / scores.size)
    assert (low, high) == pytest.approx((scores.mean() - 1.96 * error, scores.mean() + 1.96 * error), abs=0.08 * error)
    narrow = bootstrap_interval(scores, lambda runs: float(np.mean(np.concatenate(runs))), confidence=0.5)
    assert narrow[1] - narrow[0] == pytest.approx(2 * 0.674 * error, rel=0.08)


def test_runs_are_drawn_within_their_problem():
    # Each problem is constant: whatever is drawn, the statistic stays. Drawn from all together, it would not.
    assert bootstrap_interval([[1.0] * 5, [7.0] * 3], lambda runs: float(runs[0].mean() - runs[1].mean())) == (-6, -6)


def test_an_interval_depends_on_its_seed_alone():
    scores = draws(3, 6)
    assert bootstrap_interval(scores, seed=4) == bootstrap_interval(scores, seed=4)
    assert bootstrap_interval(scores, seed=4) != bootstrap_interval(scores, seed=5)
    low, high = bootstrap_interval(scores)
    assert low < interquartile_mean(scores) < high


def test_the_interval_of_interquartile_means_is_that_of_a_loop():
    for scores in (draws(3, 6), [[1.0, 2.0], [3.0, 9.0, 4.0], [5.0, 5.0]]):
        assert bootstrap_interval(scores) == pytest.approx(
            bootstrap_interval(scores, lambda runs: 1 * interquartile_mean(runs))
        )


def test_one_run_alone_has_no_interval():
    with pytest.raises(ValueError, match="at least 2 runs of each problem"):
        bootstrap_interval([[1.0, 2.0], [3.0]])


def test_summaries_refuse_what_they_cannot_take():
    with pytest.raises(ValueError, match=r"at least one run of each problem.*Found \[\[2\], \[0\]\]"):
        interquartile_mean([[1.0, 2.0], []])
    with pytest.raises(ValueError, match="at least one run"):
        interquartile_mean([])
    with pytest.raises(ValueError, match="no NaN"):
        interquartile_mean([[1.0, math.nan]])
    with pytest.raises(ValueError, match=r"`confidence` should be above 0 and below 1\. Found 95"):
        bootstrap_interval([[1.0, 2.0]], confidence=95)
    with pytest.raises(ValueError, match="`replicates` should be at least 1"):
        bootstrap_interval([[1.0, 2.0]], replicates=0)


def test_profiles_count_runs_at_least_as_good_and_weigh_problems_alike():
    scores, at = [[1.0, 2.0, 3.0, math.nan], [2.0, 2.0]], [0.0, 2.0, 2.5]
    np.testing.assert_allclose(performance_profile(scores, at), [(3 / 4 + 1) / 2, (2 / 4 + 1) / 2, (1 / 4 + 0) / 2])
    down = performance_profile(scores, at, higher_is_better=False)
    np.testing.assert_allclose(down, [0.0, (2 / 4 + 1) / 2, (2 / 4 + 1) / 2])


# --------------------------------------------------------------------------------------------------- cost
def test_the_first_hit_of_a_target():
    used, values = [10, 20, 30, 40], [0.2, math.nan, 0.5, 0.4]
    assert used_to_target(used, values, [0.1, 0.2, 0.3, 0.5, 0.6]).tolist() == [10, 10, 30, 30, math.inf]
    assert used_to_target([], [], [0.1]).tolist() == [math.inf]


def test_hits_are_those_of_a_loop():
    for seed in range(20):
        values = np.random.default_rng(seed).random(15)
        used, targets = np.arange(1, 16) * 7, np.linspace(0, 1.1, 9)
        expected = [next((u for u, v in zip(used, values, strict=True) if v >= t), math.inf) for t in targets]
        assert used_to_target(used, values, targets).tolist() == expected


def test_expected_running_time_by_hand():
    # COCO: successes used 100 and 200, two failures spent their 500 each: 1300 for two hits.
    assert expected_running_time([100, math.inf, 200, math.nan], 500) == 650
    assert expected_running_time([100, math.inf], [500, 300]) == 400
    assert expected_running_time([math.inf, math.inf], 500) == math.inf


def test_expected_running_time_is_the_mean_cost_of_restarts():
    # Each restart reaches the target with probability .3 after 20, else spends 100: E = 20 + .7/.3 * 100.
    costs = np.where(np.arange(100) < 30, 20.0, math.inf)
    assert expected_running_time(costs, 100) == pytest.approx(20 + 0.7 / 0.3 * 100)
    rng, total = np.random.default_rng(0), 0.0
    for _ in range(20_000):
        while rng.random() >= 0.3:
            total += 100
        total += 20
    assert total / 20_000 == pytest.approx(expected_running_time(costs, 100), rel=0.02)


def test_running_times_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="one cost per run"):
        expected_running_time([], 5)
    with pytest.raises(ValueError, match="one for each of 3 runs"):
        expected_running_time([1, 2, 3], [5, 5])


def test_ecdf_is_scipys_and_never_counts_what_was_not_reached():
    values = draws(30, seed=1, ties=True)
    at = np.linspace(-3, 3, 25)
    np.testing.assert_allclose(ecdf(values, at), scipy.stats.ecdf(values).cdf.evaluate(at))
    assert ecdf([1, 5, math.inf, math.nan], [0, 1, 5, math.inf]).tolist() == [0, 0.25, 0.5, 0.5]
    with pytest.raises(ValueError, match="at least one number"):
        ecdf([], [1])


def test_area_by_hand():
    # 0 until 10, .2 until 30 (the gap is bridged), .5 until 50: (0 + 4 + 10) / 50.
    assert area_under_curve([10, 20, 30], [0.2, math.nan, 0.5], 50) == pytest.approx(14 / 50)
    assert area_under_curve([], [], 50) == 0


def test_area_is_the_integral_of_the_step_curve():
    rng = np.random.default_rng(3)
    used, values = np.cumsum(rng.integers(1, 9, size=12)), rng.random(12)
    budget = int(used[-1]) + 5
    steps = [max((i for i in range(12) if used[i] <= t), default=None) for t in range(budget)]
    expected = sum(0 if i is None else values[i] for i in steps) / budget
    assert area_under_curve(used, values, budget) == pytest.approx(expected)


def test_areas_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match=r"lists of one length. Found \[2\] and \[1\]"):
        area_under_curve([1, 2], [1], 5)
    with pytest.raises(ValueError, match=r"`budget` should be above 0 and not below what was used\. Found 1"):
        area_under_curve([1, 2], [1, 2], 1)
