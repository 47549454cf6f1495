"""Results of other programs as cells: what is taken, what is refused, and that nothing of ours is touched."""

import json
import threading
import types

import moocore
import numpy as np
import pytest
import torch

from moo import get_problem, load_result, pareto_search
from moo.benchmarks import Suite, admit, import_files, load, load_report, run
from moo.benchmarks.foreign.shelf import OLD, shelved
from moo.benchmarks.reports.loading import by_problem
from moo.benchmarks.reports.rendering import render
from moo.benchmarks.reports.scores import score

PROBLEM = "zdt1:dim=3"
SAID = {"problem": PROBLEM, "method": "theirs", "seeds": 0, "budget": 100}


def table(folder, rows, header, name="front.csv"):
    path = folder / name
    lines = [",".join(map(repr, map(float, row))) for row in np.asarray(rows)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def evaluated(n=12, seed=0):
    """Rows of ZDT1 of three columns: solutions and what they are worth."""
    X = np.random.default_rng(seed).random((n, 3))
    return X, get_problem(PROBLEM).evaluate(torch.from_numpy(X)).numpy()


def everything(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def best_rows(F):
    """Minimised rows that no other dominates, by a literal double loop, the first of equal ones."""
    keep = []
    for i, a in enumerate(F):
        worse = any((b <= a).all() and ((b < a).any() or j < i) for j, b in enumerate(F) if j != i)
        keep += [] if worse else [i]
    return keep


# ----------------------------------------------------------------------------------------------- what is taken
def test_a_front_becomes_a_cell_like_any_other(tmp_path):
    X, F = evaluated()
    path = table(tmp_path, np.hstack([F, X]), "f1,f2,x1,x2,x3")
    (result,) = import_files([path], tmp_path / "out", **SAID)
    (cell,) = shelved(tmp_path / "out")
    loaded = load_result(cell)
    keep = best_rows(F)
    assert loaded.objectives.tolist() == F[keep].tolist()
    assert loaded.solutions.tolist() == X[keep].tolist()
    assert loaded.finals.objectives.tolist() == F.tolist()  # dominated rows are kept
    assert loaded.hypervolume == pytest.approx(moocore.hypervolume(F, ref=[1.1, 1.1]))
    assert loaded.config == {"format": 1, **result.config}
    assert loaded.config["budget"] == loaded.record["used"] == 100
    assert list(loaded.to_dataframe())[:5] == ["x1", "x2", "x3", "f1", "f2"]
    with pytest.raises(ValueError, match="was imported: its method is another program's"):
        _ = loaded.generator


def test_a_record_says_where_it_came_from(tmp_path):
    import hashlib

    X, F = evaluated()
    path = table(tmp_path, np.hstack([F, X]), "f1,f2,x1,x2,x3")
    import_files([path], tmp_path / "out", **SAID)
    (cell,) = shelved(tmp_path / "out")
    origin = json.loads((cell / "record.json").read_text())["imported_from"]
    assert origin == {
        "file": "front.csv",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "rows": 12,
        "values": "computed again from solutions, to 1e-06",
        "budget": "stated, not counted",
        "anytime": False,
    }


def test_our_own_run_imported_is_scored_as_our_own(tmp_path):
    own = pareto_search(PROBLEM, "random", budget=200, seed=0, options={"batch": 1}, progress=False)
    rows = own.additions
    columns = np.hstack([rows.objectives, rows.solutions, rows.extras["used"][:, None].double()])
    path = table(tmp_path, columns, "f1,f2,x1,x2,x3,evaluations")
    (foreign,) = import_files([path], tmp_path / "out", **{**SAID, "budget": 200})
    scores = score([own, foreign], ["hypervolume", "igd_plus", "r2", "area"])
    assert sorted(map(tuple, foreign.objectives.tolist())) == sorted(map(tuple, own.objectives.tolist()))
    for name in ("hypervolume", "igd_plus", "r2", "area"):  # the whole history, not only its end
        assert scores[name][1] == pytest.approx(scores[name][0], rel=1e-12)


def test_one_file_holds_many_runs(tmp_path):
    _, F = evaluated(6)
    lines = ["problem,method,seed,evaluations,f1,f2"]
    for method in ("a", "b"):
        for seed in (0, 1):
            lines += [f"{PROBLEM},{method},{seed},{i + 1},{f[0]!r},{f[1]!r}" for i, f in enumerate(F.tolist())]
    (tmp_path / "many.csv").write_text("\n".join(lines))
    results = import_files([tmp_path / "many.csv"], tmp_path / "out")
    assert [(r.config["method"], r.config["seed"], r.config["budget"]) for r in results] == [
        ("a", 0, 6),
        ("a", 1, 6),
        ("b", 0, 6),
        ("b", 1, 6),
    ]
    assert len(load(tmp_path / "out")) == 4
    assert results[0].history["used"].tolist() == [1, 2, 3, 4, 5, 6]


def test_the_budget_may_end_after_the_last_row(tmp_path):
    path = table(tmp_path, [[0.5, 0.5, 3]], "f1,f2,evaluations")
    (result,) = import_files([path], tmp_path / "out", **SAID)
    assert result.history["used"].tolist() == [3, 100]
    (again,) = import_files([path], tmp_path / "other", **{**SAID, "budget": None})
    assert again.config["budget"] == 3


def test_rows_need_not_stand_in_the_order_of_their_evaluations(tmp_path):
    rows = [[0.25, 0.5, 30], [0.5, 0.5, 10], [0.5, 0.25, 20], [0.6, 0.6, 15]]
    (result,) = import_files([table(tmp_path, rows, "f1,f2,evaluations")], tmp_path / "out", **SAID)
    assert result.history["used"].tolist() == [10, 15, 20, 30, 100]
    expected = [0.6 * 0.6] * 2 + [0.6 * 0.85] + [0.6 * 0.85 + 0.25 * 0.6] * 2
    assert result.history["hypervolume"].tolist() == pytest.approx(expected)


def test_several_files_take_a_seed_each(tmp_path):
    paths = [table(tmp_path, [[i, 1.0]], "f1,f2", f"{i}.csv") for i in range(3)]
    results = import_files(paths, tmp_path / "out", **{**SAID, "seeds": [4, 5, 6]})
    assert [result.config["seed"] for result in results] == [4, 5, 6]
    with pytest.raises(ValueError, match=r"one, or one for each of 3 files. Found 2"):
        import_files(paths, tmp_path / "none", **{**SAID, "seeds": [4, 5]})
    with pytest.raises(ValueError, match=r"Two runs are the same cell.*0.csv and 1.csv"):
        import_files(paths, tmp_path / "none", **SAID)
    assert not shelved(tmp_path / "none")


def test_a_problem_that_is_not_ours_has_directions_and_names(tmp_path):
    path = table(tmp_path, [[1.0, 2], [2, 3], [2, 1]], "cost,gain")
    said = {**SAID, "problem": "bridge", "directions": ("min", "max"), "objectives": ("cost", "gain")}
    (result,) = import_files([path], tmp_path / "out", **said, reference_point=(3.0, 0.0))
    assert result.objectives.tolist() == [[1, 2], [2, 3]]
    assert result.hypervolume == pytest.approx(5.0)  # (3-1) 2 + (3-2) 1
    assert result.record["imported_from"]["values"] == "not checked: the problem is not known here"
    assert list(load(tmp_path / "out")["hypervolume"]) == [5.0]
    with pytest.raises(ValueError, match=r"holds a problem 'bridge' with directions min, max. Found min, min"):
        import_files([path], tmp_path / "out", **{**said, "directions": ("min", "min"), "seeds": 1})


def test_a_function_of_the_suite_is_known_by_its_name(tmp_path):
    (tmp_path / "mine.py").write_text("def f(x):\n    return x[0], 1 - x[0]\n")
    spec = {"callable": str(tmp_path / "mine.py") + ":f", "bounds": "0:1", "directions": "min,max", "name": "mine"}
    run(Suite("s", ({**spec, "reference_point": "2,-2"},), ("random",), (0,), 10), tmp_path / "out")
    path = table(tmp_path, [[0.25, 0.75, 0.25]], "f1,f2,x1")
    said = {**SAID, "problem": "mine"}
    (result,) = import_files([path], tmp_path / "out", **said)
    assert result.record["imported_from"]["values"].startswith("computed again")
    assert result.config["reference_point"] == [2, -2]
    assert result.hypervolume == pytest.approx(1.75 * 2.75)
    wrong = table(tmp_path, [[0.25, 0.5, 0.25]], "f1,f2,x1")
    with pytest.raises(ValueError, match=r"f2 is 0.5 there and 0.75 when evaluated"):
        import_files([wrong], tmp_path / "out", **said, force=True)


def test_minimised_files_are_turned(tmp_path):
    path = table(tmp_path, [[1.0, -2]], "f1,f2")
    said = {**SAID, "problem": "bridge", "directions": ("min", "max"), "minimised": True}
    (result,) = import_files([path], tmp_path / "out", **said)
    assert result.objectives.tolist() == [[1, 2]]


def test_infeasible_rows_are_in_no_front(tmp_path):
    problem = get_problem("c2-dtlz2")
    X = np.random.default_rng(0).random((50, problem.space.dim))
    X[:, 2:] = 0.5
    found = problem.evaluate(torch.from_numpy(X))
    feasible = (found.constraints <= 0).all(dim=1).numpy()
    assert 0 < feasible.sum() < 50
    result = admit(found.objectives, tmp_path, problem="c2-dtlz2", method="theirs", budget=50, solutions=X)
    F = found.objectives.numpy()[feasible]
    assert sorted(map(tuple, result.objectives.tolist())) == sorted(map(tuple, F[best_rows(F)].tolist()))
    stated = admit(found.objectives, tmp_path, problem="c2-dtlz2", method="b", budget=50, constraints=found.constraints)
    assert stated.objectives.tolist() == result.objectives.tolist()
    none = admit([[1.0, 1, 1]], tmp_path, problem="c2-dtlz2", method="c", budget=50, constraints=[[0.5]])
    assert not none.feasible
    assert len(none.least_violating) == 1


# ----------------------------------------------------------------------------------------------- what is checked
def test_values_are_computed_again(tmp_path):
    X, F = evaluated()
    F[7, 1] += 1e-4
    path = table(tmp_path, np.hstack([F, X]), "f1,f2,x1,x2,x3")
    with pytest.raises(
        ValueError, match=rf"front.csv, line 9: .* f2 is {float(F[7, 1])!r} there .* \(1 of 12 rows differ\)"
    ):
        import_files([path], tmp_path / "out", **SAID)
    assert not (tmp_path / "out").exists()
    (result,) = import_files([path], tmp_path / "out", **SAID, check=False)
    assert result.record["imported_from"]["values"] == "not checked: by the caller's wish"
    (result,) = import_files([path], tmp_path / "loose", **SAID, tolerance=1e-3)
    assert result.record["imported_from"]["values"] == "computed again from solutions, to 0.001"


def test_constraints_are_computed_again_too(tmp_path):
    problem = get_problem("c2-dtlz2")
    X = torch.full((1, problem.space.dim), 0.5, dtype=torch.float64)
    found = problem.evaluate(X)
    with pytest.raises(ValueError, match=r"constraints should be what the problem says .* g1 is"):
        admit(
            found.objectives,
            tmp_path,
            problem="c2-dtlz2",
            method="a",
            budget=1,
            solutions=X,
            constraints=found.constraints - 1,
        )


def test_solutions_lie_in_the_space(tmp_path):
    with pytest.raises(ValueError, match=r"the solution \[2.0, 0.0, 0.0\] does not lie in the space of zdt1"):
        admit([[0.5, 0.5]], tmp_path, problem=PROBLEM, method="a", budget=1, solutions=[[2.0, 0, 0]])
    result = admit([[0.5, 0.5]], tmp_path, problem=PROBLEM, method="a", budget=1, solutions=[[2.0, 0, 0]], check=False)
    assert result.solutions.tolist() == [[2, 0, 0]]
    assert list(result.to_dataframe())[:3] == ["solution1", "solution2", "solution3"]


def test_a_noisy_problem_cannot_be_checked(tmp_path):
    result = admit([[0.5, 9]], tmp_path, problem="zdt1:dim=2,noise=0.1", method="a", budget=1, solutions=[[0.5, 0]])
    assert result.record["imported_from"]["values"] == "not checked: the problem is noisy"


def test_solutions_of_other_kinds_of_problems_are_kept_as_they_are(tmp_path):
    result = admit([[0.5, 0.5]], tmp_path, problem="bitstrings", method="a", budget=1, solutions=[[1.0, 0, 1]])
    assert result.solutions.tolist() == [[1, 0, 1]]
    assert result.record["imported_from"]["values"] == "not checked: solutions of this problem are no rows of a space"


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("f1", [1], "objectives should stand in the columns f1, f2. Found f1"),
        ("f1,f2,f3", [1, 2, 3], "Unknown column 'f3'.*zdt1:dim=3 has 2 objectives and 3 variables"),
        ("f1,f2,evals", [1, 2, 3], "Unknown column 'evals'. Did you mean 'evaluations'"),
        ("f1,f2,x1", [1, 2, 0.5], "solutions should stand in the columns x1, x2, x3. Found x1"),
        ("a,b", [1, 2], "objectives should stand in the columns f1, f2"),
        ("f1,f2", [1, np.nan], "front.csv, line 2: `f2` should be finite. Found nan"),
        ("f1,f2", [np.inf, 1], "front.csv, line 2: `f1` should be finite. Found inf"),
        ("f1,f2,x1,x2,x3", [1, 2, 0, np.nan, 0], "`x2` should be finite"),
        ("f1,f2,evaluations", [1, 2, 0], "`evaluations` should be a whole number of at least 1. Found 0"),
        ("f1,f2,evaluations", [1, 2, 1.5], "`evaluations` should be a whole number of at least 1. Found 1.5"),
        ("f1,f2,evaluations", [1, 2, 101], "`budget` should be at least its largest `evaluations`, 101. Found 100"),
        ("f1,f2,budget", [1, 2, 10], "says its `budget`, 10, and so do you, 100"),
        ("f1,f2,seed", [1, 2, 1], "says its `seed`, 1, and so do you, 0: say it once"),
    ],
)
def test_wrong_columns_are_named(tmp_path, header, row, message):
    with pytest.raises(ValueError, match=message):
        import_files([table(tmp_path, [row], header)], tmp_path / "out", **SAID)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"problem": None}, "does not say its `problem`"),
        ({"problem": "zdt9"}, "Unknown problem 'zdt9'. Did you mean 'zdt1', 'zdt2' or 'zdt3'.* needs `directions`"),
        ({"problem": "zdt1:dims=3"}, "Unknown option 'dims' of zdt1"),
        ({"directions": ("min", "min")}, "`directions` is for problems that are not known here"),
        ({"reference_point": (1.0, 1.0)}, "`reference_point` is for problems that are not known here"),
        ({"problem": "bridge", "directions": ("min",)}, "at least two. Found min"),
        ({"problem": "bridge", "directions": ("min", "up")}, 'only "min" and "max". Found \'up\''),
        ({"problem": "bridge", "directions": ("min", "max"), "objectives": ("a", "a")}, "2 different names"),
        ({"problem": "bridge", "directions": ("min", "max"), "reference_point": (1.0,)}, "list of 2 numbers"),
        ({"method": None}, "does not say its `method`"),
        ({"method": "nsga2"}, "not be the name of one of our own methods.*'pymoo-nsga2'"),
        ({"method": "nsga2:population=9"}, "not be the name of one of our own methods"),
        ({"method": " "}, "`method` should be a printable name"),
        ({"method": "a\nb"}, "`method` should be a printable name"),
        ({"seeds": None}, "does not say its `seed`"),
        ({"seeds": -1}, "`seed` should be from 0"),
        ({"budget": None}, "what has the run spent"),
        ({"budget": 0}, "`budget` should be at least 1"),
        ({"tolerance": -1.0}, "`tolerance` should be at least 0"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, changed, message):
    path = table(tmp_path, [[0.5, 0.5]], "f1,f2")
    with pytest.raises(ValueError, match=message):
        import_files([path], tmp_path / "out", **{**SAID, **changed})
    assert not (tmp_path / "out").exists()


def test_there_should_be_a_file(tmp_path):
    with pytest.raises(ValueError, match="at least one file"):
        import_files([], tmp_path, **SAID)


# ----------------------------------------------------------------------------------------------- where it is put
def test_a_cell_that_is_there_is_not_replaced_unless_forced(tmp_path):
    first = table(tmp_path, [[0.5, 0.5]], "f1,f2", "first.csv")
    second = table(tmp_path, [[0.25, 0.25]], "f1,f2", "second.csv")
    import_files([first], tmp_path / "out", **SAID)
    before = everything(tmp_path / "out" / "imported")
    with pytest.raises(ValueError, match=r"zdt1:dim=3 theirs seed 0 \(budget 100\) already; nothing was imported"):
        import_files([second, first], tmp_path / "out", **{**SAID, "seeds": [0, 1]})
    assert everything(tmp_path / "out" / "imported") == before
    import_files([second], tmp_path / "out", **SAID, force=True)
    (cell,) = shelved(tmp_path / "out")
    assert load_result(cell).objectives.tolist() == [[0.25, 0.25]]
    assert sorted(path.name for path in cell.parent.iterdir()) == [".lock", cell.name]


def test_a_kill_while_replacing_loses_nothing(tmp_path):
    path = table(tmp_path, [[0.5, 0.5]], "f1,f2")
    import_files([path], tmp_path / "out", **SAID)
    (cell,) = shelved(tmp_path / "out")
    cell.rename(cell.with_name(OLD + cell.name))  # as it stands between the two renames
    import_files([path], tmp_path / "out", **{**SAID, "seeds": 1})
    assert cell in shelved(tmp_path / "out")
    assert len(shelved(tmp_path / "out")) == 2


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    import moo.result

    path = table(tmp_path, [[0.5, 0.5]], "f1,f2")
    import_files([path], tmp_path / "out", **SAID)
    before = everything(tmp_path / "out")

    def full(*_):
        raise OSError(28, "No space left on device", "front.csv")

    monkeypatch.setattr(moo.result, "write_state", full)
    with pytest.raises(OSError, match="No space left"):
        import_files([path], tmp_path / "out", **SAID, force=True)
    assert everything(tmp_path / "out") == before


def test_two_imports_at_once_lose_nothing(tmp_path):
    paths = [table(tmp_path, [[i, 1.0 - i / 20]], "f1,f2", f"{i}.csv") for i in range(8)]
    failures = []

    def one(number):
        try:
            import_files([paths[number]], tmp_path / "out", **{**SAID, "seeds": number % 4})
        except ValueError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 4  # each seed came twice: one of the two is in, the other was refused
    assert all("already" in failure for failure in failures)
    assert sorted(load(tmp_path / "out")["seed"]) == [0, 1, 2, 3]


@pytest.mark.parametrize("mark", ["record.json", "tuning.json", "notes.txt"])
def test_a_folder_with_something_else_is_refused(tmp_path, mark):
    (tmp_path / mark).write_text("{}")
    path = table(tmp_path, [[0.5, 0.5]], "f1,f2")
    with pytest.raises(ValueError, match="holds something else than a suite or imported results"):
        admit([[0.5, 0.5]], tmp_path, problem=PROBLEM, method="a", budget=1)
    with pytest.raises(ValueError, match="is a file"):
        admit([[0.5, 0.5]], path, problem=PROBLEM, method="a", budget=1)


# ----------------------------------------------------------------------------------------------- beside our own
@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A suite's folder with two methods of ours and one of another program."""
    out = tmp_path_factory.mktemp("shared") / "suite"
    suite = Suite("s", (PROBLEM, "zdt2:dim=3"), ("random:batch=20", "nsga2:population=20"), (0, 1), 60)
    run(suite, out)
    for name in suite.problems:
        for seed in (0, 1):
            X = np.random.default_rng(seed).random((10, 3)) * [1, 0.1, 0.1]
            F = get_problem(name).evaluate(torch.from_numpy(X))
            admit(F, out, problem=name, method="theirs", seed=seed, budget=60, solutions=X)
    return suite, out


def test_running_again_neither_reruns_nor_touches_imports(shared):
    suite, out = shared
    before = everything(out / "imported")
    assert {status.state for status in run(suite, out)} == {"kept"}
    assert {status.state for status in run(suite, out, force=True)} == {"done"}
    assert everything(out / "imported") == before
    assert load_report(out).unfinished == []


def test_a_suite_may_be_run_where_only_imports_are(tmp_path):
    admit([[0.5, 0.5]], tmp_path / "out", problem=PROBLEM, method="theirs", budget=60)
    assert len(load(tmp_path / "out")) == 1
    run(Suite("s", (PROBLEM,), ("random",), (0,), 20), tmp_path / "out")
    assert list(load(tmp_path / "out")["method"]) == ["random", "theirs"]


def test_imports_stand_in_every_section_and_are_marked(shared):
    _, out = shared
    text = render(load_report(out), ("hypervolume", "igd_plus"), sections=["all"], control="theirs")
    assert text.count("theirs (imported)") > 5
    assert "Imported, not run here: theirs (runs: 4). Budget stated, not counted; values computed again" in text
    assert "Only the final front is known of 4" in text
    csv = render(load_report(out), ("hypervolume", "area"), form="csv")
    rows = [line.split(",") for line in csv.splitlines() if "theirs (imported)" in line]
    assert len(rows) == 4
    assert all(row[-1] == "" and float(row[-2]) > 0 for row in rows)  # no area


def test_plots_take_imports(shared, tmp_path):
    from moo.plots import plot_attainment, plot_convergence, plot_runtime

    results = by_problem(load_report(shared[1]).results)[PROBLEM]
    for draw in (plot_attainment, plot_convergence):
        draw(results, tmp_path / "a.svg")
    scores = score(results, times=True)
    assert np.isnan(scores[scores["method"] == "theirs"]["wall_seconds"]).all()
    plot_runtime(scores, tmp_path / "a.svg")


# ----------------------------------------------------------------------------------------------- what Python holds
def pymoo_result(**options):
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.optimize import minimize
    from pymoo.problems import get_problem as theirs

    return minimize(theirs("zdt1", n_var=3), NSGA2(pop_size=10), ("n_gen", 6), seed=1, **options)


def test_a_pymoo_result_is_admitted(tmp_path):
    found = pymoo_result()
    result = admit(found, tmp_path, problem=PROBLEM, method="pymoo-nsga2", seed=1)
    assert sorted(map(tuple, result.objectives.tolist())) == sorted(map(tuple, found.F[best_rows(found.F)].tolist()))
    assert result.config["budget"] == 60
    assert result.record["imported_from"]["values"].startswith("computed again")
    assert result.record["imported_from"]["file"] == "a pymoo Result"


def test_a_pymoo_result_with_its_history_has_a_history(tmp_path):
    found = pymoo_result(save_history=True)
    result = admit(found, tmp_path, problem=PROBLEM, method="pymoo-nsga2", seed=1)
    assert result.history["used"].tolist() == [10, 20, 30, 40, 50, 60]
    seen = np.empty((0, 2))
    for state, volume in zip(found.history, result.history["hypervolume"], strict=True):
        seen = np.concatenate([seen, state.pop.get("F")])
        assert volume == pytest.approx(moocore.hypervolume(seen, ref=[1.1, 1.1]))
    assert result.record["imported_from"]["anytime"]


def test_pymoo_minimises_what_we_maximise(tmp_path):
    algorithm = types.SimpleNamespace(evaluator=types.SimpleNamespace(n_eval=5))
    found = types.SimpleNamespace(F=np.array([[1.0, -2]]), X=np.array([[0.5]]), algorithm=algorithm, history=None)
    result = admit(found, tmp_path, problem="p", method="a", directions=("min", "max"))
    assert result.objectives.tolist() == [[1, 2]]
    found.F = None
    with pytest.raises(ValueError, match="holds no feasible solution"):
        admit(found, tmp_path, problem="p", method="b", directions=("min", "max"))
    found.F = np.array([[1.0, -2]])
    with pytest.raises(ValueError, match="`solutions` is for arrays"):
        admit(found, tmp_path, problem="p", method="b", solutions=[[1]], directions=("min", "max"))


def test_generations_without_a_feasible_solution_are_left_out(tmp_path):
    from pymoo.core.individual import Individual
    from pymoo.core.population import Population

    def state(count, value, violation):
        one = Individual(F=np.array([value, value]), X=np.array([value]), G=np.array([violation]))
        evaluator = types.SimpleNamespace(n_eval=count)
        return types.SimpleNamespace(opt=Population.create(one), evaluator=evaluator)

    history = [state(10, 0.1, 1.0), state(20, 0.5, -1.0)]
    algorithm = types.SimpleNamespace(evaluator=types.SimpleNamespace(n_eval=20))
    found = types.SimpleNamespace(F=np.array([[0.5, 0.5]]), X=np.array([[0.5]]), algorithm=algorithm, history=history)
    result = admit(found, tmp_path, problem="p", method="a", directions=("min", "min"))
    assert result.objectives.tolist() == [[0.5, 0.5]]
    assert result.additions.extras["used"].tolist() == [20]


def test_trials_are_admitted_as_arrays(tmp_path):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=0))
    problem = get_problem(PROBLEM)

    def objective(trial):
        x = [trial.suggest_float(f"x{i + 1}", 0, 1) for i in range(3)]
        return problem.evaluate(torch.tensor([x], dtype=torch.float64))[0].tolist()

    study.optimize(objective, n_trials=15)
    trials = study.get_trials()
    result = admit(
        [trial.values for trial in trials],
        tmp_path,
        problem=PROBLEM,
        method="optuna-random",
        solutions=[[trial.params[f"x{i + 1}"] for i in range(3)] for trial in trials],
        evaluations=range(1, 16),
    )
    assert sorted(map(tuple, result.objectives.tolist())) == sorted(tuple(t.values) for t in study.best_trials)
    assert (result.config["budget"], len(result.history)) == (15, 15)


@pytest.mark.parametrize("what", ["text", object(), [["a", "b"]]])
def test_what_holds_no_numbers_is_refused(tmp_path, what):
    with pytest.raises(TypeError, match="`result` should be an array of numbers or a pymoo Result"):
        admit(what, tmp_path, problem=PROBLEM, method="a", budget=1)
