"""Reports: every number is one that a reader can recompute from the stored fronts and the references printed below."""

import io
import json
import re
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import moo
from moo.benchmarks import Suite, load, load_report, run, score
from moo.benchmarks.reports.histories import area, measured_alike
from moo.benchmarks.reports.loading import Report, by_problem, results_of
from moo.benchmarks.reports.references import describe, references
from moo.benchmarks.reports.rendering import render
from moo.benchmarks.reports.scores import DEFAULT_INDICATORS, MEASURES, method_label
from moo.benchmarks.running.on_disk import cell_folder
from moo.benchmarks.suites import cells
from moo.directions import turn
from moo.dominance import non_dominated
from moo.indicators import INDICATORS, hypervolume
from moo.preferences import grid
from moo.problems import PROBLEMS, get_problem
from moo.registry import resolve

METHODS = ("random:batch=20", "nsga2:population=20")
MEASURED = [name for name in INDICATORS if name != "spacing"]  # a lone point has no spacing
OWN = Suite("own", ("zdt1:dim=3",), METHODS, (0, 1), 100)
JOINT = Suite("joint", ("toy:reference=false,directions=max+min",), METHODS, (0, 1, 2), 80)


@pytest.fixture(scope="module", autouse=True)
def _toys():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROBLEMS, "toy", "inputs:ToyVector")
        yield


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The folder of a suite on a problem with a reference point and front of its own."""
    out = tmp_path_factory.mktemp("own")
    run(OWN, out)
    return out


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    """The folder of a suite on a problem that has neither, its first objective maximised."""
    out = tmp_path_factory.mktemp("joint")
    run(JOINT, out)
    return out


def changed(result, **parts):
    """A result with other objectives, configuration or record."""
    front = result.front
    if "objectives" in parts:
        objectives = torch.as_tensor(parts.pop("objectives"), dtype=torch.float64)
        front = moo.Candidates.of(torch.zeros(len(objectives), 1), objectives)
    config = {**result.config, **parts.pop("config", {})}
    return replace(result, front=front, config=config, record={**result.record, "front_size": len(front)})


def table_of(text):
    """The header and the rows of a plain or a markdown table, as lists of texts."""
    lines = text.split("\n\n")[0].splitlines()
    if lines[0].startswith("|"):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return rows[0], rows[2:]
    rows = [re.split(r" {2,}", line) for line in lines]
    return rows[0], rows[1:]


# --------------------------------------------------------------------------------------------------- references
def test_a_problems_own_references_are_used(own):
    context = references(load_report(own).results)
    problem = get_problem("zdt1:dim=3")
    assert torch.equal(turn(context.reference_point, problem.directions), torch.as_tensor(problem.reference_point))
    low, high = problem.reference_front.amin(dim=0), problem.reference_front.amax(dim=0)
    torch.testing.assert_close(turn(context.ideal, problem.directions), low, rtol=0, atol=0)
    torch.testing.assert_close(turn(context.nadir, problem.directions), high, rtol=0, atol=0)
    torch.testing.assert_close(context.reference_set, 1 - (problem.reference_front - low) / (high - low))
    assert context.source == "reference point of the problem, reference set of the problem"


def test_joint_references_come_from_all_fronts_together(joint):
    results = load_report(joint).results
    context = references(results)
    fronts = torch.cat([result.objectives * torch.tensor([1.0, -1.0]) for result in results])
    best = fronts[non_dominated(fronts)]
    ideal, nadir = best.amax(dim=0), best.amin(dim=0)
    torch.testing.assert_close(context.ideal, ideal)
    torch.testing.assert_close(context.nadir, nadir)
    torch.testing.assert_close(context.reference_point, nadir - 0.1 * (ideal - nadir))
    assert (context.reference_set.amin(), context.reference_set.amax()) == (0, 1)
    assert len(context.reference_set) == len(best)
    assert "reference set of all fronts here together" in context.source


def test_the_references_are_the_same_for_all_methods(joint):
    # The same front under the name of another method scores the same, and the order of the results does not matter.
    results = load_report(joint).results
    names = tuple(INDICATORS)
    twin = changed(results[0], config={"method": "nsga2", "seed": 99, "options": results[-1].config["options"]})
    scores = score([*results, twin], names)
    first, last = (scores.iloc[row][list(names)].to_numpy(float) for row in (0, -1))
    np.testing.assert_array_equal(first, last)
    backwards = score(results[::-1], names).iloc[::-1]
    np.testing.assert_allclose(score(results, names)[list(names)], backwards[list(names)], rtol=1e-12)


def test_one_method_alone_has_the_problems_own_references_too(own):
    results = load_report(own).results
    alone = score([result for result in results if result.config["method"] == "random"])
    together = score(results)
    columns = list(DEFAULT_INDICATORS)
    assert alone[columns].equals(together[together["method"].str.startswith("random")][columns].reset_index(drop=True))


def test_nothing_found_by_anyone_still_has_references(tmp_path):
    run(Suite("none", ("toy:infeasible=true,reference=false",), METHODS, (0,), 40), tmp_path)
    context = references(load_report(tmp_path).results)
    assert torch.isfinite(context.reference_point).all()
    assert len(context.reference_set) == 1


# --------------------------------------------------------------------------------------------------- scores
def by_hand(result, name, point, ideal, nadir, reference_set):
    """An indicator of a stored front, by a direct call in the problem's own directions."""
    directions = result.config["directions"]
    function = resolve({name: INDICATORS[name].function}, name, "indicator")
    if name == "hypervolume":
        return function(result.objectives, point, directions=directions, warn=False)
    sign = torch.tensor([1.0 if word == "max" else -1.0 for word in directions])
    worst = torch.minimum(ideal * sign, nadir * sign)
    span = (ideal - nadir).abs()

    def scale(values):  # 0 is the worst of the reference set, 1 the best
        return (values * sign - worst) / span

    context = {
        "reference_set": scale(reference_set),
        "reference_point": scale(point),
        "preferences": grid(len(directions)),
        "ideal_point": torch.ones(len(directions)),
    }
    return function(scale(result.objectives), *(context[part] for part in INDICATORS[name].context), directions="max")


@pytest.mark.parametrize("name", INDICATORS)
def test_scores_equal_direct_calls_with_the_problems_own_references(own, name):
    problem, results = get_problem("zdt1:dim=3"), load_report(own).results
    front = problem.reference_front
    expected = [
        by_hand(result, name, torch.as_tensor(problem.reference_point), front.amin(dim=0), front.amax(dim=0), front)
        for result in results
    ]
    np.testing.assert_allclose(score(results, [name])[name], expected, rtol=1e-12)


@pytest.mark.parametrize("name", INDICATORS)
def test_scores_equal_direct_calls_with_joint_references(joint, name):
    results, signs = load_report(joint).results, torch.tensor([1.0, -1.0])
    context = references(results)
    fronts = torch.cat([result.objectives * signs for result in results])
    union = fronts[non_dominated(fronts)] * signs
    expected = [
        by_hand(result, name, context.reference_point * signs, context.ideal * signs, context.nadir * signs, union)
        for result in results
    ]
    np.testing.assert_allclose(score(results, [name])[name], expected, rtol=1e-12)


def test_scaled_indicators_do_not_depend_on_the_units(own):
    # The same fronts in other units: only the hypervolume, which is in the objectives' units, may change.
    results = [changed(result, config={"registered": False}) for result in load_report(own).results]
    units = torch.tensor([1000.0, 0.01], dtype=torch.float64)
    larger = [changed(result, objectives=result.objectives * units) for result in results]
    before, after = score(results, tuple(INDICATORS)), score(larger, tuple(INDICATORS))
    for name in INDICATORS:
        factor = 10.0 if name == "hypervolume" else 1.0
        np.testing.assert_allclose(after[name], factor * before[name], rtol=1e-9, err_msg=name)


def test_rows_say_which_search_they_are(own):
    scores = score(load_report(own).results)
    assert list(scores.columns[:7]) == ["problem", "method", "seed", "budget", "used", "front_size", "failures"]
    assert scores["seed"].tolist() == [0, 1, 0, 1]
    assert set(scores["method"]) == set(METHODS)
    assert (scores["used"] == 100).all()
    assert [len(result.front) for result in load_report(own).results] == scores["front_size"].tolist()


def test_fronts_better_than_the_reference_set_can_be_scored(own):
    # A reference front may be approximate, and on a noisy problem reported means can be better than the true front.
    results = load_report(own).results
    better = [changed(result, objectives=result.objectives - 0.5) for result in results]
    better.append(changed(results[0], objectives=[[-0.2, -0.1], [0.3, -0.4]], config={"seed": 5}))
    scores = score(better, MEASURED)
    assert np.isfinite(scores[MEASURED].to_numpy(float)).all()


def test_a_noisy_suite_can_be_reported_with_every_indicator(tmp_path):
    run(Suite("noisy", ("zdt1:dim=3,noise=0.3",), METHODS, (0, 1), 200), tmp_path)
    assert np.isfinite(score(load_report(tmp_path).results, MEASURED)[MEASURED].to_numpy(float)).all()


def test_an_unregistered_problem_is_scored_jointly(tmp_path):
    from inputs import ToyVector

    result = moo.pareto_search(ToyVector(), "random", budget=40, progress=False)
    result.save(tmp_path / "one")
    report = load_report(tmp_path / "one")
    assert "of all fronts here together" in references(report.results).source
    assert score(report.results)["igd_plus"].tolist() == [0.0]


def test_an_objective_without_range_is_scaled_to_something_finite(own):
    flat = changed(load_report(own).results[0], objectives=[[1.0, 2.0]], config={"registered": False})
    scores = score([flat], ("hypervolume", "igd_plus", "r2"))
    assert np.isfinite(scores[["hypervolume", "igd_plus", "r2"]].to_numpy(float)).all()
    assert scores["hypervolume"].iloc[0] > 0


# --------------------------------------------------------------------------------------------------- tables
def test_the_table_agrees_with_the_csv(own):
    report = load_report(own)
    rows = pd.read_csv(io.StringIO(render(report, form="csv")))
    header, body = table_of(render(report))
    assert header == ["problem", "method", "budget", "seeds", "hypervolume", "rank", "igd_plus", "rank"]
    for line in body:
        mine = rows[rows["method"] == line[1]]
        assert (line[0], line[2], line[3]) == ("zdt1:dim=3", "100", "2")
        for name, text in zip(DEFAULT_INDICATORS, line[4::2], strict=True):
            median, low, high = map(float, re.findall(r"[-+.0-9e]+", text))
            np.testing.assert_allclose([low, median, high], np.quantile(mine[name], (0.25, 0.5, 0.75)), rtol=1e-3)


def test_the_same_method_said_in_two_ways_is_not_pooled(tmp_path):
    # "nsga2" and "nsga2:population=100" are two entries of the suite: pooled, each seed would count twice.
    run(Suite("twice", ("zdt1:dim=3",), ("nsga2", "nsga2:population=100"), (0, 1), 100), tmp_path)
    _, body = table_of(render(load_report(tmp_path)))
    assert [row[3] for row in body] == ["2"]


def test_budgets_stand_in_every_row(tmp_path):
    run(replace(OWN, budget={"random": 40, "nsga2": 80}), tmp_path)
    _, body = table_of(render(load_report(tmp_path)))
    assert [row[2] for row in body] == ["40", "80"]


def test_method_labels_say_what_differs_from_the_defaults():
    config = {"method": "nsga2", "options": {"population": 100}, "preferences": "auto"}
    assert method_label(config) == "nsga2"
    assert method_label({**config, "options": {"population": 30}}) == "nsga2:population=30"
    for preferences in ("uniform", "uniform:divisions=3", [[0.5, 0.5], [0.0, 1.0]]):
        assert method_label({**config, "preferences": preferences}).startswith("nsga2:preferences=")
    labelled = method_label({**config, "preferences": "uniform:divisions=3"})
    assert labelled == "nsga2:preferences=uniform(divisions=3)"  # as one writes it in a suite


def described(results):
    """The line that says what the results of one problem are measured against."""
    return describe(results[0].config["problem"], references(results), results[0].config["directions"])


def test_every_table_names_reference_points_and_normalisation(own, joint):
    for folder, problem in ((own, "zdt1:dim=3"), (joint, JOINT.problems[0])):
        results = load_report(folder).results
        context, directions = references(results), results[0].config["directions"]
        line = described(results)
        assert line.startswith(f"{problem}: ")
        for what, vector in (
            ("reference point", context.reference_point),
            ("ideal", context.ideal),
            ("nadir", context.nadir),
        ):
            numbers = ", ".join(f"{value:.4g}" for value in turn(vector, directions).tolist())
            assert f"{what} ({numbers})" in line
        assert context.source in line
        for form in ("table", "md", "latex", "html"):
            assert line in render(load_report(folder), form=form)
    assert "scaled so that the reference set spans [0, 1]" in render(load_report(own))
    assert "Higher is better: hypervolume. Lower is better: igd_plus." in render(load_report(own))


def test_references_are_printed_without_minus_zero(own):
    # 0 turned to the other direction and back is -0.
    assert not re.search(r"-0[,)]", described(load_report(own).results))
    flat = changed(load_report(own).results[0], objectives=[[0.0, 0.0]], config={"registered": False})
    assert not re.search(r"-0[,)]", described([flat]))


# --------------------------------------------------------------------------------------------------- CSV
def test_csv_has_one_exact_row_per_search_and_times_only_when_asked(own):
    report = load_report(own)
    plain, timed = (render(report, form="csv", times=times) for times in (False, True))
    header = plain.splitlines()[0].split(",")
    assert not any("seconds" in name for name in header)
    assert timed.splitlines()[0].split(",") == [*header, "wall_seconds", "cpu_seconds"]
    assert len(plain.splitlines()) == 5
    read = pd.read_csv(io.StringIO(plain))
    scores = score(report.results)
    for name in DEFAULT_INDICATORS:
        assert read[name].tolist() == scores[name].tolist()
    assert plain.endswith("\n")
    assert "\r" not in plain


def test_csv_is_the_same_whenever_it_is_made(own, tmp_path):
    run(OWN, tmp_path)
    assert render(load_report(tmp_path), form="csv") == render(load_report(own), form="csv")


def test_csv_of_specs_with_commas_stays_in_columns(tmp_path):
    run(Suite("commas", ("dtlz2:dim=4,num_objectives=2",), ("random",), (0,), 20), tmp_path)
    read = pd.read_csv(io.StringIO(render(load_report(tmp_path), form="csv")))
    assert read["problem"].tolist() == ["dtlz2:dim=4,num_objectives=2"]


def test_csv_of_nothing_finished_keeps_its_header(own):
    header = render(load_report(own), form="csv").splitlines()[0]
    assert render(Report([], ["not run yet: all of it"]), form="csv").splitlines() == [header]


# --------------------------------------------------------------------------------------------------- what is there
def test_empty_fronts_are_scored_and_shown(tmp_path):
    run(Suite("empty", ("toy:infeasible=true",), METHODS, (0, 1), 40), tmp_path)
    report = load_report(tmp_path)
    scores = score(report.results, tuple(INDICATORS))
    assert (scores["hypervolume"] == 0).all()
    assert (scores["front_size"] == 0).all()
    for name in ("igd", "igd_plus", "gd", "gd_plus", "epsilon_additive", "r2"):
        assert np.isinf(scores[name]).all()
    for form in ("table", "md", "csv"):
        assert "nan" not in render(report, form=form)


def test_one_empty_front_beside_others_is_scored(own):
    results = load_report(own).results
    empty = changed(results[0], objectives=torch.empty(0, 2), config={"seed": 7})
    scores = score([*results, empty], ("hypervolume", "igd_plus"))
    assert scores["hypervolume"].iloc[-1] == 0
    assert np.isinf(scores["igd_plus"].iloc[-1])
    assert scores.iloc[:-1].equals(score(results, ("hypervolume", "igd_plus")))


def test_unfinished_cells_are_named_with_their_reason(tmp_path):
    suite = Suite("mixed", ("toy:fails=raise,fails_below=2", "zdt1:dim=3"), ("toy-writer", "random"), (0, 1), 40)
    run(suite, tmp_path)
    lost = cell_folder(cells(suite)[-1], tmp_path)
    (lost / "record.json").unlink()
    report = load_report(tmp_path)
    assert len(report.results) == 1
    text = render(report)
    assert text.count("not applicable: ") == 4
    assert len(re.findall(r"failed: toy:.* random seed [01]: RuntimeError: .*the simulator crashed", text)) == 2
    assert "not run yet: zdt1:dim=3 random seed 1" in text
    assert all(line in render(report, form="md") for line in report.unfinished)


def test_nothing_finished_says_so(tmp_path):
    run(Suite("hopeless", ("toy:fails=raise,fails_below=2",), ("random",), (0,), 40), tmp_path)
    report = load_report(tmp_path)
    assert render(report).startswith("Nothing finished yet.\n\nfailed: toy")
    for form in ("md", "latex", "html"):
        text = render(report, form=form, sections=["all"])
        assert "Nothing finished yet." in text
        assert "failed: toy" in text


def test_a_single_saved_search_is_reported(tmp_path):
    result = moo.pareto_search("zdt1:dim=3", "nsga2", budget=60, options={"population": 20}, seed=4, progress=False)
    result.save(tmp_path / "one")
    report = load_report(tmp_path / "one")
    assert report.unfinished == []
    rows = pd.read_csv(io.StringIO(render(report, form="csv")))
    assert rows[["problem", "method", "seed", "budget"]].to_numpy().tolist() == [
        ["zdt1:dim=3", "nsga2:population=20", 4, 60]
    ]
    assert rows["hypervolume"].iloc[0] == hypervolume(result.objectives, [1.1, 1.1], directions="min", warn=False)
    assert "zdt1:dim=3" in render(report)


def test_a_search_with_a_reference_point_of_the_callers_is_reported_against_it(tmp_path):
    # What `moo search --reference-point` printed is what `moo report` prints.
    result = moo.pareto_search("zdt1:dim=3", "random", budget=60, reference_point=[4.0, 5.0], progress=False)
    result.save(tmp_path / "one")
    report = load_report(tmp_path / "one")
    assert score(report.results)["hypervolume"].iloc[0] == pytest.approx(result.hypervolume, rel=1e-12)
    assert "reference point (4, 5)" in render(report)


def test_a_cell_of_a_suite_can_be_reported_alone(own):
    assert len(load_report(cell_folder(cells(OWN)[0], own)).results) == 1


def test_a_folder_without_anything_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds neither a suite nor a finished search"):
        load_report(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere holds neither .*: run `moo bench` first"):
        load_report(tmp_path / "nowhere")


def test_a_folder_of_suites_and_searches_says_which_it_holds(tmp_path):
    for name, file in (("zdt", "suite.json"), ("single", "record.json"), ("other", "notes.txt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    with pytest.raises(FileNotFoundError, match=r"a finished search: choose one of the folders in it: single, zdt\.$"):
        load_report(tmp_path)


def test_results_are_grouped_by_problem_in_order(own, joint):
    groups = by_problem([*load_report(joint).results, *load_report(own).results])
    assert list(groups) == [JOINT.problems[0], "zdt1:dim=3"]
    assert [len(group) for group in groups.values()] == [6, 4]


def test_several_problems_are_scored_each_with_its_own_references(own, joint):
    both = score([*load_report(own).results, *load_report(joint).results])
    parts = pd.concat([score(load_report(own).results), score(load_report(joint).results)], ignore_index=True)
    assert both.equals(parts)


# --------------------------------------------------------------------------------------------------- what is read
def test_a_frame_holds_the_scores_of_the_finished_searches(own):
    frame = load(own, ("hypervolume", "area"))
    assert frame.equals(score(load_report(own).results, ("hypervolume", "area")))
    assert list(frame.columns[-2:]) == ["hypervolume", "area"]
    assert list(load(own, times=True).columns[-2:]) == ["wall_seconds", "cpu_seconds"]
    assert load(own).equals(score(load_report(own).searches))


def test_reports_read_no_more_than_they_need(own, tmp_path):
    shutil.copytree(own, tmp_path / "own")
    needed = {"cell.json", "record.json", "front.npz"}
    for path in (tmp_path / "own").rglob("*"):
        if path.is_file() and path.name not in {*needed, "suite.json"}:
            path.unlink()
    assert render(load_report(tmp_path / "own")) == render(load_report(own))
    with pytest.raises(ValueError, match=r"history\.csv is damaged"):
        load(tmp_path / "own", ["area"])


def test_a_finished_search_knows_the_rest_when_asked(own):
    search = load_report(own).searches[0]
    result = moo.load_result(search.folder)
    assert torch.equal(search.objectives, result.objectives)
    assert search.history.equals(result.history.astype(float))
    assert torch.equal(search.additions.objectives, result.additions.objectives)
    assert search.result().config == result.config
    assert [len(one.front) for one in load_report(own).results] == [
        len(one.objectives) for one in load_report(own).searches
    ]


def inside_of(path, name):
    """Where the packed bytes of a column are, in the middle: one that a report does not even look at."""
    with zipfile.ZipFile(path) as file:
        member = file.getinfo(name)
    header = path.read_bytes()[member.header_offset : member.header_offset + 30]
    sizes = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return member.header_offset + 30 + sizes + member.compress_size // 2


@pytest.mark.parametrize("name", ["front.npz", "cell.json", "record.json"])
@pytest.mark.parametrize("how", ["half", "byte", "gone", "other"])
def test_a_damaged_file_is_named(own, tmp_path, name, how):
    shutil.copytree(own, tmp_path / "own")
    folder = cell_folder(cells(OWN)[2], tmp_path / "own")
    path, data = folder / name, (folder / name).read_bytes()
    if how == "half":
        path.write_bytes(data[: len(data) // 2])
    elif how == "byte":
        at = inside_of(path, "solutions.npy") if name == "front.npz" else len(data) // 4
        path.write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
    elif how == "gone":
        path.unlink()
    else:
        shutil.copy(cell_folder(cells(OWN)[0], own) / "additions.npz", path)
    if (how, name) == ("gone", "record.json"):  # as of a cell that has not run
        assert load_report(tmp_path / "own").unfinished == [f"not run yet: {cells(OWN)[2].label}"]
        return
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} is damaged .*Delete it and run again"):
        load_report(tmp_path / "own")


def test_a_folder_of_a_newer_version_is_refused(own, tmp_path):
    shutil.copytree(own, tmp_path / "own")
    path = cell_folder(cells(OWN)[1], tmp_path / "own") / "cell.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(ValueError, match=r"was written in format 99, this version reads up to \d+\. Update moo"):
        load_report(tmp_path / "own")


def test_areas_come_from_the_stored_histories(own):
    for search in load_report(own).searches:
        history = pd.read_csv(search.folder / "history.csv")
        ends = [*history["used"][1:], 100]
        expected = sum(v * (b - a) for a, b, v in zip(history["used"], ends, history["hypervolume"], strict=True)) / 100
        assert area(search, references([search]).reference_point) == pytest.approx(expected)


def test_areas_are_measured_from_the_point_of_the_report(joint):
    # Each search inferred a point of its own; rebuilt literally from what entered the archive.
    searches = load_report(joint).searches
    context, signs = references(searches), torch.tensor([1.0, -1.0])
    for search in searches:
        rows, used = search.additions.objectives * signs, search.additions.extras["used"]
        heights = [
            hypervolume(rows[used <= mark], context.reference_point, warn=False) for mark in search.history["used"]
        ]
        ends = [*search.history["used"][1:], 80]
        expected = sum(v * (b - a) for a, b, v in zip(search.history["used"], ends, heights, strict=True)) / 80
        assert area(search, context.reference_point) == pytest.approx(expected)
    measured = measured_alike([search.result() for search in searches])
    assert {tuple(result.record["reference_point"]) for result in measured} == {
        tuple((context.reference_point * signs).tolist())
    }


def test_every_section_of_a_folder_can_be_shown(own, joint):
    for folder in (own, joint):
        text = render(load_report(folder), MEASURES, sections=["all", "runs"])
        assert not re.search(r"\bnan\b", text)
        for form in ("md", "latex", "html"):
            assert len(render(load_report(folder), form=form, sections=["all", "runs"])) > 3000


def test_results_of_one_problem_are_found(own, tmp_path):
    assert len(results_of(own)) == len(results_of(own, "zdt1:dim=3")) == 4
    assert isinstance(results_of(own)[0], moo.SearchResult)
    with pytest.raises(ValueError, match=r"Unknown problem 'zdt1'\. Did you mean 'zdt1:dim=3'\? Known: zdt1:dim=3"):
        results_of(own, "zdt1")
    run(Suite("two", ("zdt1:dim=3", "zdt2:dim=3"), ("random",), (0,), 40), tmp_path / "two")
    with pytest.raises(ValueError, match=r"holds several problems: zdt1:dim=3, zdt2:dim=3\. Choose one with -p"):
        results_of(tmp_path / "two")
    run(Suite("hopeless", ("toy:fails=raise,fails_below=2",), ("random",), (0,), 40), tmp_path / "none")
    with pytest.raises(ValueError, match="holds no finished search yet"):
        results_of(tmp_path / "none")


# --------------------------------------------------------------------------------------------------- bad input
def test_unknown_indicators_and_formats_are_refused_with_a_suggestion(own):
    with pytest.raises(
        ValueError, match=r"Unknown indicator 'igdplus'\. Did you mean 'igd_plus'\? Known: area, averaged"
    ):
        score(load_report(own).results, ["igdplus"])
    with pytest.raises(
        ValueError, match=r"Unknown format 'cvs'\. Did you mean 'csv'\? Known: csv, html, latex, md, table"
    ):
        render(load_report(own), form="cvs")


def test_an_unknown_indicator_is_refused_whatever_has_finished(tmp_path):
    run(Suite("hopeless", ("toy:fails=raise,fails_below=2",), ("random",), (0,), 40), tmp_path)
    with pytest.raises(ValueError, match="Unknown indicator 'nope'"):
        render(load_report(tmp_path), ["nope"])


def test_an_indicator_asked_for_twice_is_one_column(own):
    text = render(load_report(own), ("hypervolume", "igd_plus", "hypervolume"))
    assert table_of(text) == table_of(render(load_report(own), ("hypervolume", "igd_plus")))


def test_a_damaged_mark_is_named(own, tmp_path):
    (tmp_path / "suite.json").write_text((own / "suite.json").read_text()[:40])
    with pytest.raises(ValueError, match=r"suite\.json is damaged"):
        load_report(tmp_path)


def test_the_mark_holds_the_suite(own):
    mark = json.loads((own / "suite.json").read_text())
    plan = {"problems": ["zdt1:dim=3"], "methods": list(METHODS), "seeds": [0, 1], "budget": 100}
    assert mark == {"name": "own", "plans": [plan], "not applicable": {}}


def test_a_mark_of_an_earlier_version_is_read(own, tmp_path):
    # It held a single plan, beside the name.
    shutil.copytree(own, tmp_path / "own")
    mark = json.loads((own / "suite.json").read_text())
    (tmp_path / "own" / "suite.json").write_text(json.dumps({"name": "own", **mark["plans"][0], "not applicable": {}}))
    assert render(load_report(tmp_path / "own")) == render(load_report(own))
