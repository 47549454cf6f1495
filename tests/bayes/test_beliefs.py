import pytest
import torch
from inputs import ToyVector

from moo.base import Candidates
from moo.bayes.beliefs import FAR, Beliefs
from moo.bayes.columns import Columns
from moo.metered import metered


def beliefs(noise_option="auto", **about):
    problem = metered(ToyVector(**about), 100, 0)
    options = {"surrogate": "batched", "kernel": "auto", "scaled": True, "noise": noise_option, "fantasies": 4}
    return Beliefs(problem, Columns(problem.space), seed=0, **options)


def told(n=12, **extras):
    stream = torch.Generator().manual_seed(0)
    rows = torch.rand(n, 3, generator=stream, dtype=torch.float64)
    return Candidates.of(rows, -ToyVector().evaluate(rows), **extras)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_unit_of_a_constraint_does_not_matter(unit):
    limits = torch.randn(12, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    _, outputs, _ = beliefs(constrained=True).about(told(constraints=limits))
    _, scaled, _ = beliefs(constrained=True).about(told(constraints=limits * unit))
    assert torch.allclose(outputs, scaled)
    assert ((outputs[:, 2:] <= 0) == (limits <= 0)).all()
    assert outputs[:, 2:].abs().max() <= FAR


def test_constraints_that_are_all_zero_are_told_as_such():
    limits = torch.zeros(12, 2, dtype=torch.float64)
    assert (beliefs(constrained=True).about(told(constraints=limits))[1][:, 2:] == 0).all()


@pytest.mark.parametrize(
    ("noise", "noisy_problem", "deviations", "kernel"),
    [
        ("auto", False, False, "matern"),
        ("auto", True, False, "rbf"),
        ("auto", False, True, "rbf"),
        ("learned", False, False, "rbf"),
        ("none", True, False, "matern"),
        ("none", False, True, "rbf"),  # what was told is not left out
    ],
)
def test_the_kernel_goes_by_whether_values_are_noisy(noise, noisy_problem, deviations, kernel):
    extras = {"std": torch.full((12, 2), 0.1, dtype=torch.float64)} if deviations else {}
    _, _, model = beliefs(noise_option=noise, noise=0.1 if noisy_problem else 0.0).about(told(**extras))
    assert model.kernel == kernel


def test_a_fit_is_not_repeated_for_the_same_rows_and_goes_on_from_a_stored_one():
    known, first, second = told(), beliefs(), beliefs()
    _, _, model = first.about(known)
    second.load_state_dict(first.state_dict())
    for again in (first, second):
        assert torch.equal(again.about(known)[2].hyperparameters, model.hyperparameters)
        assert again.state_dict()["count"] == 1
    assert not torch.equal(first.about(told(13))[2].hyperparameters, model.hyperparameters)
    assert first.state_dict()["count"] == 2


@pytest.mark.parametrize(("times", "ends"), [(1, False), (2, False), (3, True), (7, True)])
def test_an_objective_whose_best_value_is_reached_several_times_ends_there(times, ends):
    known = told()
    objectives = known.objectives.clone()
    objectives[:times, 1] = objectives[:, 1].max() + 1
    known = Candidates.of(known.solutions, objectives)
    stream = torch.Generator().manual_seed(0)
    function = beliefs().improvement(known, torch.empty(0, 3, dtype=torch.float64), stream)
    top = function.upper[function.real][:, 1].max()
    assert (top == objectives[:, 1].max()) == ends
    assert torch.isinf(function.upper[function.real][:, 0].max())


def end_of(values):
    """Where boxes end in the second objective, told these 12 values of it."""
    objectives = told().objectives.clone()
    objectives[:, 1] = values
    known = Candidates.of(told().solutions, objectives)
    stream = torch.Generator().manual_seed(0)
    function = beliefs().improvement(known, torch.empty(0, 3, dtype=torch.float64), stream)
    return float(function.upper[function.real][:, 1].max())


@pytest.mark.parametrize(("shared", "ends"), [(2, True), (4, True), (5, False), (8, False)])
def test_an_end_outlives_a_corner_where_the_objective_is_the_same_again(shared, ends):
    values = told().objectives[:, 1].clone()
    values[:4] = values.max() + 1
    values[4 : 4 + shared] = values.min() - 1
    assert end_of(values) == (values.max() if ends else torch.inf)


@pytest.mark.parametrize("step", [1.0, 0.1, 1 / 3])
@pytest.mark.parametrize("levels", [[1, 2, 3, 4, 5, 6, 7, 8, 9], [2, 4, 5, 7, 9, 11, 14, 17, 900], [3, 8, 11, 14, 16]])
def test_what_is_counted_in_steps_does_not_end(step, levels):
    counts = torch.tensor([0] * (12 - len(levels)) + levels)
    values = -step * counts.double()
    assert end_of(values) == torch.inf
    wobble = torch.rand(12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert end_of(values - 0.1 * step * wobble * (counts > 0)) == 0
    values[-1] -= 9000 * step  # finer than what is counted: rounded
    assert end_of(values) == 0


def test_ties_beyond_the_reference_point_leave_the_other_objective_its_end():
    objectives = told().objectives.clone()
    objectives[:4, 0] = objectives[:, 0].max() + 1
    objectives[:, 1] -= 10
    objectives[4:8, 1] = -4.0  # the toy's own
    known = Candidates.of(told().solutions, objectives)
    stream = torch.Generator().manual_seed(0)
    function = beliefs().improvement(known, torch.empty(0, 3, dtype=torch.float64), stream)
    ends = function.upper[function.real].amax(dim=0)
    assert ends.tolist() == [objectives[:, 0].max(), torch.inf]


def test_under_noise_no_objective_is_taken_to_end():
    objectives = told().objectives.clone()
    objectives[:5, 1] = objectives[:, 1].max() + 1
    function = beliefs(noise_option="learned").improvement(
        Candidates.of(told().solutions, objectives),
        torch.empty(0, 3, dtype=torch.float64),
        torch.Generator().manual_seed(0),
    )
    assert torch.isinf(function.upper[function.real][:, 1].max())


@pytest.mark.parametrize("what", ["whole numbers", "worse than the reference point", "constant", "all constant"])
def test_ties_alone_are_no_end(what):
    objectives = told().objectives.clone()
    if what == "whole numbers":
        objectives[:, 1] = objectives[:, 1].mul(2).round() / 2
        objectives[:4, 1] = objectives[:, 1].max()
    if what == "worse than the reference point":
        objectives[:4, 1] = -4.0  # the toy's own
        objectives[4:, 1] -= 10
    if what == "constant":
        objectives[:, 1] = -1.5
    if what == "all constant":
        objectives[:] = -1.5
    known = beliefs()
    function = known.improvement(
        Candidates.of(told().solutions, objectives),
        torch.empty(0, 3, dtype=torch.float64),
        torch.Generator().manual_seed(0),
    )
    assert torch.isinf(function.upper[function.real][:, 1].max())
    assert torch.isfinite(function.value(told().solutions)).all()
