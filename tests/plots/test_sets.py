"""Fronts as data, against hand-made results."""

import numpy as np
import pytest
from front_results import CONVEX, random_front, result

from moo.plots import front_data, plot_front
from moo.plots.style import GREY


def test_data_of_one_result():
    data = front_data(result(CONVEX, names=["cost", "mass"], directions=["min", "max"]), [[0.0, 2.0]])
    assert data.objective_names == ("cost", "mass")
    assert data.directions == ("min", "max")
    assert data.fronts[0].label == "nsga2"
    assert data.fronts[0].feasible
    np.testing.assert_array_equal(data.fronts[0].objectives, CONVEX)
    np.testing.assert_array_equal(data.reference_front, [[0.0, 2.0]])


def test_data_of_several_results_keeps_their_order():
    data = front_data([result(CONVEX, "b"), result(CONVEX[:1], "a"), result(CONVEX, "b", seed=1)])
    assert [front.label for front in data.fronts] == ["b", "a", "b"]
    assert [len(front.objectives) for front in data.fronts] == [3, 1, 3]
    assert data.reference_front is None


def test_changing_the_data_does_not_change_the_result():
    found = result(CONVEX)
    front_data(found).fronts[0].objectives[:] = 7
    assert found.objectives.tolist() == CONVEX


def test_where_nothing_is_feasible_the_data_hold_the_least_violating_rows():
    (front,) = front_data(result(np.empty((0, 2)), violating=CONVEX)).fronts
    assert not front.feasible
    np.testing.assert_array_equal(front.objectives, CONVEX)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({}, {"objectives": random_front(3, 3)}, r"same number of objectives\. Found 2 and 3"),
        ({}, {"names": ["f1", "mass"]}, r"same objective names\. Found \['f1', 'f2'\] and \['f1', 'mass'\]"),
        ({}, {"directions": ["min", "max"]}, r"same directions\. Found \['min', 'min'\] and \['min', 'max'\]"),
    ],
)
def test_results_that_do_not_fit_together_are_refused(first, second, message):
    with pytest.raises(ValueError, match=message):
        plot_front([result(**{"objectives": CONVEX, **case}) for case in (first, second)])


def test_a_reference_front_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"`reference_front` should have shape \[n, 2\]"):
        plot_front(result(CONVEX), reference_front=[[0.0, 1.0, 2.0]])
    with pytest.raises(ValueError, match="`reference_front` should be finite"):
        plot_front(result(CONVEX), reference_front=[[0.0, float("nan")]])
    with pytest.raises(TypeError, match="`reference_front` should be an array of numbers"):
        plot_front(result(CONVEX), reference_front="zdt1")


def test_what_is_no_result_is_refused():
    with pytest.raises(TypeError, match="Found dict"):
        plot_front({"front": CONVEX})
    with pytest.raises(ValueError, match="Found none"):
        plot_front([])


def test_looks_go_by_label_and_what_is_infeasible_is_grey():
    none = np.empty((0, 2))
    data = front_data([result(CONVEX, "a"), result(none, "b", violating=CONVEX), result(CONVEX, "a", seed=1)])
    assert data.looks[0] == data.looks[2]
    assert data.looks[1].color == GREY
    assert data.looks[1].marker != data.looks[0].marker


def test_everything_holds_all_rows_and_the_known_front():
    data = front_data([result(CONVEX), result(CONVEX[:1])], [[5.0, 5.0]])
    assert data.everything.shape == (5, 2)
    assert data.everything[-1].tolist() == [5.0, 5.0]
