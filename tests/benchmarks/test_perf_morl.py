"""The benchmarks of policies measure what they say, on small tasks."""

import pytest
import torch

from moo.benchmarks.claims import CLAIMS
from moo.benchmarks.perf import environments, morl_quality
from moo.generators import GENERATORS
from moo.options import resolve_options
from moo.problems import get_problem
from moo.registry import resolve
from moo.rl.policies import StackedMLP
from moo.search import pareto_search
from moo.seeding import torch_generator

RUN = {"seed": 1, "seconds": 2.0, "used": 9, "used_apart": 8, "reached_at": 7}


def test_the_loop_and_the_stack_train_the_same_networks():
    stacked = StackedMLP(3, [4, 8, 2], 1.0, torch_generator(0, "networks"))
    loop, stack = environments.Loop(stacked), environments.Stack(stacked)
    before = stacked.weights[0].detach().clone()
    inputs, targets = torch.ones(3, 5, 4), torch.zeros(3, 5, 2)
    for _ in range(4):
        loop.step(inputs, targets)
        stack.step(inputs, targets)
    assert not torch.allclose(before, stacked.weights[0])
    for policy, net in enumerate(loop.nets):
        torch.testing.assert_close(net[0].weight.T, stacked.weights[0][policy], atol=1e-5, rtol=0)
        torch.testing.assert_close(net[2].bias, stacked.biases[1][policy, 0], atol=1e-5, rtol=0)


def test_networks_that_differ_are_not_timed(monkeypatch):
    monkeypatch.setattr(environments.Stack, "step", lambda self, inputs, targets: None)
    with pytest.raises(RuntimeError, match="Trained apart, 2 policies differ from the stack"):
        environments.training_ratios(2, 4, 1)


def test_every_environment_with_a_bar_is_timed():
    assert environments.ours_per_second("fruit-tree", 2) > 0
    for name in environments.BARS:
        assert get_problem(name).action_space.size > 1


def test_bodies_are_stepped_in_every_way(monkeypatch):
    pytest.importorskip("mujoco", reason="pip install 'moo-suite[control]'")
    monkeypatch.setattr(environments, "BODIES", 2)
    found = environments.control_speeds(quick=True)
    assert len(found) == 5
    assert all(speed > 0 for speed in found.values())


def test_a_run_in_a_folder_goes_on_and_says_how_far_it_has_come(monkeypatch, tmp_path, capsys):
    task = morl_quality.Task("fruit-tree:depth=5", "tabular", 4000, {"learner": "pareto"})
    monkeypatch.setitem(morl_quality.TASKS, "small, kept", task)
    first = morl_quality.figures("small, kept", 3, tmp_path)
    assert "transitions, hypervolume" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["small-kept-3"]
    again = morl_quality.figures("small, kept", 3, tmp_path)
    assert not capsys.readouterr().out  # nothing was left to do
    assert again["finals"] == first["finals"]


def test_the_hopper_is_measured_where_mujoco_is(monkeypatch):
    monkeypatch.setattr(morl_quality, "learned", lambda name, seeds: [{**RUN, "front": {"hypervolume": 1.3e5}}])
    monkeypatch.setattr(morl_quality.importlib.util, "find_spec", lambda name: name)
    assert morl_quality.hopper(quick=True).met
    monkeypatch.setattr(morl_quality.importlib.util, "find_spec", lambda name: None)
    missing = morl_quality.hopper(quick=True)
    assert missing.met is None
    assert "mo_gymnasium and mujoco not installed" in missing.shortfall


def test_figures_are_those_of_the_search(monkeypatch):
    task = morl_quality.Task("fruit-tree:depth=5", "tabular", 4000, {"learner": "pareto"})
    monkeypatch.setitem(morl_quality.TASKS, "small", task)
    found = morl_quality.figures("small", 3)
    result = pareto_search(
        task.problem, "tabular", budget=4000, seed=3, options=task.options, device="cpu", progress=False
    )
    assert found["finals"]["rows"] == len(result.finals) == 32
    assert found["front"]["hypervolume"] == pytest.approx(result.record["hypervolume"])
    assert found["finals"]["farthest"] < 1e-9
    assert found["finals"]["maximum_utility_loss"] < 1e-9
    assert found["used"] == result.record["used"]
    assert 0 < found["reached_at"] <= 4000


@pytest.mark.parametrize(
    ("volumes", "seconds", "met", "words"),
    [
        ([9.0, 10.0, 11.0], 1.0, True, ""),
        ([7.0, 8.0, 11.0], 1.0, False, "hypervolume: 2"),
        ([13.0, 14.0, 10.0], 1.0, False, "hypervolume: 1"),
        ([10.0, 10.0, 10.0], 6.0, False, "CPU seconds: 1.0"),
    ],
)
def test_verdicts(volumes, seconds, met, words):
    runs = [
        {"seed": i, "seconds": seconds, "used": 5, "used_apart": 0, "reached_at": 4, "front": {"hypervolume": volume}}
        for i, volume in enumerate(volumes)
    ]
    found = morl_quality._judge(runs, "front", "hypervolume", 10, 12, seconds=5)
    assert (found.met, found.shortfall) == (met, words)


def test_every_claim_names_a_task():
    names = {claim.measure.rpartition(":")[2] for claim in CLAIMS["morl"]}
    assert {"convex", "fruits", "minecart", "environment_speed", "training_speed"} <= names
    for task in morl_quality.TASKS.values():
        get_problem(task.problem)
        resolve_options(resolve(GENERATORS, task.method, "method").options, task.options, task.method)
