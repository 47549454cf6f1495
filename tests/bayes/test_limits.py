"""Linear limits: what they allow, starts within them, climbs within them, and whole searches."""

import pytest
import torch
from inputs import ToyVector
from torch.quasirandom import SobolEngine

import moo
from moo.bayes.columns import Columns
from moo.bayes.limits import Limits
from moo.bayes.maximise import best_rows
from moo.space import Space, categorical, integer, real

QUICK = {"initial_points": 8, "raw_samples": 64, "restarts": 2}
MIXED = Space((real(-4, 6), integer(-3, 3), categorical("abc"), real(100, 100.5), integer(0, 500)))
MIXED_LIMITS = [[1, -2.5, 0, 3, 0.01], [-1, 0, 0, 4, 0], [0, 1, 0, 0, -0.004]]
MIXED_LIMITS = [[*left, right] for left, right in zip(MIXED_LIMITS, [306, 404, 0.5], strict=True)]


def square(d, *limits):
    return Limits(Columns(Space.of([(0, 1)] * d)), limits)


def kept(rows, limits, slack=1e-12):
    """Whether rows of a space keep limits, up to rounding; literally."""
    for row in rows.tolist():
        for *left, right in limits:
            terms = [a * x for a, x in zip(left, row, strict=True)]
            if sum(terms) > right + slack * (sum(map(abs, terms)) + abs(right)):
                return False
    return True


def sobol(d, count, seed):
    return SobolEngine(d, scramble=True, seed=seed).draw(count, dtype=torch.float64)


# --- what is allowed --------------------------------------------------------------------------------------------------


def test_rows_are_allowed_where_every_inequality_holds_once_they_are_canonical():
    columns = Columns(MIXED)
    limits = Limits(columns, MIXED_LIMITS)
    unit = sobol(5, 512, 0)
    found = limits.allowed(unit)
    expected = [kept(row[None], MIXED_LIMITS) for row in columns.rows(unit)]
    assert found.tolist() == expected
    assert 50 < sum(expected) < 462
    for one in MIXED_LIMITS:  # each forbids something
        assert not Limits(columns, [one]).allowed(unit).all()


def test_rounding_can_make_a_row_allowed_or_not():
    limits = Limits(Columns(Space((integer(0, 10), integer(0, 10)))), [[1, 1, 7]])
    unit = torch.tensor([[0.34, 0.44], [0.36, 0.34], [0.36, 0.36], [0.3, 0.4]], dtype=torch.float64)
    assert limits.allowed(unit).tolist() == [True, True, False, True]


@pytest.mark.parametrize("factor", [1.0, 1e-9, 1e9])
def test_rows_on_a_limit_are_allowed_despite_rounding_and_rows_beyond_are_not(factor):
    limits = square(3, [0.1 * factor, 0.1 * factor, 0.1 * factor, 0.06 * factor])
    at = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    assert 0.1 * 0.1 + 0.1 * 0.2 + 0.1 * 0.3 > 0.06  # in floating point
    assert limits.allowed(torch.stack([at, at + 1e-9, at - 1e-9])).tolist() == [True, False, True]


def test_rounding_does_not_matter_where_large_terms_cancel_each_other():
    at = torch.arange(1, 34, dtype=torch.float64)[:, None] * torch.tensor([0.01, 0.03], dtype=torch.float64)
    assert (at @ torch.tensor([0.3, -0.1], dtype=torch.float64) > 0).any()  # in floating point
    assert square(2, [0.3, -0.1, 0]).allowed(at).all()


def test_without_limits_all_is_allowed():
    limits = Limits(Columns(Space.of([(0, 1)] * 2)), torch.zeros(0, 3))
    assert limits.allowed(sobol(2, 16, 0)).all()
    assert torch.equal(limits.evenly(16, 0), sobol(2, 16, 0))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ([[1, 1, 1]], r"`limits` should have shape \[n, 6\]. Found \[1, 3\]"),
        ([1, 1, 0, 0, 0, 1], r"`limits` should have shape \[n, 6\]. Found \[6\]"),
        ([[1, float("nan"), 0, 0, 0, 1]], "`limits` should hold finite numbers. Some are not"),
        ([[1, 1, 0, 0, 0, float("inf")]], "`limits` should hold finite numbers. Some are not"),
        ([[1, 1, 0, 0, 0, 1], [1, 1, -2, 0, 0, 1]], "should leave categorical columns alone. 'x3' has a number"),
        ([[1, 0, 0, 0, 0, -4.1]], "`limits` allow no row of the space"),
        ([[-1, 0, 0, 0, 0, -6.1]], "`limits` allow no row of the space"),
        ([[1, 0, 0, 0, 0, 0], [-1, 0, 0, 0, 0, -0.1]], "`limits` allow no row of the space"),
        ([[0, 0, 0, 0, 0, -1]], "`limits` allow no row of the space"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        Limits(Columns(MIXED), limits)


def test_limits_that_allow_one_corner_are_fine():
    assert Limits(Columns(MIXED), [[1, 0, 0, 0, 0, -4]]).allowed(torch.zeros(1, 5, dtype=torch.float64)).all()


# --- to begin with ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [[1, 1, 0.9], [-1, 0.5, -0.2], [0, 1, 0.95]])
def test_starts_are_the_allowed_ones_of_a_sobol_sequence(limit):
    limits, points = square(2, limit), sobol(2, 1024, 7)
    expected = points[points @ torch.tensor(limit[:2]).double() <= limit[2]]
    assert torch.equal(limits.evenly(200, 7), expected[:200])
    assert not torch.equal(limits.evenly(200, 7), limits.evenly(200, 8))


@pytest.mark.parametrize(
    ("space", "given"),
    [
        (MIXED, MIXED_LIMITS),
        (Space.of([(0, 1)] * 3), [[1, 1, 1, 0.3]]),
        (Space.of([(0, 1)] * 6), [[1] * 6 + [0.3]]),  # one in a million points
        (Space.of([(-2, 8)] * 5), [[1, 1, 1, 1, 1, -8.5]]),
        (
            Space((*[real(0, 1, f"r{i}") for i in range(4)], integer(0, 20))),
            [[1, 1, 1, 1, 0, 0.05], [0, 0, 0, 0, 1, 12]],
        ),
    ],
    ids=["mixed", "many", "corner", "shifted corner", "corner with whole numbers"],
)
def test_starts_are_allowed_different_on_levels_and_the_first_of_more(space, given):
    columns = Columns(space)
    limits = Limits(columns, given)
    nine = limits.evenly(9, 3)
    assert nine.shape == (9, space.dim)
    assert ((nine >= 0) & (nine <= 1)).all()
    assert kept(columns.rows(nine), given)
    assert torch.equal(columns.snapped(nine), nine)
    assert torch.equal(limits.evenly(9, 3), nine)
    assert torch.equal(limits.evenly(5, 3), nine[:5])
    assert torch.pdist(nine).min() > 1e-3
    assert limits.evenly(0, 3).shape == (0, space.dim)


def test_points_between_corners_reach_all_of_a_simplex():
    limits = square(6, [1] * 6 + [0.3])
    points = limits.evenly(60, 0) / 0.3
    shares = torch.cat([points, 1 - points.sum(dim=1, keepdim=True)], dim=1)
    assert (shares.amin(dim=0) < 0.04).all()
    assert (shares.amax(dim=0) > 0.15).all()
    smaller = square(6, [1] * 6 + [0.15])  # no Sobol point at all
    assert not torch.isclose(smaller.evenly(3, 0), smaller.evenly(3, 1), rtol=0, atol=1e-9).all(dim=1).any()


def test_points_between_corners_take_over_where_allowed_ones_end():
    """Few of the Sobol points are allowed: they come first, and others follow."""
    limits, points = square(4, [1, 1, 1, 1, 0.3]), sobol(4, 1024 * 127, 0)
    few = points[points.sum(dim=1) <= 0.3]
    found = limits.evenly(60, 0)
    assert 0 < len(few) < 60
    assert torch.equal(found[: len(few)], few)
    assert limits.allowed(found).all()
    assert torch.pdist(found).min() > 0


def test_where_hardly_a_row_of_whole_numbers_is_allowed_an_error_says_so():
    columns = Columns(Space((integer(0, 1), integer(0, 1))))
    with pytest.raises(RuntimeError, match="The limits leave hardly a row of whole numbers"):
        Limits(columns, [[2, 0, 1.5], [-2, 0, -0.5]]).evenly(2, 0)


def test_global_random_streams_are_left_alone():
    before = torch.get_rng_state()
    square(6, [1] * 6 + [0.3]).evenly(3, 0)
    assert torch.equal(torch.get_rng_state(), before)


# --- climbs -----------------------------------------------------------------------------------------------------------


def nearest(goal):
    goal = torch.as_tensor(goal, dtype=torch.float64)
    return lambda rows, versions=None: 5 - (rows - goal).square().sum(dim=1)


@pytest.mark.parametrize(
    ("limits", "goal", "top"),
    [
        ([[1, 1, 0.8]], [0.7, 0.5], [0.5, 0.3]),
        ([[2, 1, 1], [-1, 1, 0.1]], [0.5, 0.9], [0.3, 0.4]),  # a corner
        ([[1, 1, 0.8]], [0.3, 0.2], [0.3, 0.2]),  # no limit holds it back
        ([[1, -1, 0.2]], [2, -3], [0.2, 0]),  # a limit and a bound
    ],
)
def test_the_maximum_of_a_paraboloid_within_limits_is_found(limits, goal, top):
    limits = square(2, *limits)
    rows, values = limits.maximise(nearest(goal), limits.evenly(4, 0), [0, 1], iterations=100)
    assert torch.allclose(rows[0], torch.tensor(top, dtype=torch.float64), atol=2e-3)
    assert torch.allclose(values, nearest(goal)(rows))
    assert torch.equal(values, values.sort(descending=True).values)
    assert values[0] - values[-1] < 1e-4


def test_in_other_units_the_maximum_is_the_same():
    columns = Columns(Space((real(-10, 10), real(100, 100.5))))
    limits = Limits(columns, [[0.05, 2, 200.3]])  # x + y <= 0.8 of the unit cube
    rows, _ = limits.maximise(nearest([0.7, 0.5]), limits.evenly(2, 0), [0, 1], iterations=100)
    assert torch.allclose(rows[0], torch.tensor([0.5, 0.3], dtype=torch.float64), atol=2e-3)
    assert kept(columns.rows(rows), [[0.05, 2, 200.3]])


def bumpy(rows, versions=None):
    return torch.sin(25 * rows).sum(dim=1) + torch.cos(31 * rows[:, 0] * rows[:, 1]) + 2 * rows.sum(dim=1)


@pytest.mark.parametrize("iterations", [1, 3, 60])
def test_climbs_keep_the_limits_and_end_no_lower(iterations):
    given = [[1.0, 0.3, 2, 1.1], [-1, 2, 0.1, 0.7], [0.1, 0.1, 0.1, 0.17]]
    limits = square(3, *given)
    starts = limits.evenly(25, 0)
    for start in starts:
        row, value = limits.maximise(bumpy, start[None], [0, 1, 2], iterations=iterations)
        assert value.item() >= bumpy(start[None]).item() - 1e-12
        assert ((row >= 0) & (row <= 1)).all()
        assert kept(row, given)
        assert not torch.equal(row[0], start)


def test_more_iterations_end_higher():
    limits = square(2, [1, 1, 1.2])

    def valley(rows, versions=None):
        return -100 * (rows[:, 1] - rows[:, 0] ** 2) ** 2 - (0.8 - rows[:, 0]) ** 2

    start = torch.tensor([[0.1, 0.8]], dtype=torch.float64)
    heights = [limits.maximise(valley, start, [0, 1], iterations=count)[1].item() for count in (1, 4, 100)]
    assert heights[0] < heights[1] < heights[2]


def test_columns_that_are_not_free_stay_and_use_up_their_share():
    limits = square(3, [1, 1, 1, 1.2])
    starts = torch.tensor([[0.1, 0.6, 0.2], [0.3, 0.1, 0.1]], dtype=torch.float64)
    rows, values = limits.maximise(nearest([0.9, 0.0, 0.8]), starts, [0, 2], iterations=100)
    assert rows[:, 1].tolist() == [0.1, 0.6]  # ordered by value
    expected = torch.tensor([[0.6, 0.1, 0.5], [0.35, 0.6, 0.25]], dtype=torch.float64)
    assert torch.allclose(rows, expected, atol=2e-3)
    assert values[0] > values[1]
    assert kept(rows, [[1, 1, 1, 1.2]])


@pytest.mark.parametrize("factor", [torch.nan, 0], ids=["no value", "a value without a slope"])
def test_where_there_is_no_slope_the_start_stays(factor):
    def worth(rows, versions=None):
        return (rows - rows.detach()).sqrt().sum(dim=1) + factor

    start = torch.tensor([[0.2, 0.3]], dtype=torch.float64)
    rows, _ = square(2, [1, 1, 0.8]).maximise(worth, start, [0, 1], iterations=20)
    assert torch.equal(rows, start)


# --- whole searches ---------------------------------------------------------------------------------------------------


def watched(monkeypatch, problem):
    """The problem, and the rows that it is asked to evaluate."""
    seen, evaluate = [], problem.evaluate
    monkeypatch.setattr(problem, "evaluate", lambda rows, *rest: (seen.append(rows.clone()), evaluate(rows, *rest))[1])
    return problem, seen


def search(problem, limits, budget=16, **arguments):
    options = {**QUICK, "limits": limits, **arguments.pop("options", {})}
    return moo.pareto_search(problem, "bayesian", budget=budget, options=options, progress=False, **arguments)


def test_a_search_evaluates_no_row_that_is_not_allowed(monkeypatch):
    problem, seen = watched(monkeypatch, moo.get_problem("branin-currin"))
    result = search(problem, [[1, 1, 0.5]])
    rows = torch.cat(seen)
    assert len(rows) == 16
    assert kept(rows, [[1, 1, 0.5]])
    assert (rows.sum(dim=1) > 0.4).any()
    assert len(result.front) > 1


def test_a_search_of_whole_numbers_evaluates_no_row_that_is_not_allowed(monkeypatch):
    problem, seen = watched(monkeypatch, ToyVector(mixed=True))
    given = [[1, -1, 0.2, 0.3], [0, 0, 1, 3]]
    search(problem, given)
    rows = torch.cat(seen)
    assert len(rows) == 16
    assert kept(rows, given)
    assert set(rows[:, 2].tolist()) <= {0, 1, 2, 3}
    assert len(torch.unique(rows, dim=0)) == 16


def test_known_points_may_lie_outside_of_the_limits(monkeypatch):
    problem, seen = watched(monkeypatch, moo.get_problem("branin-currin"))
    known = torch.tensor([[0.9, 0.9], [0.1, 0.2], [0.6, 0.8], [0.12, 0.8]], dtype=torch.float64)
    objectives = problem.evaluate(known)
    seen.clear()
    search(problem, [[1, 1, 0.5]], budget=10, initial=(known, objectives))
    rows = torch.cat(seen)
    assert len(rows) == 10
    assert kept(rows, [[1, 1, 0.5]])


def test_rows_asked_for_are_allowed_and_apart():
    space = [real(0, 1), integer(0, 9), categorical("ab")]
    given = [[5, 1, 0, 6], [-5, -1, 0, -3]]
    optimizer = moo.optimizer(
        space,
        "bayesian",
        directions="min",
        num_objectives=2,
        reference_point=[3, 3],
        options={**QUICK, "limits": given},
    )
    for count in (8, 2, 2):
        asked = optimizer.ask(count)
        assert kept(asked.solutions, given)
        assert torch.pdist(asked.solutions).min() > 1e-6
        x, y, letter = (asked.solutions / torch.tensor([1, 9, 1])).T
        optimizer.tell(asked.extras["id"], torch.stack([x + letter, (1 - x) ** 2 + y], dim=1))
    assert torch.isfinite(asked.extras["gain"]).all()


def test_botorchs_acquisitions_take_no_limits():
    with pytest.raises(ValueError, match="Acquisition 'qlognehvi' takes no `limits`"):
        search("branin-currin", [[1, 1, 0.5]], options={"acquisition": "qlognehvi"})


def test_a_search_refuses_limits_of_another_space():
    with pytest.raises(ValueError, match=r"`limits` should have shape \[n, 3\]"):
        search("branin-currin", [[1, 1, 1, 0.5]])


def test_no_rows_are_allowed_at_once():
    assert square(2, [1, 1, 1]).allowed(torch.zeros(0, 2, dtype=torch.float64)).shape == (0,)


def test_a_column_of_one_level_may_stand_beside_limits():
    columns = Columns(Space((real(0, 1), integer(3, 3))))
    found = best_rows(
        lambda rows, versions=None: rows[:, 0],
        columns,
        torch.zeros(0, 2, dtype=torch.float64),
        torch.Generator().manual_seed(0),
        raw=32,
        restarts=2,
        iterations=20,
        limits=Limits(columns, [[1, 0, 0.5]]),
    )
    assert found[0].tolist() == pytest.approx([0.5, 0])


def test_climbs_slide_along_a_limit_that_they_begin_on():
    stream = torch.Generator().manual_seed(0)
    limits, goal = square(2, [1, 1, 0.8]), torch.tensor([0.7, 0.5], dtype=torch.float64)
    share = torch.rand(40, generator=stream, dtype=torch.float64)
    starts = 0.8 * torch.stack([share, 1 - share], dim=1)
    for start in starts[limits.allowed(starts)]:
        rows, _ = limits.maximise(
            lambda r, versions=None: -(r - goal).square().sum(dim=1), start[None], [0, 1], iterations=100
        )
        assert torch.allclose(rows[0], torch.tensor([0.5, 0.3], dtype=torch.float64), atol=2e-3)


@pytest.mark.parametrize("width", [0, 1e-6, 1e-3])
def test_first_rows_of_a_mixture_are_spread(width):
    points = square(6, [1] * 6 + [1 + width], [-1] * 6 + [-1]).evenly(40, 0)
    assert (points.std(dim=0) > 0.05).all()  # uniform: 0.14


def test_rows_without_a_value_stand_last():
    starts = torch.tensor([[0.1, 0.1], [0.7, 0.05]], dtype=torch.float64)
    _, values = square(2, [1, 1, 0.8]).maximise(
        lambda r, versions=None: torch.where(r[:, 0] < 0.6, -((r[:, 0] - 0.3) ** 2), torch.nan),
        starts,
        [0, 1],
        iterations=30,
    )
    assert torch.isfinite(values[0])


def test_no_limits_at_all_are_no_error():
    limits = Limits(Columns(Space.of([(0, 1)] * 2)), torch.zeros(0, 3))
    limits.maximise(lambda r, versions=None: r.sum(dim=1), torch.full((1, 2), 0.5).double(), [0, 1], iterations=5)


@pytest.mark.parametrize("first", [3, 8])
def test_a_small_space_is_used_up_within_the_limits(first):
    space = Space((integer(0, 3), integer(0, 2)))
    options = {"limits": [[1, 1, 2]], "initial_points": first, "raw_samples": 32, "restarts": 2, "noise": "none"}
    opt = moo.optimizer(space, "bayesian", directions="min", num_objectives=2, options=options)
    seen = []
    while len(rows := opt.ask(1)):
        seen.append(tuple(rows.solutions[0].tolist()))
        opt.tell(rows.extras["id"], torch.stack([rows.solutions[:, 0], 3 - rows.solutions.sum(dim=1)], dim=1))
    assert sorted(seen) == [(a, b) for a in range(4) for b in range(3) if a + b <= 2]
