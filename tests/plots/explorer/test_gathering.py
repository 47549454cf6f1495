"""What the explorer shows of results."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from moo.base import Candidates
from moo.benchmarks.perf.plots import made, sphere
from moo.plots import explorer_data
from moo.plots.explorer import gathering
from moo.space import Space, categorical, integer, real
from moo.space import real as column


def with_rows(result, solutions, *, additions=None, space=None, kind="vector", **extras):
    """The same front with these solutions, and with these additions to the archive."""
    solutions = torch.as_tensor(np.asarray(solutions, dtype=float))
    front = Candidates.of(solutions, result.objectives, None, **extras)
    more = front.rows(slice(0))
    if additions is not None:
        rows = torch.as_tensor(np.asarray(additions, dtype=float))
        more = Candidates.of(torch.zeros(len(rows), solutions.shape[1], dtype=torch.float64), rows)
    config = {**result.config, "space": space.to_json() if space else None, "kind": kind}
    return replace(result, front=front, additions=more, config=config)


def test_rows_keep_their_numbers_in_the_problems_directions():
    space = Space((real(0, 2, name="a"), integer(1, 5, name="b"), categorical(["x", "y"], name="c")))
    solutions = [[0.1, 3, 1], [1.9, 5, 0]]
    found = with_rows(made([[1.0, 20.0], [2.0, 40.0]], directions=["min", "max"]), solutions, space=space)
    data = explorer_data(found)
    assert data.directions == ("min", "max")
    np.testing.assert_array_equal(data.objectives, [[1.0, 20.0], [2.0, 40.0]])
    np.testing.assert_array_equal(data.solutions, solutions)
    assert [(v.name, v.kind, v.low, v.high, v.choices) for v in data.variables] == [
        ("a", "real", 0, 2, ()),
        ("b", "integer", 1, 5, ()),
        ("c", "categorical", 0, 1, ("x", "y")),
    ]


def test_methods_have_a_look_each_and_their_seeds_share_it():
    results = [made(sphere(3, 2, i), method, seed) for i, (method, seed) in enumerate([("a", 0), ("b", 0), ("a", 1)])]
    data = explorer_data(results)
    assert [group.name for group in data.groups] == ["a", "b"]
    assert [row.group for row in data.rows] == [0] * 3 + [1] * 3 + [0] * 3
    assert [row.run for row in data.rows[::3]] == ["a, seed 0", "b", "a, seed 1"]
    assert len({(group.color, group.shape) for group in data.groups}) == 2


def test_seeds_of_one_method_have_a_look_each():
    data = explorer_data([made(sphere(3, 2, seed), "a", seed) for seed in range(3)])
    assert [group.name for group in data.groups] == ["a, seed 0", "a, seed 1", "a, seed 2"]
    assert [row.group for row in data.rows] == [0] * 3 + [1] * 3 + [2] * 3


def test_dominated_rows_are_the_additions_that_a_row_of_the_front_dominates():
    front = sphere(20, 3, 0)
    additions = np.concatenate([front[:5], np.abs(np.random.default_rng(0).normal(size=(400, 3))), [[9, 9, np.nan]]])
    directions = ["min", "max", "min"]
    turned = np.array([1, -1, 1])
    found = with_rows(made(front * turned, directions=directions), np.zeros((20, 1)), additions=additions * turned)

    def beats(a, b):
        return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))

    wanted = [row for row in additions[:-1] if any(beats(better * [1, 1, 1], row) for better in front)]
    assert 0 < len(wanted) < 400
    data = explorer_data(found)
    dominated = np.array([row.dominated for row in data.rows])
    assert not dominated[:20].any()
    np.testing.assert_array_equal(data.objectives[dominated], np.array(wanted) * turned)


def test_many_additions_are_taken_evenly_and_that_is_said(monkeypatch):
    monkeypatch.setattr(gathering, "MOST_DOMINATED", 11)
    additions = np.linspace(2, 3, 101)[:, None].repeat(2, axis=1)
    data = explorer_data(with_rows(made(sphere(4, 2, 0)), np.zeros((4, 1)), additions=additions))
    shown = data.objectives[[row.dominated for row in data.rows]]
    np.testing.assert_allclose(shown[:, 0], np.linspace(2, 3, 11))
    assert "11 of the 101 additions of nsga2" in data.notes[0]


def test_rows_that_are_not_finite_are_left_out_and_counted():
    objectives = sphere(6, 2, 0)
    objectives[1, 0], objectives[4, 1] = np.nan, np.inf
    data = explorer_data(made(objectives))
    np.testing.assert_array_equal(data.objectives, objectives[[0, 2, 3, 5]])
    assert data.notes == ("2 rows of the front of nsga2 are left out: an objective is not finite.",)


def test_variables_that_are_not_finite_are_unknown():
    data = explorer_data(with_rows(made(sphere(2, 2, 0)), [[np.inf, 1.0], [np.nan, 2.0]]))
    np.testing.assert_array_equal(data.solutions, [[np.nan, 1.0], [np.nan, 2.0]])


def test_policies_go_by_their_number():
    data = explorer_data(with_rows(made(sphere(2, 2, 0)), [[3.0], [17.0]], kind="environment"))
    assert [row.name for row in data.rows] == ["policy 3", "policy 17"]
    assert data.variables == ()


def test_what_was_constructed_goes_by_what_it_reads_as():
    words = np.array(["abc", "<b>"])
    data = explorer_data(with_rows(made(sphere(2, 2, 0)), [[1.0], [2.0]], kind="construction", object=words))
    assert [row.name for row in data.rows] == ["abc", "<b>"]
    assert data.variables == ()
    assert data.solutions.shape == (2, 0)


def test_it_is_known_when_rows_were_paid_and_what_they_were_asked_for():
    result = made(sphere(2, 2, 0), preferences=np.array([[0.2, 0.8], [np.nan, np.nan]]))
    front = result.front.with_extras(used=torch.tensor([7, 9]))
    data = explorer_data(replace(result, front=front))
    assert [row.used for row in data.rows] == [7, 9]
    np.testing.assert_array_equal(data.preferences, [[0.2, 0.8], [np.nan, np.nan]])
    assert explorer_data(made(sphere(2, 2, 0))).preferences is None


def test_of_many_variables_the_first_are_shown_and_that_is_said():
    data = explorer_data(with_rows(made(sphere(2, 2, 0)), np.arange(100.0).reshape(2, 50)))
    assert len(data.variables) == gathering.MOST_VARIABLES
    np.testing.assert_array_equal(data.solutions[1], 50 + np.arange(gathering.MOST_VARIABLES))
    assert data.notes == ("The first 40 of 50 variables are shown.",)


def test_runs_without_anything_feasible_are_named():
    data = explorer_data([made(sphere(3, 2, 0)), made(np.empty((0, 2)), "random")])
    assert data.notes == ("random found nothing feasible.",)
    assert [group.name for group in data.groups] == ["nsga2", "random"]


def test_solutions_of_small_fronts_are_drawn_once_each(monkeypatch):
    drawn = []

    def picture(name):
        drawn.append(name)
        return f"<svg>{name}</svg>"

    def found(n):
        return with_rows(
            made(sphere(n, 2, 0)), np.zeros((n, 1)), kind="construction", object=np.array(["a", "b"] * (n // 2))
        )

    assert explorer_data(found(4), picture=picture).pictures == {"a": "<svg>a</svg>", "b": "<svg>b</svg>"}
    assert drawn == ["a", "b"]
    many = explorer_data(found(102), picture=picture)
    assert many.pictures == {}
    assert "at most 100; this one has 102" in many.notes[0]
    with pytest.raises(ValueError, match=r"`picture` should give SVG as text. Found 'no'"):
        explorer_data(found(4), picture=lambda _: "no")


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([], "Plots take a SearchResult or a list of them. Found none"),
        (made(np.ones((3, 1))), "plot of the explorer is for at least 2 objectives. Found 1"),
        (made(np.empty((0, 2))), "the explorer needs a feasible solution. Found none in 1 run"),
        (made(np.full((3, 2), np.nan)), "needs a row whose objectives are finite. Found none: 3 rows"),
        ([made(sphere(3, 2, 0)), made(sphere(3, 3, 0))], "same number of objectives. Found 2 and 3"),
        (
            [
                made(sphere(3, 2, 0)),
                with_rows(made(sphere(3, 2, 0)), np.zeros((3, 1)), space=Space((column(0, 1, "z"),))),
            ],
            "should have the same variables. Found solution1 and z",
        ),
        (made(np.zeros((20_001, 2))), "up to 20,000 rows of fronts. Found 20,001: give it fewer runs"),
    ],
)
def test_what_cannot_be_shown_is_refused(results, message):
    with pytest.raises(ValueError, match=message):
        explorer_data(results)


def test_other_things_than_results_are_refused():
    with pytest.raises(TypeError, match=r"Plots take a SearchResult or a list of them\. Found int"):
        explorer_data([3])
