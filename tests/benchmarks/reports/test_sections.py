"""Sections of a report, on searches that were made up so that every number is known."""

import itertools
import math
import re

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from searches import search, searches

from moo.benchmarks.reports.comparing import intervals_table, ranks_tables
from moo.benchmarks.reports.loading import Report
from moo.benchmarks.reports.material import Material, Wish, median, quantile
from moo.benchmarks.reports.reaching import profile_table, targets_table
from moo.benchmarks.reports.rendering import render
from moo.benchmarks.reports.summary import runs_table, spreads, summary_table

GOOD, MIDDLE, BAD = [9.0, 9.1, 9.2, 9.3, 9.4], [5.0, 5.1, 5.2, 5.3, 5.4], [1.0, 1.1, 1.2, 1.3, 1.4]


def material(table, indicators=("hypervolume",), *, options=None, **wish):
    return Material.of(searches(table, **(options or {})), Wish(indicators, **wish))


def column(table, name):
    place = table.header.index(name)
    return [row[place] for row in table.rows]


def texts(table, name):
    return [entry.text for entry in column(table, name)]


def noted(table):
    return "\n".join(table.notes)


# --------------------------------------------------------------------------------------------------- summary
@pytest.mark.parametrize("count", [1, 2, 3, 4, 10, 31])
def test_medians_and_quartiles_are_numpys(count):
    values = np.random.default_rng(count).uniform(1, 9, size=count).tolist()
    row = spreads(material({"p": {"random": values}})).iloc[0]
    np.testing.assert_allclose(row[["lower", "median", "upper"]].tolist(), np.quantile(values, (0.25, 0.5, 0.75)))
    (text,) = texts(summary_table(material({"p": {"random": values}}))[0], "hypervolume")
    low, middle, high = (f"{value:.4g}" for value in np.quantile(values, (0.25, 0.5, 0.75)))
    assert text == (middle if count == 1 else f"{middle} [{low}, {high}]")


def test_the_best_median_is_marked_whichever_way_is_better():
    # A higher point has more hypervolume and a smaller IGD+.
    (table,) = summary_table(material({"p": {"random": BAD, "nsga2": GOOD}}, ("hypervolume", "igd_plus")))
    for name in ("hypervolume", "igd_plus"):
        assert [entry.best for entry in column(table, name)] == [False, True]


def test_equal_medians_share_mark_and_rank_and_a_lone_method_has_none():
    (table,) = summary_table(material({"p": {"random": [1, 2, 3], "nsga2": [2, 2, 2], "nsga3": [1, 1, 1]}}))
    assert [entry.best for entry in column(table, "hypervolume")] == [True, True, False]
    assert texts(table, "rank") == ["1.5", "1.5", "3"]
    (lone,) = summary_table(material({"p": {"random": [1, 2, 3]}}))
    assert not lone.has_best
    assert "rank" not in lone.header


def test_marks_and_ranks_are_given_problem_by_problem():
    (table,) = summary_table(material({"p": {"random": [1], "nsga2": [2]}, "q": {"random": [4], "nsga2": [3]}}))
    assert [entry.best for entry in column(table, "hypervolume")] == [False, True, True, False]
    assert texts(table, "rank") == ["2", "1", "1", "2"]
    assert table.groups == ["p", "p", "q", "q"]


def test_infinite_scores_have_quartiles_and_are_never_the_best():
    # Nothing found: IGD+ is infinite. In one of three seeds, half of them, all of them.
    for values in ([1.0, 2.0, None], [1.0, None], [None, None]):
        (table,) = summary_table(material({"p": {"random": values, "nsga2": [None, None]}}, ("igd_plus",)))
        assert "nan" not in " ".join(texts(table, "igd_plus"))
        assert not column(table, "igd_plus")[1].best
    assert quantile(np.array([1.0, 2.0, math.inf]), 0.75) == math.inf
    assert median(np.array([1.0, math.inf])) == math.inf
    assert median(np.array([1.0, 2.0, math.inf])) == 2


def test_a_method_without_a_score_ranks_last_and_is_not_the_best():
    # There is no hypervolume that it could be relative to.
    nothing = {"point": (50, 50)}
    found = material({"p": {"random": [1, 2], "nsga2": [2, 3]}}, ("relative_hypervolume",), options=nothing)
    (table,) = summary_table(found)
    assert texts(table, "relative_hypervolume") == ["-", "-"]
    assert not table.has_best
    assert texts(table, "rank") == ["1.5", "1.5"]


def test_several_budgets_are_rows_of_their_own():
    runs = [search("p", "random", seed, seed + b / 100, budget=b) for b in (100, 200) for seed in range(3)]
    found = Material.of(runs, Wish(("hypervolume",)))
    assert found.names == ["random @100", "random @200"]
    (table,) = summary_table(found)
    assert texts(table, "budget") == ["100", "200"]
    assert texts(table, "method") == ["random", "random"]


def test_a_search_said_in_two_ways_counts_once():
    runs = searches({"p": {"random": [1, 2, 3]}})
    assert spreads(Material.of([*runs, *runs], Wish(("hypervolume",))))["runs"].tolist() == [3]


def test_every_run_is_shown_when_asked():
    (table,) = runs_table(material({"p": {"random": [1, 2], "nsga2": [3]}}))
    assert texts(table, "seed") == ["0", "1", "0"]
    assert texts(table, "hypervolume") == ["1", "2", "3"]


# --------------------------------------------------------------------------------------------------- control
def signs(table, name="hypervolume"):
    return [entry.sign for entry in column(table, name)]


def test_signs_say_who_is_better_and_worse_than_the_control():
    same = [5.05, 5.15, 5.25, 5.0, 5.4]
    methods = {"random": BAD, "nsga2": MIDDLE, "nsga3": GOOD, "moead": same}
    (table,) = summary_table(material({"p": methods}, ("hypervolume", "igd_plus"), control="nsga2"))
    for name in ("hypervolume", "igd_plus"):
        assert signs(table, name) == ["-", "", "+", "="]
    assert "hypervolume, problems with + / = / - against nsga2: random 0/0/1, nsga3 1/0/0, moead 0/1/0." in table.notes


def test_p_values_are_scipys_adjusted_over_the_methods_of_a_problem():
    rng = np.random.default_rng(2)
    methods = {
        name: rng.uniform(1, 5 + i, size=6).tolist() for i, name in enumerate(("random", "nsga2", "nsga3", "moead"))
    }
    found = summary_table(material({"p": methods, "q": {"random": GOOD, "nsga2": BAD}}, control="random"))[0].data
    plain = [
        scipy.stats.mannwhitneyu(methods[name], methods["random"], method="exact").pvalue for name in list(methods)[1:]
    ]
    order = np.argsort(plain)
    expected = np.maximum.accumulate(np.sort(plain) * (3, 2, 1)).clip(max=1)
    mine = found[found["problem"] == "p"].set_index("method")["p_value"]
    np.testing.assert_allclose(mine[[list(methods)[1 + i] for i in order]], expected)
    assert math.isnan(mine["random"])
    other = found[found["problem"] == "q"].set_index("method")["p_value"]
    assert other["nsga2"] == pytest.approx(2 / 252)  # alone on its problem: not adjusted by the others


@pytest.mark.parametrize(("seeds", "others", "sign"), [(3, 1, "?"), (4, 1, "+"), (4, 3, "?"), (5, 3, "+"), (1, 1, "?")])
def test_so_few_seeds_that_nothing_could_differ_is_said(seeds, others, sign):
    # 3 against 3: p is at least .1. 4 against 4: .029, but three methods make that .086.
    names = ("nsga2", "nsga3", "moead")[:others]
    (table,) = summary_table(
        material({"p": {"random": BAD[:seeds], **dict.fromkeys(names, GOOD[:seeds])}}, control="random")
    )
    assert signs(table) == ["", *[sign] * others]
    assert ("run more" in noted(table)) == (sign == "?")


def test_unequal_numbers_of_seeds_are_compared_and_said():
    table = summary_table(material({"p": {"random": BAD, "nsga2": GOOD[:4]}}, control="random"))[0]
    assert signs(table) == ["", "+"]
    assert table.data["p_value"].iloc[1] == pytest.approx(2 / math.comb(9, 4))
    assert "4 to 5 of each" in noted(table)


def test_ties_everywhere_differ_nowhere():
    table = summary_table(material({"p": {"random": [2.0] * 8, "nsga2": [2.0] * 8}}, control="random"))[0]
    assert signs(table) == ["", "="]
    assert table.data["p_value"].iloc[1] == 1


def test_a_control_that_is_missing_on_a_problem_is_said():
    table = summary_table(material({"p": {"random": BAD, "nsga2": GOOD}, "q": {"nsga2": GOOD}}, control="random"))[0]
    assert signs(table) == ["", "+", ""]
    assert "random has not finished on q: nothing is compared there." in table.notes


def test_a_method_that_found_nothing_is_worse():
    table = summary_table(material({"p": {"random": MIDDLE, "nsga2": [None] * 5}}, ("igd_plus",), control="random"))[0]
    assert signs(table, "igd_plus") == ["", "-"]


def test_the_best_average_rank_can_be_the_control():
    table = {
        "p": {"random": MIDDLE, "nsga2": GOOD},
        "q": {"random": BAD, "nsga2": GOOD},
        "r": {"random": GOOD, "nsga2": BAD},
    }
    found = material(table, control="best")
    assert found.control == "nsga2"
    assert "against nsga2 (the best average rank)" in noted(summary_table(found)[0])


def test_a_control_may_be_said_without_its_options():
    runs = searches({"p": {"random": BAD, "nsga2": GOOD}})
    for run in runs[5:]:
        run.config["options"] = {"population": 20}
    assert Material.of(runs, Wish(("hypervolume",), "nsga2")).control == "nsga2:population=20"
    runs += [search("p", "nsga2", seed, 3.0) for seed in range(3)]
    assert Material.of(runs, Wish(("hypervolume",), "nsga2")).control == "nsga2"  # now there is one of that very name


def test_a_control_that_is_none_or_several_is_refused():
    with pytest.raises(ValueError, match=r"Unknown control 'nsga'\. Did you mean 'nsga2'\? Known: best, nsga2, random"):
        material({"p": {"random": BAD, "nsga2": GOOD}}, control="nsga").control  # noqa: B018
    runs = [search("p", "random", seed, seed, budget=b) for b in (100, 200) for seed in range(3)]
    with pytest.raises(
        ValueError, match=r"`control` should be one method\. 'random' may be any of random @100, random @200"
    ):
        Material.of(runs, Wish(("hypervolume",), "random")).control  # noqa: B018
    assert Material.of(runs, Wish(("hypervolume",), "random @200")).control == "random @200"


# --------------------------------------------------------------------------------------------------- ranks
def steady(problems, **shifts):
    """Methods that differ alike on every problem."""
    rng = np.random.default_rng(7)
    base = rng.uniform(3, 4, size=problems)
    return {f"p{i}": {name: [base[i] + shift] for name, shift in shifts.items()} for i in range(problems)}


def test_average_ranks_and_friedman_are_those_of_the_medians():
    rng = np.random.default_rng(1)
    table = {
        f"p{i}": {name: rng.uniform(1, 3 + j, 3).tolist() for j, name in enumerate(("random", "nsga2", "moead"))}
        for i in range(8)
    }
    (found,) = ranks_tables(material(table))
    medians = np.array([[np.median(values) for values in methods.values()] for methods in table.values()])
    expected = scipy.stats.rankdata(-medians, axis=1).mean(axis=0)
    place = dict(zip(("random", "nsga2", "moead"), expected, strict=True))
    assert found.data["average_rank"].tolist() == pytest.approx(sorted(expected))
    assert [place[name] for name in texts(found, "method")] == pytest.approx(sorted(expected))
    chi = scipy.stats.friedmanchisquare(*medians.T)
    assert f"chi-square = {chi.statistic:.4g}, p = {chi.pvalue:.2g}" in noted(found)


def test_lower_is_better_where_it_is():
    for indicator in ("hypervolume", "igd_plus"):
        (found,) = ranks_tables(material(steady(8, random=0, nsga2=1, moead=2), (indicator,)))
        assert texts(found, "method") == ["moead", "nsga2", "random"]
        assert texts(found, "average rank") == ["1.00", "2.00", "3.00"]


def test_methods_that_share_a_letter_do_not_differ():
    (found,) = ranks_tables(material(steady(8, random=0, nsga2=1, moead=2)))
    assert texts(found, "group") == ["a", "b", "c"]
    assert "Wilcoxon's signed-rank test over problems, adjusted by Holm" in noted(found)
    (nemenyi,) = ranks_tables(material(steady(8, random=0, nsga2=1, moead=2), how="nemenyi"))
    assert texts(nemenyi, "group") == ["a", "ab", "b"]  # the critical difference is 1.17
    assert "Nemenyi's test, critical difference 1.17" in noted(nemenyi)


def test_where_friedman_finds_nothing_all_share_a_letter():
    (found,) = ranks_tables(material(steady(2, random=0, nsga2=1, moead=2)))
    assert texts(found, "group") == ["a", "a", "a"]
    assert "finds no difference at alpha = 0.05" in noted(found)


def test_so_few_problems_that_no_pair_could_differ_is_said():
    (few,) = ranks_tables(material(steady(6, random=0, nsga2=1, moead=2)))
    assert texts(few, "group") == ["a", "a", "a"]
    assert "With 6 problems no pair can differ by this test: run more problems." in few.notes
    (enough,) = ranks_tables(material(steady(7, random=0, nsga2=1, moead=2)))
    assert "run more problems" not in noted(enough)


def test_problems_without_all_methods_are_left_out_and_named():
    table = steady(6, random=0, nsga2=1)
    del table["p2"]["nsga2"]
    (found,) = ranks_tables(material(table))
    assert texts(found, "problems") == ["5", "5"]
    assert "Left out, as not all methods have finished there: p2." in found.notes


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"p": {"random": BAD}, "q": {"random": GOOD}}, r"One method alone \(random\): there is nothing to compare"),
        ({"p": {"random": BAD, "nsga2": GOOD}}, "finished on 1 of 1 problems. A test over problems needs at least two"),
        (
            {"p": {"random": BAD}, "q": {"nsga2": GOOD}},
            r"All 2 methods have finished on 0 of 2 problems \(random is missing on q, nsga2 is missing on p\)",
        ),
    ],
)
def test_where_ranks_cannot_be_compared_a_sentence_says_why(table, said):
    (found,) = ranks_tables(material(table))
    assert found.rows == []
    assert re.search(said, noted(found))
    with pytest.raises(ValueError, match=f"Section 'ranks' has nothing for csv: .*{said}"):
        render(Report(searches(table), []), ("hypervolume",), form="csv", sections=["ranks"])


def test_an_indicator_without_any_score_is_not_ranked():
    nothing = {"point": (50, 50)}
    (found,) = ranks_tables(material(steady(4, random=0, nsga2=1), ("relative_hypervolume",), options=nothing))
    assert found.notes == ["No method has a score in relative_hypervolume on these problems."]


# --------------------------------------------------------------------------------------------------- intervals
def test_interquartile_means_are_of_shares_of_the_reference_hypervolume():
    table = {"p": {"random": BAD, "nsga2": GOOD}, "q": {"random": [10.0, 20.0, 30.0], "nsga2": [40.0, 40.0, 40.0]}}
    (found,) = intervals_table(material(table))
    pooled = {
        name: np.concatenate([np.array(table["p"][name]) / 9.4, np.array(table["q"][name]) / 40]) for name in table["p"]
    }
    for name, middle in zip(found.data["method"], found.data["interquartile_mean"], strict=True):
        assert middle == pytest.approx(scipy.stats.trim_mean(pooled[name], 0.25))
    for _, row in found.data.iterrows():
        assert row["lower"] <= row["interquartile_mean"] <= row["upper"]
    assert texts(found, "runs") == ["8", "8"]
    assert [entry.best for entry in column(found, "hypervolume")] == [False, True]
    assert "as a share of the hypervolume of the problem's reference set" in noted(found)
    assert "3 to 5 seeds of each method on each" in noted(found)


def test_other_indicators_are_taken_as_they_are():
    found = material({"p": {"random": BAD, "nsga2": GOOD}}, ("igd_plus",))
    mean = intervals_table(found)[0].data.set_index("method")["interquartile_mean"]
    assert mean["random"] == pytest.approx(scipy.stats.trim_mean(9.4 - np.array(BAD), 0.25))
    assert intervals_table(found)[0].rows[1][-1].best


def test_one_seed_alone_has_no_interval_and_this_is_said():
    (found,) = intervals_table(material({"p": {"random": [1.0], "nsga2": GOOD}, "q": {"random": BAD, "nsga2": GOOD}}))
    assert "[" not in texts(found, "hypervolume")[0]
    assert "[" in texts(found, "hypervolume")[1]
    assert "No interval where a problem has one seed alone" in noted(found)


def test_infinite_scores_have_an_interval():
    (found,) = intervals_table(material({"p": {"random": [1.0, 2.0, None, None], "nsga2": GOOD}}, ("igd_plus",)))
    assert "nan" not in texts(found, "igd_plus")[0]
    assert texts(found, "igd_plus")[0].endswith("inf]")


def test_methods_that_meet_nowhere_have_no_intervals():
    (found,) = intervals_table(material({"p": {"random": BAD}, "q": {"nsga2": GOOD}}))
    assert found.rows == []
    assert "finished on 0 of 2 problems" in noted(found)


def test_budgets_that_differ_are_said_where_no_column_shows_them():
    runs = [
        search("p", name, seed, seed, budget=b) for name, b in (("random", 100), ("nsga2", 50)) for seed in range(3)
    ]
    found = Material.of(runs, Wish(("hypervolume",)))
    for table in (intervals_table(found)[0], profile_table(found)[0]):
        assert "Budgets differ between methods: random 100, nsga2 50." in table.notes
    assert "Budgets differ" not in noted(intervals_table(material({"p": {"random": BAD, "nsga2": GOOD}}))[0])


# --------------------------------------------------------------------------------------------------- profile
def test_profiles_count_the_runs_that_get_so_far():
    table = {"p": {"random": [2, 5, 10], "nsga2": [10, 10]}, "q": {"random": [1, 1, 8], "nsga2": [8, 4]}}
    (found,) = profile_table(material(table, targets=(0.5, 1.0)))
    shares = found.data.set_index(["method", "target"])["share"]
    assert shares["random", 0.5] == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert shares["random", 1.0] == pytest.approx((1 / 3 + 1 / 3) / 2)
    assert shares["nsga2", 0.5] == pytest.approx((1 + 1) / 2)
    assert shares["nsga2", 1.0] == pytest.approx((1 + 1 / 2) / 2)
    assert found.header == ("method", "problems", "runs", "50 %", "100 %")
    assert [entry.best for entry in found.rows[1]] == [False, False, False, True, True]


def test_profiles_do_not_need_the_hypervolume_among_the_indicators():
    table = {"p": {"random": [2, 5, 10], "nsga2": [10, 10]}}
    one, other = (profile_table(material(table, (name,)))[0] for name in ("hypervolume", "igd_plus"))
    pd.testing.assert_frame_equal(one.data, other.data)


def test_problems_without_a_reference_hypervolume_have_no_target():
    runs = [
        *searches({"p": {"random": [2], "nsga2": [1]}}),
        *searches({"q": {"random": [2], "nsga2": [1]}}, point=(5, 5)),
    ]
    found = Material.of(runs, Wish(("hypervolume",)))
    for table in (profile_table(found)[0], targets_table(found)[0]):
        assert "No target on q: nothing there is better than the reference point." in table.notes
    assert {row[0].text for row in targets_table(found)[0].rows} == {"p"}


# --------------------------------------------------------------------------------------------------- targets
def hitting(method, seed, *curve, used=100):
    return search("p", method, seed, curve[-1][1], curve=curve, used=used)


def test_expected_running_times_by_hand():
    runs = [
        hitting("random", 0, (10, 1.0), (50, 6.0)),
        hitting("random", 1, (10, 1.0), (90, 2.0)),
        hitting("nsga2", 0, (20, 5.0), (40, 10.0), used=40),
        hitting("nsga2", 1, (30, 9.5), used=80),
    ]
    (found,) = targets_table(Material.of(runs, Wish(("hypervolume",), targets=(0.5, 0.95, 1.0))))
    times = found.data.set_index(["method", "target"])["expected_running_time"]
    assert times["random", 0.5] == 150  # one hit after 50, one failure that spent 100
    assert times["random", 0.95] == math.inf
    assert times["nsga2", 0.5] == 25  # (20 + 30) / 2
    assert times["nsga2", 0.95] == 35  # (40 + 30) / 2
    assert times["nsga2", 1.0] == 120  # 40 and what the other used
    assert [entry.text for entry in found.rows[0][4:]] == ["150 (1/2)", "- (0/2)", "- (0/2)"]
    assert [entry.text for entry in found.rows[1][4:]] == ["25 (2/2)", "35 (2/2)", "120 (1/2)"]
    assert [entry.best for entry in found.rows[1][4:]] == [True] * 3
    assert "Expected evaluations until" in noted(found)


def test_noisy_histories_are_said_to_be_lucky():
    runs = [search("p", "random", 0, 2.0, curve=[(50, 2.0)], reevaluated=True)]
    assert "luckier than the reported fronts" in noted(targets_table(Material.of(runs, Wish(("hypervolume",))))[0])


# --------------------------------------------------------------------------------------------------- area
def test_area_is_the_mean_hypervolume_over_the_budget():
    runs = [search("p", "random", 0, 6.0, curve=[(20, 2.0), (60, math.nan), (80, 6.0)])]
    found = Material.of(runs, Wish(("area", "hypervolume")))
    assert found.scores["area"].tolist() == [pytest.approx((60 * 2 + 20 * 6) / 100)]
    assert "area: the mean hypervolume over a search's own budget" in noted(summary_table(found)[0])


# --------------------------------------------------------------------------------------------------- wishes
def test_wishes_outside_of_their_range_are_refused():
    report = Report(searches({"p": {"random": BAD}}), [])
    with pytest.raises(
        ValueError, match=r"`targets` should be shares of the reference hypervolume.*Found \[0\.5, 50\]"
    ):
        render(report, sections=["profile"], targets=(0.5, 50))
    with pytest.raises(ValueError, match=r"`alpha` should be above 0 and below 1\. Found 5"):
        render(report, alpha=5)
    with pytest.raises(ValueError, match=r"Unknown way to compare.*Did you mean 'nemenyi'"):
        render(report, sections=["ranks"], how="nemeny")
    with pytest.raises(ValueError, match=r"Unknown section 'rank'\. Did you mean 'ranks'\? Known: all, intervals"):
        render(report, sections=["rank"])
    with pytest.raises(ValueError, match=r"`csv` holds one table: choose one section\. Found summary, ranks"):
        render(report, form="csv", sections=["summary", "ranks"])


@pytest.mark.parametrize(
    ("option", "section"),
    [
        ({"control": "best"}, "summary"),
        ({"how": "nemenyi"}, "ranks"),
        ({"targets": (0.5,)}, "profile or targets"),
        ({"times": True}, "runs"),
    ],
)
def test_an_option_that_no_section_heeds_is_refused(option, section):
    (name,) = option
    asked = "intervals"
    with pytest.raises(ValueError, match=rf"`{name}` is for the section {section}\. Found {asked}"):
        render(Report(searches({"p": {"random": BAD}}), []), sections=[asked], **option)


def test_all_sections_but_the_runs_come_in_order():
    text = render(Report(searches({"p": {"random": BAD, "nsga2": GOOD}}), []), ("hypervolume",), sections=["all"])
    titles = [
        "Medians over seeds",
        "Average ranks by",
        "Interquartile means",
        "Performance profile",
        "Expected running",
    ]
    assert [text.index(title) for title in titles] == sorted(text.index(title) for title in titles)
    assert "Searches" not in text


@pytest.mark.parametrize("section", ["summary", "ranks", "intervals", "profile", "targets"])
def test_csv_of_a_section_holds_its_exact_numbers(section):
    found = searches(steady(6, random=0, nsga2=1, moead=2), curve=[(10, 1.0)])
    text = render(Report(found, []), ("hypervolume",), form="csv", sections=[section])
    header, *rows = text.splitlines()
    assert len(rows) > 2
    assert all(row.count(",") == header.count(",") for row in rows)
    assert render(Report(found, []), ("hypervolume",), form="csv", sections=[section]) == text


def test_versions_that_differ_are_said():
    found = searches({"p": {"random": [1, 2]}})
    for run, version in zip(found, ("2.12.0", "2.13.0"), strict=True):
        run.config["versions"] = {"torch": version, "numpy": "2.4.6"}
    assert "Versions differ between searches: torch 2.12.0 and 2.13.0." in render(Report(found, []))
    assert "Versions differ" not in render(Report(found[:1], []))


def test_many_unfinished_cells_are_counted():
    lines = [f"not run yet: p random seed {i}" for i in range(1000)] + ["failed: p nsga2 seed 0: RuntimeError: no"]
    text = render(Report(searches({"p": {"random": [1.0]}}), lines), ("hypervolume",))
    assert text.count("not run yet: p random") == 20
    assert "not run yet: 980 more" in text
    assert lines[-1] in text


def test_reports_say_runs_normalisation_ties_and_references_in_every_table():
    found = Report(searches({"p": {"random": BAD, "nsga2": GOOD}, "q": {"random": BAD, "nsga2": GOOD}}), [])
    for section, form in itertools.product(
        ("summary", "ranks", "intervals", "profile", "targets"), ("table", "md", "latex", "html")
    ):
        text = render(found, ("hypervolume",), form=form, sections=[section])
        assert "p: reference point (0, 0)" in text, (section, form)
        words = {
            "summary": ("5 of each", "objectives' units", "share the mean"),
            "ranks": ("problems", "ties share the mean"),
            "intervals": ("5 seeds of each", "as a share of the hypervolume"),
            "profile": ("5 seeds of each", "hypervolume of the problem's reference set", "equal shares share"),
            "targets": ("of all", "hypervolume of the problem's reference set", "Equal times share"),
        }
        for word in words[section]:
            assert word in text.replace("&#x27;", "'"), (section, form, word)
