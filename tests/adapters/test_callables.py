import os

import numpy as np
import pytest
import torch

import moo
from moo.adapters.callables import CallableProblem

BOUNDS = [(0.0, 1.0), (0.0, 2.0)]


def of_row(x):
    return [x[0] ** 2 + x[1], (x[0] - 1) ** 2 + x[1]]


def of_rows(x):
    return np.stack([x[:, 0] ** 2 + x[:, 1], (x[:, 0] - 1) ** 2 + x[:, 1]], axis=1)


def of_both(x):
    return np.stack([x[..., 0] ** 2 + x[..., 1], (x[..., 0] - 1) ** 2 + x[..., 1]], axis=-1)


def deceptive(x):
    """Of one row; a batch of two columns also gives something of the right width."""
    return [np.sum(x[0]), np.prod(x[1])] if x.ndim == 1 else x * 0


def search(function, budget=60, method="random", **arguments):
    arguments = {"space": BOUNDS, "directions": ["min", "min"], "progress": False, **arguments}
    return moo.pareto_search(function, method, budget=budget, **arguments)


@pytest.mark.parametrize(
    ("function", "vectorized"), [(of_row, False), (of_rows, True), (of_both, True), (deceptive, False)]
)
def test_how_a_function_is_called_is_found_out(function, vectorized):
    problem = CallableProblem(function, BOUNDS, ["min", "min"])
    rows = torch.rand(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    kept = problem.probe(rows)
    assert problem.vectorized is vectorized
    if function is not deceptive:
        assert np.allclose(kept.objectives, of_rows(rows.numpy()))


@pytest.mark.parametrize("function", [of_row, of_rows, of_both])
def test_finding_out_is_counted_and_kept(function):
    calls = []

    def counted(x):
        calls.append(1 if x.ndim == 1 else len(x))
        return function(x)

    result = search(counted)
    assert result.record["used"] == 60
    assert sum(calls) == 60
    assert result.history["used"].iloc[0] == 6


def test_all_ways_of_calling_find_the_same():
    row, rows = search(of_row, vectorized=False), search(of_rows, vectorized=True)
    assert torch.allclose(row.objectives, rows.objectives, rtol=1e-12)


def test_several_processes_find_the_same_as_one():
    one, two = search(of_row, vectorized=False), search(of_row, workers=2)
    assert torch.equal(one.objectives, two.objectives)


def test_a_row_whose_process_dies_is_a_failed_row():
    def deadly(x):
        if x[0] > 0.9:
            os._exit(1)
        return of_row(x)

    result = search(deadly, budget=20, workers=2, options={"batch": 10})
    assert result.record["used"] == 20
    assert 0 < len(result.failures) < 10
    assert (result.failures.solutions[:, 0] > 0.9).all()
    assert set(result.failures.extras["reason"]) == {"the process that evaluated it died"}
    assert (result.additions.solutions[:, 0] <= 0.9).all()


def test_a_row_that_raises_is_a_failed_row_with_its_reason():
    def picky(x):
        if x[0] > 0.5:
            raise ArithmeticError("did not converge")
        return of_row(x)

    result = search(picky)
    assert (result.failures.solutions[:, 0] > 0.5).all()
    assert set(result.failures.extras["reason"]) == {"ArithmeticError: did not converge"}


def test_constraints_of_rows_or_of_one_row():
    single = search(of_row, constraints=lambda x: [x[0] - 0.3])
    several = search(of_row, constraints=lambda x: x[:, :1] - 0.3)
    for result in (single, several):
        assert (result.solutions[:, 0] <= 0.3).all()
        assert result.front.extras["constraints"].shape[1] == 1


def test_directions_are_the_callers():
    result = search(lambda x: [x[0], 2 - x[1]], directions=["max", "min"], method="nsga2", budget=400)
    assert result.objectives[:, 0].max() > 0.95
    assert result.objectives[:, 1].min() < 0.1


def test_mixed_columns():
    space = moo.Space((moo.real(0, 1), moo.integer(0, 3, "n"), moo.categorical(["a", "b"], "kind")))
    seen = set()

    def function(x):
        seen.add((float(x[1]), float(x[2])))
        return [x[0] + x[1], 1 - x[0] + x[2]]

    result = search(function, space=space)
    assert seen == {(float(n), float(k)) for n in range(4) for k in range(2)}
    assert set(result.to_dataframe()["kind"]) <= {"a", "b"}


def test_it_goes_on_without_calling_twice(tmp_path):
    calls = []

    def counted(x):
        calls.append(1)
        return of_row(x)

    def run(budget, **more):
        return search(counted, budget, checkpoint=tmp_path, options={"batch": 10}, **more)

    run(60, callback=lambda result: result.record["used"] >= 30)
    again = run(60)
    assert len(calls) <= 60 + 2  # the whole batch of three is a single call, which a function of one row refuses
    assert torch.equal(again.objectives, search(of_row, 60, options={"batch": 10}).objectives)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"space": None}, "`space` is missing: a function needs its bounds"),
        ({"directions": None}, "`directions` should name one direction per objective of a function"),
        ({"directions": "min"}, "be a single word together with `num_objectives`"),
        ({"space": [(1, 0)]}, "swapped"),
        ({"space": [(0, float("nan"))]}, "should be finite"),
        ({"directions": ["min", "up"]}, 'should hold only "min" and "max"'),
        ({"directions": ["min"]}, "has 1 objective. At least 2 are needed"),
        ({"workers": 2, "vectorized": True}, "`workers` share out single rows"),
        ({"workers": 0}, "`workers` should be at least 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        search(of_row, **arguments)


def test_vectorized_is_a_truth_value_or_auto():
    with pytest.raises(TypeError, match='`vectorized` should be True, False or "auto"'):
        search(of_row, vectorized="yes")


def test_arguments_of_functions_are_for_functions():
    with pytest.raises(ValueError, match=r"`space` is for functions\. 'zdt1' is a problem"):
        moo.pareto_search("zdt1", "random", budget=10, space=BOUNDS)


def test_neither_a_problem_nor_a_function():
    with pytest.raises(TypeError, match="`problem` should be a registered name"):
        moo.pareto_search(3, "random", budget=10)


def test_the_wrong_number_of_objectives_fails_the_rows_and_says_so():
    with pytest.raises(RuntimeError, match="gave 2 numbers for one row, 3 objectives were declared"):
        search(of_row, directions=["min", "min", "max"], vectorized=False)


def test_a_batch_of_the_wrong_shape_is_an_error():
    with pytest.raises(RuntimeError, match=r"should give \[1, 2\] numbers for 1 rows. Found shape \[1, 3\]"):
        search(lambda x: np.zeros((len(x), 3)), vectorized=True)


def test_its_processes_and_those_of_suites_do_not_meet():
    """joblib's own pool is one per process and must stay joblib's."""
    import joblib

    search(of_row, budget=6, workers=2)
    assert joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(number) for number in (-1, -2, -3)) == [1, 2, 3]


# --------------------------------------------------------------------------------------------- other numbers of numbers
@pytest.mark.parametrize("vectorized", ["auto", False])
def test_three_numbers_for_two_objectives_are_never_taken_for_three_rows(vectorized):
    with pytest.raises(RuntimeError, match="gave 3 numbers for one row, 2 objectives were declared"):
        search(lambda x: (x[0], x[1], x[0]), budget=100, vectorized=vectorized)


def test_one_number_is_said_as_one():
    with pytest.raises(RuntimeError, match="gave 1 number for one row, 2 objectives were declared"):
        search(lambda x: x[0], budget=100)


def test_a_forgotten_return_is_said():
    with pytest.raises(RuntimeError, match=r"objectives of one row should be .* Found None: is its `return` missing"):
        search(lambda x: None, budget=100)
    with pytest.raises(TypeError, match=r"constraints of one row should be .* Found None: is its `return` missing"):
        search(of_row, constraints=lambda x: None)


# --------------------------------------------------------------------------------------------------- objectives' names
def test_objectives_are_called_in_tables_and_files_what_the_caller_calls_them(tmp_path):
    result = search(of_row, objective_names=["cost", "weight"])
    assert list(result.to_dataframe().columns)[:4] == ["x1", "x2", "cost", "weight"]
    result.save(tmp_path)
    assert (tmp_path / "front.csv").read_text().startswith("x1,x2,cost,weight,")
    assert moo.load_result(tmp_path).config["objective_names"] == ["cost", "weight"]
    assert [axes.get_ylabel() for axes in result.plot().axes] == ["weight (min)"]
    assert torch.equal(result.objectives, search(of_row).objectives)
    asked = moo.optimizer(BOUNDS, "random", directions="min", num_objectives=2, objective_names=("cost", "weight"))
    assert asked.result().config["objective_names"] == ["cost", "weight"]


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["cost"], ValueError, r"`objective_names` should name each of the 2 objectives\. Found \['cost'\]\."),
        (["x2", "cost"], ValueError, r"`objective_names` should differ .*because tables hold them all\. Found 'x2'"),
        (["cost", "used"], ValueError, r"from used, failed, id, .* Found 'used'"),
        (["cost", "cost"], ValueError, r"differ from each other.* Found 'cost'"),
        ("ab", TypeError, r"`objective_names` should be a list of texts, .* Found 'ab'"),
    ],
)
def test_names_that_tables_cannot_hold_are_refused(names, error, message):
    with pytest.raises(error, match=message):
        search(of_row, objective_names=names)
    with pytest.raises(error, match=message):
        moo.optimizer(BOUNDS, "random", directions="min", num_objectives=2, objective_names=names)


def test_names_are_for_functions():
    with pytest.raises(
        ValueError, match=r"`objective_names` is for functions\. 'zdt1' is a problem that knows its own"
    ):
        moo.pareto_search("zdt1", budget=10, objective_names=["a", "b"])
