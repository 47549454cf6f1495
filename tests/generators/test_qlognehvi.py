import numpy as np
import pytest
import torch
from inputs import ToyVector

import moo
from moo.generators.qlognehvi import QLogNEHVI
from moo.metered import metered

QUICK = {"batch": 1, "initial_points": 8, "restarts": 2, "raw_samples": 16, "samples": 16}


def generator_of(problem, seed=0, **options):
    meter = metered(problem, 1000, seed)
    return QLogNEHVI(meter, budget=1000, seed=seed, device="cpu", **{**QUICK, **options}), meter


def told(generator, meter, n):
    asked = generator.ask(n)
    evaluated = meter.evaluate(asked.solutions, extras=asked.extras)
    meter.watch(evaluated)
    generator.tell(evaluated)
    return evaluated


def test_it_begins_with_the_sobol_points_of_random_search():
    generator, _ = generator_of(ToyVector())
    random = moo.pareto_search(ToyVector(), "random", budget=8, options={"batch": 8}, progress=False)
    assert {tuple(row) for row in random.additions.solutions.tolist()} <= {
        tuple(row) for row in generator.ask(8).solutions.tolist()
    }


def test_without_a_number_it_begins_with_twice_the_columns_and_two():
    generator, meter = generator_of(ToyVector(dim=4), initial_points=0)
    assert len(generator.step(None)) == 10
    assert meter.used == 10


def test_few_evaluations_beat_many_random_ones():
    """On a smooth problem 12 proposals are worth more than ten times as many random points."""
    options = {"initial_points": 8, "restarts": 3, "raw_samples": 64, "samples": 32}
    ours = moo.pareto_search(ToyVector(), "qlognehvi", budget=20, options=options, progress=False)
    random = moo.pareto_search(ToyVector(), "random", budget=200, progress=False)
    assert ours.hypervolume > random.hypervolume


def test_pending_rows_are_not_proposed_again():
    generator, meter = generator_of(ToyVector())
    told(generator, meter, 8)
    first, second = generator.ask(1).solutions, generator.ask(1).solutions
    assert torch.cdist(first, second).item() > 1e-3


def test_failed_rows_are_left_out_of_the_model():
    result = moo.pareto_search(
        ToyVector(fails="nan", fails_below=0.3), "qlognehvi", budget=14, options=QUICK, progress=False
    )
    assert len(result.failures) > 0
    assert result.record["used"] == 14


def test_constraints_are_modelled():
    problem = ToyVector(constrained=True)
    generator, meter = generator_of(problem)
    told(generator, meter, 8)
    proposed = [told(generator, meter, 1) for _ in range(6)]
    assert sum(int((row.violation == 0).all()) for row in proposed) >= 4


def test_whole_columns_are_rounded():
    generator, meter = generator_of(ToyVector(mixed=True))
    told(generator, meter, 8)
    proposed = generator.ask(2).solutions
    assert torch.equal(proposed[:, -1], proposed[:, -1].round())


def test_known_points_count_as_initial_ones_and_enter_the_model():
    problem = ToyVector()
    known = metered(problem, 100, 0).evaluate(torch.rand(8, 3, dtype=torch.float64))
    meter = metered(problem, 100, 0)
    generator = QLogNEHVI(meter, budget=100, seed=0, device="cpu", initial=known, **QUICK)
    meter.watch(known)
    assert len(generator.step(None)) == 1


def test_global_random_streams_are_left_alone():
    generator, meter = generator_of(ToyVector())
    told(generator, meter, 8)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    generator.ask(1)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


@pytest.mark.parametrize("m", [5, 6])
def test_more_than_four_objectives_are_refused(m):
    with pytest.raises(ValueError, match="it takes at most 4 objectives, this problem has"):
        moo.pareto_search(ToyVector(m, 6), "qlognehvi", budget=10)
