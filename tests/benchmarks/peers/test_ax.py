"""Ax as a peer: the rows are those of its client used by hand, minimising, from the same first rows."""

import logging

import pytest
import torch
from asserts import assert_same_results
from inputs import ToyVector
from torch.quasirandom import SobolEngine

import moo
import moo.benchmarks.peers
from moo.base import VectorProblem
from moo.metered import metered
from moo.seeding import child_seed, quiet_fork
from moo.space import Space, categorical, integer, real

pytest.importorskip("ax")

from moo.benchmarks.peers.ax import Ax


class Mixed(VectorProblem):
    """Columns of all kinds, with names that no expression could hold, and one of a single value."""

    name, num_objectives, directions, reference_point = "mixed", 2, ("min", "max"), [3.0, -3.0]
    space = Space((real(0, 1, "a b"), integer(0, 4, "n,m"), categorical(["u", "v", "w"], "c:c"), integer(2, 2, "one")))

    def evaluate(self, rows, generator=None):
        near = (rows[:, 0] - 0.3) ** 2 + rows[:, 1] / 4 + (rows[:, 2] == 1)
        far = (rows[:, 0] - 0.8) ** 2 + 1 - rows[:, 1] / 4 + (rows[:, 2] == 2)
        return torch.stack([near, -far], dim=1)


def search(problem, budget, **arguments):
    return moo.pareto_search(problem, "ax", budget=budget, seed=7, progress=False, **arguments)


def open_peer(problem, **metering):
    meter = metered(problem, 100, 7, **metering)
    return Ax(meter, budget=100, seed=7, device="cpu", initial=None, initial_points=0)


def by_hand(problem, budget):
    """Ax alone, minimising `-x` as it is told to, with the thresholds in the problem's own directions."""
    from ax.api.client import Client
    from ax.api.configs import RangeParameterConfig

    client = Client()
    columns = [RangeParameterConfig(name=f"x{i}", bounds=(0, 1), parameter_type="float") for i in (1, 2, 3)]
    limits = ["objective1 <= 4", "objective2 <= 4", *["constraint1 <= 0", "constraint2 <= 0"] * problem.num_constraints]
    limits = list(dict.fromkeys(limits))
    rows = SobolEngine(3, scramble=True, seed=child_seed(7, "sobol")).draw(8, dtype=torch.float64).tolist()
    logging.disable(logging.WARNING)
    with quiet_fork(0):
        client.configure_experiment(parameters=columns)
        client.configure_optimization("-objective1, -objective2", outcome_constraints=limits)
        client.configure_generation_strategy(
            initialization_budget=8, initialize_with_center=False, torch_device="cpu", initialization_random_seed=1
        )
        for row in rows:
            client.attach_trial({f"x{i + 1}": value for i, value in enumerate(row)})
    for number in range(budget):
        if number >= 8:
            with quiet_fork(child_seed(7, "Ax", number)):
                ((_, values),) = client.get_next_trials(max_trials=1).items()
            rows.append([values["x1"], values["x2"], values["x3"]])
        told = problem.evaluate(torch.tensor([rows[number]], dtype=torch.float64))
        named = {}
        if problem.num_constraints:
            named = {f"constraint{i + 1}": (v, 0.0) for i, v in enumerate(told.constraints[0].tolist())}
            told = told.objectives
        named |= {f"objective{i + 1}": (v, 0.0) for i, v in enumerate(told[0].tolist())}
        client.complete_trial(number, named)
    logging.disable(logging.NOTSET)
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("constrained", [False, True])
def test_the_first_proposals_are_those_of_ax_used_by_hand(constrained):
    problem = ToyVector(constrained=constrained)
    result = search(problem, 9)
    known = result.generator._ledger.known.solutions
    # Signs change roundings, and with them where the search for the best proposal ends.
    assert torch.allclose(known, by_hand(ToyVector(constrained=constrained), 9), atol=0.02)


@pytest.mark.slow  # a proposal in mixed columns takes Ax ten seconds
def test_columns_of_all_kinds_are_taken():
    result = search(Mixed(), 6, options={"initial_points": 5})
    rows = result.generator._ledger.known.solutions
    assert torch.equal(rows, Mixed.space.canonical(rows))
    assert torch.equal(rows[:, 3], torch.full((6,), 2.0, dtype=torch.float64))
    assert result.config["versions"]["ax-platform"]


def test_a_run_goes_on_to_what_it_would_have_found_at_once(tmp_path):
    first = {"initial_points": 5}
    whole = search(ToyVector(), 7, options=first)
    search(ToyVector(), 6, checkpoint=tmp_path, options=first)
    part = search(ToyVector(), 7, checkpoint=tmp_path, options=first)
    assert_same_results(whole, part)


def test_failed_rows_are_marked_and_the_sequence_goes_on():
    result = search(ToyVector(fails="nan"), 9)
    trials = result.generator._client._experiment.trials.values()
    states = [trial.status.name for trial in trials]
    assert states.count("FAILED") == result.record["failures"] > 0
    assert states.count("COMPLETED") == 9 - result.record["failures"]


def test_the_reference_point_becomes_objective_thresholds():
    def thresholds(peer):
        config = peer._client._experiment.optimization_config
        return {one.metric_names[0]: one.bound for one in config.objective_thresholds}

    assert thresholds(open_peer(ToyVector())) == {"objective1": -4.0, "objective2": -4.0}
    turned = open_peer(ToyVector(directions=("max", "min")), reference_point=[-1.5, 2.5])
    assert thresholds(turned) == {"objective1": -1.5, "objective2": -2.5}
    assert thresholds(open_peer(ToyVector(reference=False))) == {}


def test_noise_is_left_to_ax_only_where_there_is_some():
    def errors(problem):
        peer = open_peer(problem)
        with peer._quietly():
            peer._report(peer._place(torch.full((3,), 0.5)), [1.0, 2.0], [])
        return peer._client._experiment.lookup_data().df["sem"]

    assert (errors(ToyVector()) == 0).all()
    assert errors(ToyVector(noise=0.1)).isna().all()


def test_messages_are_as_they_were_afterwards():
    before = logging.root.manager.disable
    open_peer(ToyVector())
    assert logging.root.manager.disable == before
