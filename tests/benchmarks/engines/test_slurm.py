"""Cells in jobs of submitit's local executor, which stands in for SLURM."""

import pytest
from killing import ONE, contents, of_problem, suite_of

from moo.benchmarks import run
from moo.benchmarks.running.on_disk import read_record

submitit = pytest.importorskip("submitit", reason="the extra slurm is not installed")


def test_a_job_that_dies_costs_its_own_cell_alone_and_results_are_those_of_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr(submitit.Job, "_results_timeout_s", 1)  # for a file that a slow network still hides
    suite, fine = suite_of(tmp_path, "poison", **ONE), suite_of(tmp_path, **ONE)
    run(fine, tmp_path / "serial")
    statuses = run(suite, tmp_path / "slurm", backend="slurm:cluster=local", workers=1)
    assert [status.state for status in statuses] == ["done", "crashed"]
    (folder,) = of_problem(suite, "poison", tmp_path / "slurm")
    assert "its worker died in each of 2 starts" in read_record(folder)["reason"]
    assert "ended before its cells had" in read_record(folder)["reason"]
    found, wanted = contents(tmp_path / "slurm"), contents(tmp_path / "serial")
    assert {name: found[name] for name in wanted} == wanted
    assert not list((tmp_path / "slurm" / ".running").glob("jobs-*"))
