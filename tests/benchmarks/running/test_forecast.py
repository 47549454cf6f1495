"""What a call would do: counted by hand on a small folder, and nothing written."""

import math

import pytest

from moo.benchmarks import Suite, run
from moo.benchmarks.running.conduct import Conduct
from moo.benchmarks.running.forecast import duration, forecast, lines
from moo.benchmarks.running.on_disk import cell_folder, read_record
from moo.benchmarks.suites import cells

SUITE = Suite("small", ("zdt1:dim=3",), ("random:batch=20", "nsga2:population=20"), (0, 1, 2), 60)


def test_nothing_is_known_of_an_empty_folder_and_nothing_is_written(tmp_path):
    table = forecast(SUITE, tmp_path / "out")
    assert table[["cells", "on_disk", "to_run"]].to_numpy().tolist() == [[3, 0, 3], [3, 0, 3]]
    assert table["seconds"].isna().all()
    assert lines(table)[-1] == (
        "6 cells: 6 to run, 0 on disk; unknown for 6, of whose kind none has finished. Nothing was run."
    )
    assert not (tmp_path / "out").exists()


def test_what_has_finished_says_what_the_rest_takes(tmp_path):
    first = Suite("small", SUITE.problems, SUITE.methods[:1], (0, 5), 60)  # seed 5 is not in the plan, and counts
    run(first, tmp_path)
    took = [read_record(cell_folder(cell, tmp_path))["wall_seconds"] for cell in cells(first)]
    table = forecast(SUITE, tmp_path)
    assert table[["cells", "on_disk", "to_run"]].to_numpy().tolist() == [[3, 1, 2], [3, 0, 3]]
    assert table["seconds"][0] == pytest.approx(2 * sum(took) / 2)
    assert math.isnan(table["seconds"][1])
    said = lines(table, 2)
    assert said[-1].startswith(
        f"6 cells: 5 to run, 1 on disk; about {duration(sum(took) / 2)} with 2 workers and unknown"
    )
    assert said[2].endswith("unknown")


def test_another_budget_says_nothing_of_this_one(tmp_path):
    run(Suite("small", SUITE.problems, SUITE.methods, (0,), 40), tmp_path)
    assert forecast(SUITE, tmp_path)["seconds"].isna().all()


def test_flags_and_shards_count_as_they_would(tmp_path):
    run(SUITE, tmp_path)
    assert forecast(SUITE, tmp_path)["to_run"].tolist() == [0, 0]
    assert forecast(SUITE, tmp_path, Conduct(force=True))["to_run"].tolist() == [3, 3]
    assert forecast(SUITE, tmp_path, Conduct(force=True), "1/2")["to_run"].tolist() == [2, 1]
    assert lines(forecast(SUITE, tmp_path))[-1] == "6 cells: 0 to run, 6 on disk. Nothing was run."


def test_what_does_not_apply_is_left_out(tmp_path):
    suite = Suite("odd", ("zdt1:dim=3", "fruit-tree:depth=5"), ("nsga2",), (0,), 60)
    assert forecast(suite, tmp_path / "out")["problem"].tolist() == ["zdt1:dim=3"]


def test_another_suites_folder_is_refused(tmp_path):
    run(Suite("other", SUITE.problems, SUITE.methods, (0,), 40), tmp_path)
    with pytest.raises(ValueError, match="holds the suite 'other', not 'small'"):
        forecast(SUITE, tmp_path)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0421, "0.042 s"), (89, "89 s"), (91, "1.5 min"), (5400, "1.5 h"), (86_400 * 3, "3 days")]
)
def test_lengths_of_time_read_well(seconds, text):
    assert duration(seconds) == text
