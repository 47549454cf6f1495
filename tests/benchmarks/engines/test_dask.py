"""Cells on a Dask cluster that the test starts: one for all of them, since it takes seconds."""

import pytest
from killing import ONE, contents, of_problem, suite_of

from moo.benchmarks import run
from moo.benchmarks.running.on_disk import read_record

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")


@pytest.fixture(scope="module")
def address():
    """Of the scheduler of a cluster of two processes."""
    size = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": None}
    with distributed.LocalCluster(**size, silence_logs=50) as cluster:
        yield cluster.scheduler_address


def test_the_environment_says_where_the_scheduler_is(tmp_path, address, monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    monkeypatch.setattr(distributed, "LocalCluster", None)
    suite = suite_of(tmp_path, **ONE)
    assert [status.state for status in run(suite, tmp_path / "out", backend="dask", workers=1)] == ["done"]


def test_a_cell_that_dask_gives_up_again_and_again_is_an_error(tmp_path, address, monkeypatch):
    monkeypatch.setattr("moo.benchmarks.engines.dask._start", _unheard)
    with pytest.raises(RuntimeError, match=r"Dask gives up zdt1:dim=3 \S+ seed 0 before it starts: error"):
        run(suite_of(tmp_path, **ONE), tmp_path / "out", backend=f"dask:address={address}")


def _unheard(job, task):
    raise OSError("no disk here")


def test_a_worker_that_dies_costs_its_own_cell_alone_and_results_are_those_of_one_process(tmp_path, address):
    suite = suite_of(tmp_path, "once", "poison", **ONE)
    (tmp_path / "flag").touch()
    run(suite_of(tmp_path, "once", **ONE), tmp_path / "serial")
    (tmp_path / "flag").unlink()
    lines = []
    statuses = run(suite, tmp_path / "dask", backend=f"dask:address={address}", say=lines.append)
    assert [status.state for status in statuses] == ["done", "done", "crashed"]
    assert (tmp_path / "flag").exists()  # so one was killed in the middle
    (folder,) = of_problem(suite, "poison", tmp_path / "dask")
    assert "its worker died in each of 2 starts" in read_record(folder)["reason"]
    assert sorted(line.split("]")[0] for line in lines[1:]) == [f"[{i}/3" for i in range(1, 4)]
    found, wanted = contents(tmp_path / "dask"), contents(tmp_path / "serial")
    assert {name: found[name] for name in wanted} == wanted
