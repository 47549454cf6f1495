import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from moo.corners import corner_preferences, optimistic_values
from moo.preferences import grid
from moo.seeding import torch_generator


def returns(n, m, step=0):
    return torch.rand(n, m, dtype=torch.float64, generator=torch_generator(0, "corners", step))


def enumerated(values):
    """All vertices, by trying every choice of m constraints that may hold with equality."""
    rows = values.numpy()
    n, m = rows.shape
    pieces = np.column_stack([-rows, np.ones(n)])  # v - w . V_i >= 0
    walls = np.column_stack([np.eye(m), np.zeros(m)])
    constraints, total = np.concatenate([pieces, walls]), np.array([1.0] * m + [0.0])
    found = set()
    for active in itertools.combinations(range(n + m), m):
        matrix = np.concatenate([constraints[list(active)], total[None]])
        if abs(np.linalg.det(matrix)) < 1e-12:
            continue
        point = np.linalg.solve(matrix, np.eye(m + 1)[-1])
        if (constraints @ point >= -1e-9).all():
            found.add(tuple(np.abs(point[:m]).round(6)))
    return found


@pytest.mark.parametrize(("m", "n"), [(2, 1), (2, 6), (3, 1), (3, 7), (4, 6), (5, 5)])
def test_corners_are_the_vertices_that_enumeration_finds(m, n):
    for step in range(3):
        values = returns(n, m, step)
        corners = corner_preferences(values)
        assert torch.equal(corners[:m], torch.eye(m, dtype=torch.float64))
        assert {tuple(row) for row in corners.numpy().round(6)} == enumerated(values)
        assert len(corners) == len(enumerated(values))
        assert torch.allclose(corners.sum(dim=1), torch.ones(len(corners), dtype=torch.float64))


def test_corners_of_two_objectives_are_where_neighbours_are_worth_the_same():
    values = torch.tensor([[1.0, 0.0], [0.9, 0.5], [0.4, 0.9], [0.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    slopes = [(0.5, 0.1), (0.4, 0.5), (0.1, 0.4)]  # gain of the second and loss of the first, from row to row
    expected = sorted([a / (a + b), b / (a + b)] for a, b in slopes)
    assert torch.allclose(corner_preferences(values)[2:], torch.tensor(expected, dtype=torch.float64))


def test_many_rows_have_the_corners_of_those_that_matter():
    front = torch.nn.functional.normalize(returns(8, 3), dim=1)
    below = front.repeat(10, 1) * 0.9 * returns(80, 1, 1)
    assert torch.allclose(corner_preferences(front), corner_preferences(torch.cat([below, front])), atol=1e-6)


@pytest.mark.parametrize("values", [[[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]] * 20, [[0.0, 0.0, 0.0]]])
def test_equal_returns_have_the_unit_vectors_alone(values):
    assert torch.equal(corner_preferences(torch.tensor(values)), torch.eye(3, dtype=torch.float64))


def test_returns_on_a_plane_do_no_harm():
    values = torch.tensor([[float(i), 10.0 - i, 1.0] for i in range(11)], dtype=torch.float64)
    corners = corner_preferences(values)
    assert {tuple(row) for row in corners.numpy().round(6)} == enumerated(values)


def test_corners_do_not_depend_on_the_scale_or_the_origin_of_all_objectives():
    values = returns(7, 3)
    assert torch.allclose(corner_preferences(values), corner_preferences(1e6 * values - 3e5), atol=1e-6)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_optimistic_values_are_those_of_the_linear_programme(m):
    values = returns(5, m)
    corners, worked_for = corner_preferences(values), grid(m, 6)
    reached = (worked_for @ values.T).amax(dim=1)
    found = optimistic_values(corners, worked_for, reached)
    for corner, value in zip(corners.numpy(), found.tolist(), strict=True):
        primal = linprog(-corner, A_ub=worked_for.numpy(), b_ub=reached.numpy(), bounds=(None, None))
        assert value == pytest.approx(-primal.fun, abs=1e-9)


def test_optimistic_values_of_two_objectives_lie_on_the_chord():
    worked_for = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    reached = torch.tensor([3.0, 1.5, 2.0], dtype=torch.float64)
    asked = torch.tensor([[0.75, 0.25], [0.1, 0.9], [0.5, 0.5]], dtype=torch.float64)
    expected = torch.tensor([2.25, 1.9, 1.5], dtype=torch.float64)
    assert torch.allclose(optimistic_values(asked, worked_for, reached), expected)


def test_what_nothing_bounds_is_infinite():
    worked_for, reached = torch.tensor([[0.5, 0.5]]).double(), torch.tensor([1.0]).double()
    asked = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
    assert optimistic_values(asked, worked_for, reached).tolist() == [float("inf"), 1.0]
    assert optimistic_values(asked, worked_for[:0], reached[:0]).tolist() == [float("inf")] * 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (torch.empty(0, 3), "at least one return vector"),
        (torch.ones(2, 1), "2 to 6 columns"),
        (torch.ones(2, 7), "2 to 6 columns"),
        (torch.tensor([[1.0, float("nan")]]), "should be finite"),
    ],
)
def test_returns_that_have_no_corners_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        corner_preferences(values)
