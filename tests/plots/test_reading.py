"""What plots read: results, labels, tables of scores, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
import torch

from moo.base import Candidates
from moo.benchmarks.perf.plots import made, searches, table
from moo.plots.reading import (
    best_rows,
    by_label,
    check_objectives,
    check_results,
    check_same_problem,
    check_scores,
    check_seeds,
    check_something_feasible,
    higher_is_better,
    in_words,
    median_table,
    run_labels,
    shared_objectives,
    upwards,
)
from moo.result import SearchResult


def result(method="nsga2", seed=0, problem="toy", options=None, preferences="auto"):
    objectives = torch.tensor([[0.0, 1.0], [0.5, 0.4], [1.0, 0.0]], dtype=torch.float64)
    front = Candidates.of(torch.zeros(3, 1), objectives)
    none = front.rows(slice(0))
    config = {
        "method": method,
        "problem": problem,
        "seed": seed,
        "options": options or {},
        "preferences": preferences,
        "unit": "evaluations",
        "objective_names": ["cost", "mass"],
        "directions": ["min", "min"],
    }
    record = {"reference_point": [1.1, 1.1], "used": 100}
    history = pd.DataFrame({"used": [100], "front_size": [3], "hypervolume": [0.5]})
    return SearchResult(front, none, none, none, none, history, config, record, lambda: None)


# --------------------------------------------------------------------------------------------------- results
def test_one_result_or_several_are_taken():
    one = result()
    assert check_results(one) == (one,)
    assert check_results([one, one]) == check_results(iter([one, one])) == (one, one)


@pytest.mark.parametrize("wrong", [3, "zdt1", {"a": 1}, [1]])
def test_what_is_no_result_is_refused(wrong):
    with pytest.raises(TypeError, match="Plots take a SearchResult or a list of them"):
        check_results(wrong)


def test_no_result_at_all_is_refused():
    with pytest.raises(ValueError, match="Found none"):
        check_results([])


def test_seeds_share_a_label():
    assert run_labels([result(seed=0), result(seed=1), result("random")]) == ["nsga2", "nsga2", "random"]


def test_labels_say_where_runs_of_one_method_differ():
    runs = [result(options={"population_size": n, "eta": 15}) for n in (50, 100)]
    assert run_labels(runs) == ["nsga2 (population_size=50)", "nsga2 (population_size=100)"]
    assert run_labels([result(problem=p) for p in ("zdt1", "zdt2")]) == ["nsga2 on zdt1", "nsga2 on zdt2"]
    assert run_labels([result(preferences=p) for p in ("uniform", [[0.5, 0.5]])]) == [
        "nsga2 (preferences=uniform)",
        "nsga2 (preferences=given)",
    ]
    assert run_labels([result(options={"a": 1}), result("random", options={"b": 2})]) == ["nsga2", "random"]


def test_labels_over_several_problems_leave_these_out():
    runs = [result(problem=p, options={"a": a}) for p in ("zdt1", "zdt2") for a in (1, 2)]
    assert run_labels(runs, problems=False) == ["nsga2 (a=1)", "nsga2 (a=2)"] * 2


def test_runs_of_a_label_stand_together():
    groups = by_label([result("b"), result("a"), result("b", seed=1)])
    assert {label: [run.config["seed"] for run in runs] for label, runs in groups.items()} == {"b": [0, 1], "a": [0]}


# --------------------------------------------------------------------------------------------------- checks
def test_objectives_are_read_once_for_all():
    assert shared_objectives(searches(2, 2, 1)) == (("f1", "f2"), ("min", "min"))


@pytest.mark.parametrize(("low", "high", "said"), [(2, 2, "2"), (2, 3, "2 to 3"), (3, None, "at least 3")])
def test_another_number_of_objectives_is_refused(low, high, said):
    with pytest.raises(ValueError, match=rf"A plot of things is for {said} objectives\. Found 1: look elsewhere\."):
        check_objectives("things", 1, low, high, "look elsewhere")
    check_objectives("things", low, low, high)


def test_nothing_feasible_is_refused():
    empty = made(np.empty((0, 2)))
    with pytest.raises(ValueError, match=r"needs a feasible solution\. Found none in 2 runs: .*least violating"):
        check_something_feasible([empty, empty], "things")
    check_something_feasible([empty, result()], "things")


def test_one_seed_is_refused():
    with pytest.raises(ValueError, match=r"at least two runs of each method.*Found 1 of 'b': run it with --seeds 2"):
        check_seeds({"a": 2, "b": 1}, "things")


def test_problems_and_reference_points_have_to_agree():
    with pytest.raises(ValueError, match="same problem"):
        check_same_problem([result(), result(problem="zdt2")], "thing")
    check_same_problem([result(), result(seed=1)], "thing")


def test_upwards_turns_what_is_minimised_and_back():
    rows = np.array([[1.0, 2.0]])
    np.testing.assert_array_equal(upwards(rows, ("min", "max")), [[-1.0, 2.0]])
    np.testing.assert_array_equal(upwards(upwards(rows, ("min", "max")), ("min", "max")), rows)


def test_best_rows_are_those_that_no_other_dominates():
    rows = np.random.default_rng(0).normal(size=(40, 2))
    kept = [a.tolist() for a in rows if not any((b <= a).all() and (b < a).any() for b in rows)]
    assert best_rows(rows, ("min", "min")).tolist() == kept


# --------------------------------------------------------------------------------------------------- tables
def test_scores_that_are_no_table_are_refused():
    with pytest.raises(TypeError, match=r"`scores` should be a table.*Found list"):
        check_scores([1], "hypervolume")


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (table(["p"], ["a"], 1).drop(columns=["seed", "method"]), "Found none called method, seed"),
        (table(["p"], ["a"], 1).drop(columns="hypervolume"), r"Unknown indicator 'hypervolume'\..*Known: igd_plus\."),
        (table(["p"], ["a"], 0).reindex(columns=["problem", "method", "seed", "hypervolume"]), "a row per search"),
    ],
    ids=["columns", "indicator", "empty"],
)
def test_tables_that_lack_something_are_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        check_scores(scores, "hypervolume")


def test_a_search_that_stands_twice_counts_once():
    scores = table(["p"], ["a"], 3)
    assert len(check_scores(pd.concat([scores, scores]), "hypervolume")) == 3


def test_budgets_stand_in_the_name_where_a_method_has_several():
    scores = pd.concat([table(["p"], ["a", "b"], 2).assign(budget=100), table(["p"], ["a"], 2).assign(budget=200)])
    assert set(check_scores(scores, "hypervolume")["method"]) == {"a (100)", "a (200)", "b"}
    by_problem = pd.concat([table(["p"], ["a"], 2).assign(budget=100), table(["q"], ["a"], 2).assign(budget=200)])
    assert set(check_scores(by_problem, "hypervolume")["method"]) == {"a"}


def test_medians_are_those_of_each_problem_and_method():
    scores = table(["p", "q"], ["b", "a"], 4)
    found = median_table(scores, "hypervolume")
    assert (list(found.index), list(found.columns)) == (["p", "q"], ["b", "a"])
    for problem in found.index:
        for method in found.columns:
            rows = scores[(scores["problem"] == problem) & (scores["method"] == method)]
            assert found.loc[problem, method] == np.median(rows["hypervolume"])


def test_medians_with_infinite_values_are_no_nan():
    scores = pd.DataFrame({"problem": "p", "method": ["a"] * 4 + ["b"] * 2, "seed": [0, 1, 2, 3, 0, 1]})
    scores["igd"] = [1.0, 2.0, np.inf, np.inf, 3.0, 4.0]
    assert median_table(scores, "igd").loc["p"].tolist() == [np.inf, 3.5]
    opposite = scores.iloc[:2].assign(igd=[-np.inf, np.inf])
    assert median_table(opposite, "igd").loc["p"].tolist() == [np.inf]
    assert (
        np.isnan(median_table(scores.drop(4).drop(5).assign(problem=list("pppq")), "igd").reindex(columns=["b"]))
        .all()
        .all()
    )


def test_which_way_is_better_is_known_of_indicators():
    assert higher_is_better("hypervolume")
    assert higher_is_better("area")
    assert not higher_is_better("igd_plus")
    assert in_words("igd_plus") == "IGD+"
    assert in_words("relative_hypervolume") == "relative hypervolume"
