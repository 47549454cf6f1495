"""What a person sees: plain lines where there is no terminal, a bar and what runs where there is one."""

import io
import json
import sys

import pytest
from rich.console import Console

from moo.benchmarks.running import view as module
from moo.benchmarks.running.on_disk import Status
from moo.benchmarks.running.view import View, running_lines
from moo.benchmarks.suites import Cell

CELLS = [Cell("zdt1", "random", seed, 10) for seed in range(3)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def begun(out, label, since):
    (out / ".running").mkdir(exist_ok=True)
    said = {"label": label, "host": "here", "pid": 7, "since": since, "life": "x", "starts": 1}
    (out / ".running" / f"{label}.json").write_text(json.dumps(said))


def seen(tmp_path, *, live):
    lines = []
    with View(tmp_path, 3, lines.append, live=live) as view:
        view.ended(Status(CELLS[0], "done"))
        view.ended(Status(CELLS[1], "failed", "OSError: no"))
        view.ended(Status(CELLS[2], "interrupted", "go on"))
    return lines


@pytest.mark.parametrize("live", [True, False])
def test_without_a_terminal_every_cell_is_a_line(tmp_path, live):
    assert seen(tmp_path, live=live) == [
        "[1/3] done: zdt1 random seed 0",
        "[2/3] failed: zdt1 random seed 1: OSError: no",
        "interrupted in zdt1 random seed 2: go on",
    ]


def test_on_a_terminal_only_what_went_wrong_is_a_line_and_a_summary_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    lines = seen(tmp_path, live=True)
    assert lines[:2] == ["failed: zdt1 random seed 1: OSError: no", "interrupted in zdt1 random seed 2: go on"]
    assert lines[2].startswith("1 done, 1 failed of 3 cells in ")
    assert len(lines) == 3


def test_the_picture_holds_the_bar_and_what_runs_the_oldest_first(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(module.time, "time", lambda: 10_000.0)
    begun(tmp_path, "[b] nsga2 seed 1", 9_990.0)
    begun(tmp_path, "a nsga2 seed 0", 6_000.0)
    view = View(tmp_path, 3, lambda line: None, live=True)
    view.ended(Status(CELLS[0], "done"))
    console = Console(file=io.StringIO(), width=100)
    console.print(view._picture())
    first, *rest = console.file.getvalue().splitlines()
    assert "1/3" in first
    assert "1 done" in first
    assert rest == [
        "  a nsga2 seed 0  1:06:40  (process 7 on here)",
        "  [b] nsga2 seed 1  0:00:10  (process 7 on here)",
    ]


def test_of_many_that_run_the_rest_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    for number in range(module.MOST_LINES + 3):
        begun(tmp_path, f"cell {number}", number)
    console = Console(file=io.StringIO(), width=100)
    console.print(View(tmp_path, 3, lambda line: None, live=True)._picture())
    assert console.file.getvalue().splitlines()[-1] == "  ... and 3 more"


def test_a_marker_that_is_torn_or_gone_is_no_line(tmp_path):
    begun(tmp_path, "a", 0.0)
    (tmp_path / ".running" / "torn.json").write_text("{")
    assert len(running_lines(tmp_path)) == 1
    assert running_lines(tmp_path / "nowhere") == []
