"""The benchmark of reports measures what it says: a folder of cells that each have a front of their own."""

import pytest

from moo.benchmarks import Suite, load, load_report
from moo.benchmarks.perf.reports import FRONT, cost_of, make_folder, many
from moo.benchmarks.suites import cells

TINY = Suite("tiny", ("zdt1:dim=3", "zdt2:dim=4"), ("nsga2:population=20", "nsga2:population=30"), (0, 1), 100)


def test_the_full_form_has_ten_thousand_cells_of_distinct_names():
    assert len(set(cells(many(20)))) == 10_000
    assert len(cells(many(2))) == 1_000


def test_made_cells_are_read_as_what_their_names_say(tmp_path):
    make_folder(tmp_path / "tiny", TINY)
    assert load_report(tmp_path / "tiny").unfinished == []
    frame = load(tmp_path / "tiny")
    said = list(zip(frame["problem"], frame["method"], frame["seed"], strict=True))
    assert said == [(cell.problem, cell.method, cell.seed) for cell in cells(TINY)]
    assert (frame["front_size"] == FRONT).all()
    assert frame["hypervolume"].nunique() == frame["igd_plus"].nunique() == 8
    assert (frame["igd_plus"] < 0.05).all()
    found = cost_of(tmp_path / "tiny")
    assert found["lines"] > 6
    assert 0.05 < found["gigabytes"] < 2
    assert found["cpu_seconds"] > 0


def test_a_report_that_fails_is_not_measured(tmp_path):
    with pytest.raises(RuntimeError, match="holds neither a suite nor a finished search"):
        cost_of(tmp_path)
