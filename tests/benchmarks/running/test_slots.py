"""GPUs that are shared: no more cells on each than it has slots, also where several programs want them."""

import threading
import time

import pytest

from moo.benchmarks.running import slots as module
from moo.benchmarks.running.conduct import Conduct
from moo.benchmarks.running.slots import Slots, slot_file
from moo.benchmarks.suites import Cell


@pytest.fixture(autouse=True)
def _place(monkeypatch, tmp_path):
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(module, "SECONDS", 0.01)


def test_no_more_cells_compute_on_a_gpu_than_it_has_slots_and_all_are_used():
    now, most, seen, guard = {0: 0, 1: 0}, {0: 0, 1: 0}, [], threading.Lock()

    def work():
        with Slots(gpus=2, per_gpu=2).held(True) as gpu:
            with guard:
                now[gpu] += 1
                most[gpu] = max(most[gpu], now[gpu])
                seen.append(gpu)
            time.sleep(0.05)
            with guard:
                now[gpu] -= 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 12
    assert most == {0: 2, 1: 2}


def test_one_cell_on_each_comes_before_a_second_on_any():
    with Slots(2, 2).held(True) as first, Slots(2, 2).held(True) as second, Slots(2, 2).held(True) as third:
        assert [first, second, third] == [0, 1, 0]


def test_a_slot_is_free_again_after_an_error():
    with pytest.raises(OSError, match="no"), Slots(1).held(True):
        raise OSError("no")
    with Slots(1).held(True) as gpu:
        assert gpu == 0


@pytest.mark.parametrize(("slots", "wanted"), [(Slots(1), False), (Slots(), True)])
def test_who_needs_none_waits_for_none(slots, wanted, tmp_path):
    with slots.held(wanted) as gpu:
        assert gpu is None
    assert not list(tmp_path.iterdir())


def test_programs_that_see_different_gpus_do_not_wait_for_each_other(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [slot_file(gpu, 0).name.split("-")[-2] for gpu in (0, 1)] == ["3", "5"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert slot_file(1, 0).name.split("-")[-2] == "1"


# ------------------------------------------------------------------------------------------------ which cells
def test_the_cells_of_methods_on_cuda_are_the_pool_of_the_gpus(tmp_path):
    conduct = Conduct(device={"*": "cpu", "mogfn": "cuda"}, gpus=2, per_gpu=3)
    methods = ("mogfn:hidden=8", "nsga2")
    tasks = [conduct.task(Cell("zdt1", method, 0, 10), None) for method in methods]
    assert [task.gpu for task in tasks] == [True, False]
    assert conduct.job(tmp_path).slots == Slots(2, 3)
    assert Conduct(gpus=2).job(tmp_path).slots.count == 0  # by itself nothing is a GPU's


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"device": "gpu"}, "Unknown device 'gpu'"),
        ({"device": {"mogfn": "cuda:0"}}, "Unknown device 'cuda:0'"),
        ({"gpus": 0}, "`gpus` should be at least 1"),
        ({"per_gpu": 0}, "`per_gpu` should be at least 1"),
    ],
)
def test_what_is_no_device_is_refused(said, message):
    with pytest.raises(ValueError, match=message):
        Conduct(**said)
