"""COCO's experiment with our methods, and its way back."""

import os
import subprocess
import sys

import pytest

from moo.benchmarks import Suite, coco_experiment, find_suite, import_files, load, load_report, run
from moo.benchmarks.reports.loading import by_problem
from moo.benchmarks.suites import cells

pytest.importorskip("cocoex")

PROBLEMS = tuple(f"bbob-biobj:function=1,dim=2,instance={i}" for i in (2, 1))
SUITE = Suite("tiny", PROBLEMS, ("random", "nsga2:population=20"), (0,), 100)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    base = tmp_path_factory.mktemp("coco")
    said = []
    folders = coco_experiment(SUITE, base / "out", base / "exdata", say=said.append)
    return base, folders, said


def test_cells_are_those_of_a_suite_and_are_kept(done):
    base, folders, said = done
    assert [folder.name for folder in folders] == ["random", "nsga2-population-20"]
    assert said[0] == "done: bbob-biobj:function=1,dim=2,instance=1 random seed 0"  # in COCO's order
    assert [status.state for status in run(SUITE, base / "out")] == ["kept"] * 4


def test_cells_are_what_bench_finds(done, tmp_path):
    run(SUITE, tmp_path / "plain")
    assert load(done[0] / "out").to_csv() == load(tmp_path / "plain").to_csv()


def test_a_log_imported_scores_as_the_search_itself(done, tmp_path):
    base, folders, _ = done
    import_files([folders[0]], base / "out", method="theirs", seeds=0)
    groups = by_problem(load_report(base / "out").searches)
    for searches in groups.values():
        own = next(search for search in searches if search.config["method"] == "random")
        back = next(search for search in searches if search.config["method"] == "theirs")
        assert sorted(map(tuple, back.objectives.tolist())) == sorted(map(tuple, own.objectives.tolist()))
        assert back.record["hypervolume"] == pytest.approx(own.record["hypervolume"], rel=1e-12)
        assert back.record["used"] == own.record["used"] == 100
        assert back.record["imported_from"]["values"].startswith("computed again from solutions")


def test_each_seed_has_a_log_of_its_own(tmp_path):
    suite = Suite("seeds", PROBLEMS[:1], ("random",), (3, 4), 20)
    folders = coco_experiment(suite, tmp_path / "out", tmp_path / "exdata")
    assert [folder.name for folder in folders] == ["random-seed3", "random-seed4"]


def test_a_log_that_is_there_is_not_touched(done):
    base, _, _ = done
    before = {path: path.stat().st_mtime_ns for path in base.rglob("*")}
    with pytest.raises(FileExistsError, match="choose another place"):
        coco_experiment(SUITE, base / "out", base / "exdata")
    assert {path: path.stat().st_mtime_ns for path in base.rglob("*")} == before


def test_only_problems_of_coco_are_run(tmp_path):
    with pytest.raises(ValueError, match=r"problems of bbob-biobj alone. Found zdt1"):
        coco_experiment(Suite("s", ("zdt1",), ("random",), (0,), 20), tmp_path / "out", tmp_path / "exdata")
    assert not any(tmp_path.iterdir())


def test_the_suite_has_each_function_in_two_dimensions_and_five_instances():
    problems = find_suite("bbob-biobj").problems
    assert len(problems) == len(set(problems)) == 5 * 2 * 5
    assert len(cells(find_suite("bbob-biobj"))) == 200


def test_cocopp_reads_a_log(done, tmp_path):
    pytest.importorskip("six")  # which cocopp 2.9.1 imports and does not ask for
    pytest.importorskip("cocopp")
    program = (
        "import cocopp.pproc as p, sys\n"
        "found = p.DataSetList([sys.argv[1]])\n"
        "print([(d.funcId, d.dim, list(d.instancenumbers), d.maxevals.tolist(), d.algId) for d in found])"
    )
    environment = {**os.environ, "MPLBACKEND": "agg"}
    command = [sys.executable, "-W", "ignore", "-c", program, str(done[1][0])]
    said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True).stdout
    assert said.splitlines()[-1] == "[(1, 2, [1, 2], [100.0, 100.0], 'random')]"


@pytest.mark.slow
def test_cocopp_makes_its_pages_of_a_log(done, tmp_path):
    """About half a minute, and its reference data are unpacked into its own package."""
    pytest.importorskip("six")
    pytest.importorskip("cocopp")
    folders = [str(folder) for folder in done[1]]
    environment = {**os.environ, "MPLBACKEND": "agg"}
    command = [sys.executable, "-W", "ignore", "-m", "cocopp", "-o", "pages", *folders]
    subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "pages" / "index.html").exists()
    assert any((tmp_path / "pages").rglob("pprldmany*.svg"))
