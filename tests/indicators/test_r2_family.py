"""R2 over a set of preferences and over all of them against literal loops, closed forms and its named properties."""

import itertools
import math
from fractions import Fraction

import moocore
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.dominance import non_dominated
from moo.indicators import r2, r2_contributions, r2_exact, r2_family, r2_mogfn
from moo.preferences import das_dennis, dirichlet, sobol

moderate = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def cases(draw, rows=(1, 10), columns=(1, 6)):
    """Small integers up to 6 with an ideal point of 6 or 7, and preferences some of whose entries are 0."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(seeds))
    objectives = torch.from_numpy(rng.integers(0, 7, (n, m)).astype(float))
    preferences = rng.dirichlet(np.ones(m), draw(st.integers(1, 12))) * rng.integers(0, 2, m)
    preferences[:, rng.integers(m)] += 1e-3
    preferences /= preferences.sum(axis=1, keepdims=True)
    return objectives, torch.from_numpy(preferences), torch.from_numpy(rng.integers(6, 8, m).astype(float))


@st.composite
def shortfalls(draw, rows=(1, 8), columns=(1, 4)):
    """Small integers, with ties, duplicates, zeros and dominated rows."""
    n, m = draw(st.integers(*rows)), draw(st.integers(*columns))
    return torch.from_numpy(np.random.default_rng(draw(seeds)).integers(0, 6, (n, m)).astype(float))


def fronts(shape, seed=0):
    """Concave fronts, maximised, below an ideal point of ones."""
    rows = np.abs(np.random.default_rng(seed).standard_normal(shape))
    return torch.from_numpy(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def losses(score, objectives):
    """What a set loses with each row, by removing it."""
    rows = range(len(objectives))
    whole = score(objectives)
    return torch.tensor([score(objectives[[j for j in rows if j != i]]) - whole for i in rows], dtype=torch.float64)


def literal(objectives, preferences, ideal_point):
    """The definition, with loops over Python numbers."""
    if len(objectives) == 0:
        return math.inf
    ideal = ideal_point.tolist()
    least = [
        min(max(p * abs(z - f) for p, z, f in zip(preference, ideal, row, strict=True)) for row in objectives.tolist())
        for preference in preferences.tolist()
    ]
    return sum(least) / len(least)


def dense(m, divisions):
    """Centres of the equal cells into which so many divisions cut the simplex of two or three objectives."""
    cells = [das_dennis(m, divisions - 1) * (divisions - 1) + 1 / m]
    if m == 3:  # between the triangles that stand upright there are others, upside down
        cells.append(das_dennis(m, divisions - 2) * (divisions - 2) + 2 / 3)
    return torch.cat(cells) / divisions


# --- values ---------------------------------------------------------------------------------------------------------


@moderate
@given(cases())
def test_it_equals_literal_loops(case):
    assert r2(*case) == pytest.approx(literal(*case), rel=1e-12, abs=1e-15)


@moderate
@given(cases(), seeds)
def test_a_batch_with_masks_equals_literal_loops_set_by_set(case, seed):
    objectives, preferences, ideal = case
    rng = np.random.default_rng(seed)
    batch = torch.stack([objectives, *(ideal - torch.from_numpy(rng.integers(0, 5, (4, *objectives.shape))))])
    mask = torch.from_numpy(rng.random(batch.shape[:-1]) < rng.choice([0.2, 0.7]))
    found = r2(torch.where(mask[..., None], batch, math.nan), preferences, ideal, mask=mask)
    expected = [literal(rows[kept], preferences, ideal) for rows, kept in zip(batch, mask, strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-15)


def test_rows_that_do_not_count_give_no_nan_with_preferences_of_zero():
    objectives = torch.tensor([[-math.inf, 1.0], [1.0, 2.0], [0.5, 0.5]], dtype=torch.float64)
    corners = torch.eye(2, dtype=torch.float64)
    for preferences, expected in ((corners, 0.5), (corners[:1], 1.0), (corners[1:], 0.0)):
        assert r2(objectives, preferences, [2.0, 2.0]) == expected
        assert r2(objectives[:1], preferences, [2.0, 2.0]) == math.inf
        assert r2(objectives[:1][None], preferences, [2.0, 2.0]).tolist() == [math.inf]
        assert r2_contributions(objectives[:2], [2.0, 2.0], preferences=preferences).tolist() == [0.0, math.inf]


@pytest.mark.parametrize(
    ("objectives", "expected"),
    [
        ([[0.0, 0.0]], 0.0),
        ([[1.0, 1.0]], 3 / 4),
        ([[1.0, 0.0]], 1 / 2),
        ([[1.0, 0.0], [0.0, 1.0]], 1 / 4),
        ([[1.0, 1.0, 1.0]], 11 / 18),
        ([[0.0, 0.0, 0.0]], 0.0),
    ],
)
def test_the_limit_of_many_preferences(objectives, expected):
    m = len(objectives[0])
    preferences = dense(m, {2: 3000, 3: 200}[m])
    assert r2(objectives, preferences, [0.0] * m, directions="min") == pytest.approx(expected, abs=1e-5)
    assert r2(-torch.tensor(objectives), preferences, [0.0] * m) == pytest.approx(expected, abs=1e-5)


def test_the_limit_of_many_points_on_a_line():
    line = [[t / 2000, 1 - t / 2000] for t in range(2001)]
    assert r2(line, dense(2, 500), [0.0, 0.0], directions="min") == pytest.approx(1 / 6, abs=2e-4)


def test_a_perfect_set_scores_a_zero_without_sign():
    assert math.copysign(1.0, r2([[1.0, 1.0]], [[0.5, 0.5]], [1.0, 1.0])) == 1.0


def test_one_preference_may_be_one_row():
    assert r2([[1.0, 3.0], [2.0, 2.0]], [0.25, 0.75], [4.0, 4.0]) == 0.75
    assert r2([[1.0, 3.0], [2.0, 2.0]], [[1.0, 0.0]], [4.0, 4.0]) == 2.0


@pytest.mark.parametrize("block", [1, 100, 3000])
def test_how_the_work_is_cut_into_blocks_changes_nothing(monkeypatch, block):
    batch, preferences = fronts((6, 20, 3)), dirichlet(50, 3, torch.Generator().manual_seed(0))
    mask = torch.from_numpy(np.random.default_rng(1).random((6, 20)) < 0.7)

    def everything():
        yield r2(batch, preferences, [1.0] * 3, mask=mask)
        yield r2_contributions(batch, [1.0] * 3, preferences=preferences, mask=mask)
        yield r2_contributions(batch, [1.0] * 3, mask=mask)
        yield r2_mogfn(batch, mask=mask)

    expected = list(everything())
    monkeypatch.setattr(r2_family, "BLOCK_CPU", block)
    for found, right in zip(everything(), expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-12, atol=1e-14)


def test_large_sets_are_computed_in_blocks():
    rng = np.random.default_rng(0)
    objectives, preferences = (
        torch.from_numpy(rng.uniform(0, 1, (700, 3))),
        torch.from_numpy(rng.dirichlet([1] * 3, 900)),
    )
    shortfall = (preferences.numpy()[:, None] * (1 - objectives.numpy())).max(axis=2).min(axis=1)
    assert r2(objectives, preferences, [1, 1, 1]) == pytest.approx(shortfall.mean(), rel=1e-12)


# --- properties -----------------------------------------------------------------------------------------------------


@moderate
@given(cases(), seeds)
def test_dominated_points_change_nothing(case, seed):
    objectives, *context = case
    rng = np.random.default_rng(seed)
    chosen = objectives[rng.integers(len(objectives), size=3)]
    worse = chosen - torch.from_numpy(rng.integers(0, 3, chosen.shape))
    assert r2(torch.cat([worse, objectives]), *context) == r2(objectives, *context)


@moderate
@given(cases(), seeds)
def test_adding_a_point_never_worsens_it(case, seed):
    objectives, *context = case
    point = torch.from_numpy(np.random.default_rng(seed).uniform(0, 6, (1, objectives.shape[1])))
    assert r2(torch.cat([objectives, point]), *context) <= r2(objectives, *context) + 1e-12


@moderate
@given(cases(), seeds)
def test_a_better_set_never_scores_worse(case, seed):
    objectives, preferences, ideal = case
    share = torch.from_numpy(np.random.default_rng(seed).uniform(0, 1, objectives.shape))
    assert r2(objectives + share * (ideal - objectives).floor(), preferences, ideal) <= r2(*case) + 1e-12


def test_a_better_set_can_score_the_same():
    """Only weakly Pareto-compliant: with these preferences nobody gains by the better point."""
    assert r2([[1.0, 1.0]], [[1.0, 0.0]], [2.0, 2.0]) == r2([[1.0, 0.0]], [[1.0, 0.0]], [2.0, 2.0])


@moderate
@given(cases(), seeds)
def test_permuting_preferences_changes_nothing(case, seed):
    objectives, preferences, ideal = case
    order = np.random.default_rng(seed).permutation(len(preferences))
    assert r2(objectives, preferences[order], ideal) == pytest.approx(r2(*case), rel=1e-12)


@moderate
@given(cases(), seeds)
def test_moving_and_stretching_the_space(case, seed):
    objectives, preferences, ideal = case
    rng = np.random.default_rng(seed)
    # Powers of 2 and whole steps: exact, so that no rounding lifts a row above the ideal point.
    shift, factor = torch.from_numpy(rng.integers(-5, 5, len(ideal))), 2.0 ** rng.integers(-3, 4)
    found = r2(objectives * factor + shift, preferences, ideal * factor + shift)
    assert found == pytest.approx(r2(*case) * factor, rel=1e-12)


# --- all preferences ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([[0.0, 0.0]], 0.0),
        ([[0.0, 0.0], [1.0, 0.0]], 0.0),
        ([[2.5]], 2.5),
        ([[2.5], [1.5]], 1.5),
        ([[1.0, 1.0]], 3 / 4),
        ([[1.0, 0.0]], 1 / 2),
        ([[1.0, 0.0], [0.0, 1.0]], 1 / 4),
        ([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], 1 / 4),
        ([[0.0] * 3], 0.0),
        ([[1.0] * 3], 11 / 18),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 1 / 9),
        ([[0.0] * 4], 0.0),
        ([[1.0] * 4], 25 / 48),
    ],
)
def test_closed_values(found, expected):
    shortfall, ideal = torch.tensor(found, dtype=torch.float64), [0.0] * len(found[0])
    for value in (
        r2_exact(shortfall, ideal, directions="min"),
        r2_exact(-shortfall, ideal),
        r2_exact(-shortfall[None], ideal)[0],
        r2_exact(3 - shortfall, [3.0] * len(ideal)),
    ):
        assert float(value) == pytest.approx(expected, rel=1e-14, abs=0)


def test_a_dense_line_tends_to_a_sixth():
    first = torch.linspace(0, 1, 20001, dtype=torch.float64)
    line = torch.stack([first, 1 - first], dim=1)
    assert r2_exact(line, [1.0, 1.0]) == pytest.approx(1 / 6, rel=1e-4)
    assert r2_exact(line[None], [1.0, 1.0]).item() == pytest.approx(1 / 6, rel=1e-4)


@pytest.mark.parametrize(
    ("preferences", "tolerance"), [(dense(2, 3000), 1e-6), (dense(3, 150), 2e-5), (sobol(4, 2**15), 2e-4)]
)
def test_it_is_the_limit_of_many_preferences(preferences, tolerance):
    m = preferences.shape[1]
    for seed in range(3):
        objectives = torch.cat([fronts((15, m), seed), 0.9 * fronts((5, m), seed + 9)])
        assert r2_exact(objectives, [1.0] * m) == pytest.approx(r2(objectives, preferences, [1.0] * m), rel=tolerance)


@moderate
@given(shortfalls(), seeds)
def test_masked_rows_are_as_removed(rows, seed):
    rng = np.random.default_rng(seed)
    ideal = [0.0] * rows.shape[1]
    batch = torch.stack([rows, rows.flip(0)])
    mask = torch.from_numpy(rng.random(batch.shape[:-1]) < 0.5)
    alone = [r2_exact(one[kept], ideal, directions="min") for one, kept in zip(batch, mask, strict=True)]
    assert r2_exact(batch, ideal, directions="min", mask=mask).tolist() == pytest.approx(alone, rel=1e-14, abs=0)
    for one, kept, value in zip(batch, mask, alone, strict=True):
        assert r2_exact(one, ideal, directions="min", mask=kept) == pytest.approx(value, rel=1e-14, abs=0)


@moderate
@given(shortfalls())
def test_one_set_a_batch_and_a_gradient_give_the_same(rows):
    ideal = [0.0] * rows.shape[1]
    alone = r2_exact(rows, ideal, directions="min")
    assert type(alone) is float
    together = r2_exact(torch.stack([rows, rows.flip(0)]), ideal, directions="min")
    flowing = r2_exact(rows.clone().requires_grad_(), ideal, directions="min")
    for other in (*together.tolist(), flowing.item()):
        assert other == pytest.approx(alone, rel=1e-14, abs=0)


@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_a_batch_of_two_objectives_agrees_with_moocore(n):
    batch = torch.cat([fronts((20, n, 2)), torch.from_numpy(np.random.default_rng(n).random((20, n, 2)))])
    expected = [moocore.r2_exact(rows, ref=[1, 1], maximise=True) for rows in batch.numpy()]
    np.testing.assert_allclose(r2_exact(batch, [1.0, 1.0]).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose([r2_exact(rows, [1.0, 1.0]) for rows in batch], expected, rtol=1e-12)


@moderate
@given(shortfalls(), seeds)
def test_a_better_set_scores_better(rows, seed):
    """Strict Pareto compliance: a row of the front improves, and nothing else changes."""
    rng = np.random.default_rng(seed)
    front = np.flatnonzero(non_dominated(-rows).numpy() & (rows.amax(dim=1) > 0).numpy())
    if len(front) == 0:  # the ideal point itself
        return
    better = rows.clone()
    row = rng.choice(front)
    column = rng.choice(np.flatnonzero(rows[row].numpy()))
    better[row, column] -= rng.choice([0.25, 1.0])
    ideal = [0.0] * rows.shape[1]
    context = {"directions": "min"}
    assert r2_exact(torch.cat([rows, better]), ideal, **context) == pytest.approx(r2_exact(better, ideal, **context))
    assert r2_exact(better[None], ideal, **context) < r2_exact(rows[None], ideal, **context) * (1 - 1e-9)
    assert r2_exact(better, ideal, **context) < r2_exact(rows, ideal, **context) * (1 - 1e-9)


@moderate
@given(shortfalls(), st.floats(1e-6, 1e6), seeds)
def test_stretching_shortfalls_stretches_it_and_the_order_of_objectives_does_not_matter(rows, factor, seed):
    ideal, order = [0.0] * rows.shape[1], np.random.default_rng(seed).permutation(rows.shape[1])
    found = r2_exact(rows, ideal, directions="min")
    for batch in (rows, rows[None]):
        assert float(r2_exact(factor * batch, ideal, directions="min")) == pytest.approx(factor * found, rel=1e-12)
        assert float(r2_exact(batch[..., order], ideal, directions="min")) == pytest.approx(found, rel=1e-12)


@moderate
@given(shortfalls(), seeds)
def test_dominated_rows_change_nothing_of_the_exact_value(rows, seed):
    rng = np.random.default_rng(seed)
    chosen = rows[rng.integers(len(rows), size=3)]
    longer = torch.cat([chosen + torch.from_numpy(rng.integers(0, 3, chosen.shape)), rows])
    ideal = [0.0] * rows.shape[1]
    for found, right in ((longer, rows), (longer[None], rows[None])):
        assert float(r2_exact(found, ideal, directions="min")) == pytest.approx(
            float(r2_exact(right, ideal, directions="min")), rel=1e-14
        )


@pytest.mark.parametrize("m", [5, 6])
def test_more_than_four_objectives_are_an_error(m):
    objectives = fronts((4, m))
    for function in (r2_exact, r2_contributions):
        for given_ in (objectives, objectives[:0], objectives[None]):
            with pytest.raises(ValueError, match=rf"R2 over all .* up to 4 objectives. Found {m}: use `r2` with many"):
                function(given_, [1.0] * m)
    assert r2_contributions(objectives, [1.0] * m, preferences=das_dennis(m, 3)).shape == (4,)


# --- contributions --------------------------------------------------------------------------------------------------


@moderate
@given(shortfalls())
def test_exact_contributions_equal_removal(rows):
    ideal = [0.0] * rows.shape[1]
    found = r2_contributions(rows, ideal, directions="min")
    expected = losses(lambda some: r2_exact(some, ideal, directions="min"), rows)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@moderate
@given(cases())
def test_contributions_by_preferences_equal_removal(case):
    objectives, preferences, ideal = case
    found = r2_contributions(objectives, ideal, preferences=preferences)
    expected = losses(lambda some: literal(some, preferences, ideal), objectives)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@moderate
@given(shortfalls(rows=(0, 8)), seeds)
def test_contributions_of_a_batch_with_masks_are_those_of_its_sets(rows, seed):
    rng = np.random.default_rng(seed)
    n, m = rows.shape
    batch = torch.stack([rows, *torch.from_numpy(rng.integers(0, 4, (4, n, m)).astype(float))])
    mask = torch.from_numpy(rng.random((5, n)) < rng.choice([0.2, 0.8]))
    for context in ({}, {"preferences": dirichlet(7, m, torch.Generator().manual_seed(seed))}):
        found = r2_contributions(batch, [0.0] * m, directions="min", mask=mask, **context)
        assert found.shape == (5, n)
        for one, some, kept in zip(found, batch, mask, strict=True):
            assert (one[~kept] == 0).all()
            right = r2_contributions(some[kept], [0.0] * m, directions="min", **context)
            torch.testing.assert_close(one[kept], right, rtol=1e-12, atol=1e-14)


@moderate
@given(shortfalls(rows=(2, 9)), st.booleans())
def test_dominated_rows_and_duplicates_contribute_exactly_nothing(rows, exact):
    rows, ideal = rows / 7, [0.0] * rows.shape[1]  # numbers that are rounded
    preferences = None if exact else dirichlet(9, rows.shape[1], torch.Generator().manual_seed(0))
    found = r2_contributions(rows, ideal, preferences=preferences, directions="min")
    covered = [
        any(all(a <= b for a, b in zip(other, row, strict=True)) for j, other in enumerate(rows.tolist()) if j != i)
        for i, row in enumerate(rows.tolist())
    ]
    assert (found >= 0).all()
    assert (found[torch.tensor(covered)] == 0).all()
    if exact:  # and every other row adds something
        assert (found[~torch.tensor(covered)] > 0).all()


@pytest.mark.parametrize("m", [2, 3, 4])
def test_rounding_gives_duplicates_no_share_and_their_like_none_below_zero(m):
    for seed in range(20):
        rows = fronts((11, m), seed)
        rows = torch.cat([rows, rows[:2]])
        found = r2_contributions(rows, [1.0] * m)
        assert (found >= 0).all()
        assert (found[[0, 1, -2, -1]] == 0).all()
        near = torch.cat([rows[:-2], rows[:2] + 1e-16 * torch.tensor([(-1.0) ** i for i in range(m)])])
        assert (r2_contributions(near, [1.0] * m) >= 0).all()


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_the_only_row_contributes_infinitely_much(m):
    row = torch.full((1, m), 0.5)
    for context in ({}, {"preferences": torch.eye(m)}):
        assert r2_contributions(row, [1.0] * m, **context).tolist() == [math.inf]
        assert r2_contributions(torch.ones(1, m), [1.0] * m, **context).tolist() == [math.inf]  # the ideal point itself
        assert r2_contributions(row.expand(2, m), [1.0] * m, **context).tolist() == [0.0, 0.0]
        batch = torch.cat([row, row - 0.25]).expand(2, 2, m)
        mask = torch.tensor([[True, False], [False, True]])
        found = r2_contributions(batch, [1.0] * m, mask=mask, **context)
        assert found.tolist() == [[math.inf, 0.0], [0.0, math.inf]]
        assert r2_contributions(batch, [1.0] * m, mask=~mask & mask, **context).tolist() == [[0.0, 0.0]] * 2
        assert r2_contributions(torch.empty(0, m), [1.0] * m, **context).shape == (0,)
        assert r2_contributions(torch.empty(3, 0, m), [1.0] * m, **context).shape == (3, 0)
        assert r2_contributions(torch.empty(0, 3, m), [1.0] * m, **context).shape == (0, 3)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_ideal_point_contributes_what_the_others_lack(m):
    others = fronts((6, m))
    found = r2_contributions(torch.cat([torch.ones(1, m), others]), [1.0] * m)
    assert found.tolist() == [pytest.approx(r2_exact(others, [1.0] * m), rel=1e-14), *[0.0] * 6]
    tiny = torch.cat([torch.full((1, m), 1e-60), 1 - others])  # shortfalls of any size
    found = r2_contributions(tiny, [0.0] * m, directions="min")
    assert found.tolist() == [pytest.approx(r2_exact(others, [1.0] * m), rel=1e-14), *[0.0] * 6]


def test_the_sign_of_a_zero_does_not_matter():
    for a, b in itertools.product([0.0, -0.0], repeat=2):
        for c in (0.0, -0.0):
            objectives = [[a, b], [1.0, 2.0], [c, 3.0]]
            assert r2_contributions(objectives, [0.0, 0.0], directions="min").tolist() == pytest.approx(
                [r2_exact(objectives[1:], [0.0, 0.0], directions="min"), 0.0, 0.0]
            )
            assert r2_exact(objectives, [0.0, 0.0], directions="min") == 0.0
            assert r2_exact(objectives[1:], [0.0, 0.0], directions="min") == pytest.approx(25 / 24)


def rational_r2(rows):
    """R2 of two objectives in fractions: strips between the sides of boxes, each `1 / shortfall`."""
    boxes = sorted(((1 / a, 1 / b) for a, b in rows), reverse=True)
    total, highest = 1 / boxes[0][0], Fraction(0)
    for (x, y), (low, _) in itertools.pairwise([*boxes, (Fraction(0), None)]):
        highest = max(highest, y)
        total += 1 / (low + highest) - 1 / (x + highest)
    return total / 2


def test_small_contributions_of_two_objectives_lose_no_digits():
    angles = np.pi / 4 + np.arange(30) * 1e-5  # neighbours as near as in a front of 100 000 rows
    rows = torch.from_numpy(1 - np.stack([np.cos(angles), np.sin(angles)], axis=1))
    exact = [tuple(map(Fraction, row)) for row in rows.tolist()]
    whole = rational_r2(exact)
    found = r2_contributions(rows, [0.0, 0.0], directions="min").tolist()
    for i, value in enumerate(found):
        right = rational_r2(exact[:i] + exact[i + 1 :]) - whole
        assert abs(Fraction(value) / right - 1) < 1e-13


@pytest.mark.parametrize(("n", "m"), [(300, 2), (60, 3), (20, 4)])
def test_contributions_of_larger_fronts_equal_removal(n, m):
    objectives = torch.cat([fronts((n, m)), 0.95 * fronts((n // 4, m), 1)])
    found = r2_contributions(objectives, [1.0] * m)
    expected = losses(lambda some: r2_exact(some, [1.0] * m), objectives)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-15)


def test_contributions_are_the_sum_of_what_the_second_best_lacks():
    # by preference (1, 0) the rows offer 0, 1 and 2, by (0, 1) they offer 2, 1 and 0, by the mean 1, 1/2 and 1
    objectives, preferences = [[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
    found = r2_contributions(objectives, [2.0, 2.0], preferences=preferences)
    assert found.tolist() == pytest.approx([1 / 3, 1 / 6, 1 / 3], rel=1e-15)


# --- gradients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(5,), (3, 4)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("words", ["max", "min"])
def test_gradients_equal_finite_differences(m, shape, masked, words):
    rng = np.random.default_rng(m)
    shortfall = torch.from_numpy(rng.uniform(0.2, 1.0, (*shape, m)))  # generic: no ties, where there is no gradient
    objectives = (shortfall if words == "min" else -shortfall).requires_grad_()
    mask = torch.from_numpy(rng.random(shape) < 0.7) if masked else None
    if masked:
        mask[..., 0] = True
    preferences = dirichlet(20, m, torch.Generator().manual_seed(0))
    context = {"directions": words, "mask": mask}
    assert torch.autograd.gradcheck(lambda x: r2(x, preferences, [0.0] * m, **context), objectives)
    assert torch.autograd.gradcheck(lambda x: r2_exact(x, [0.0] * m, **context), objectives)
    if words == "max":
        assert torch.autograd.gradcheck(lambda x: r2_mogfn(x, bins=5, **context), objectives)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_an_empty_set_and_rows_that_do_not_count_spoil_no_gradient(m):
    objectives = fronts((3, 4, m)).clone()
    objectives[0, 1, 0], objectives[2] = -math.inf, math.nan
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[1], mask[1:, 3], mask[2] = False, True, False
    corners = torch.eye(m, dtype=torch.float64)
    for score in (
        lambda x, **o: r2(x, corners, [1.0] * m, **o),
        lambda x, **o: r2_exact(x, [1.0] * m, **o),
        lambda x, **o: r2_mogfn(x, bins=3, **o),
    ):
        batch = objectives.clone().requires_grad_()
        found = score(batch, mask=mask)
        assert found[2] == math.inf
        found.sum().backward()
        assert batch.grad.isfinite().all()
        assert (batch.grad[~mask] == 0).all()
        alone = objectives[1, 3:].clone().requires_grad_()
        score(alone).backward()
        torch.testing.assert_close(batch.grad[1, 3:], alone.grad)


# --- the R2 of papers on GFlowNets ----------------------------------------------------------------------------------


def published_r2(solutions, bins):
    """The published formula, as its code computes it: all points of a grid that sum to 1 are the preferences."""
    grid = itertools.product(*[np.linspace(0.0, 1.0, bins)] * len(solutions[0]))
    weights = [np.array(point) for point in grid if np.allclose(sum(point), 1.0)]
    smallest = [min(np.max(w * np.abs(1.0 - np.array(y))) for y in solutions) for w in weights]
    return sum(smallest) / np.linalg.norm(weights)


@pytest.mark.parametrize(("m", "bins"), [(1, 4), (2, 2), (2, 10), (2, 101), (3, 10), (4, 6)])
def test_r2_mogfn_equals_the_published_formula(m, bins):
    rng = np.random.default_rng(m)
    batch = torch.from_numpy(rng.random((3, 8, m)))
    batch[:, :2] = batch[:, :2].round()
    batch[0, 3] += 0.5  # better than 1 is punished like worse
    expected = [published_r2(rows, bins) for rows in batch.tolist()]
    assert r2_mogfn(batch, bins=bins).tolist() == pytest.approx(expected, rel=1e-12)
    assert [r2_mogfn(rows, bins=bins) for rows in batch] == pytest.approx(expected, rel=1e-12)
    assert r2_mogfn(batch[0], bins=bins, directions="min") == pytest.approx(expected[0], rel=1e-12)
    mask = torch.from_numpy(rng.random((3, 8)) < 0.5)
    mask[2] = False
    expected = [published_r2(batch[i, mask[i]].tolist(), bins) for i in range(2)]
    assert r2_mogfn(batch, bins=bins, mask=mask).tolist() == pytest.approx([*expected, math.inf], rel=1e-12)


def test_r2_mogfn_by_hand():
    # preferences (0, 1), (1/2, 1/2) and (1, 0) of norm sqrt(5/2); they see 3/4, 3/8 and 1/2
    assert r2_mogfn([[0.5, 0.25]], bins=3) == pytest.approx(1.625 / math.sqrt(2.5), rel=1e-15)
    # the second row is better for (0, 1), where it lacks 1/2
    assert r2_mogfn([[0.5, 0.25], [0.0, 0.5]], bins=3) == pytest.approx(1.375 / math.sqrt(2.5), rel=1e-15)
    assert r2_mogfn([[1.0, 1.0]]) == 0.0
    assert r2_mogfn(torch.empty(0, 2)) == math.inf


@pytest.mark.parametrize("bins", [1, 0, -3])
def test_r2_mogfn_needs_two_bins(bins):
    with pytest.raises(ValueError, match="`bins` should be at least 2"):
        r2_mogfn([[0.5, 0.5]], bins=bins)


# --- input ----------------------------------------------------------------------------------------------------------


def test_a_point_that_is_better_than_the_ideal_point_is_named():
    preferences = das_dennis(2, 4)
    message = r"`ideal_point` should be at least as good .* Row 1 is better in objective 0: 2.5 against 2.0. Check `dir"
    with pytest.raises(ValueError, match=message):
        r2([[1.0, 1.0], [2.5, 0.0], [3.0, 3.0]], preferences, [2.0, 2.0])
    message = r"Row 0 is better in objective 1: -1.0 against 0.0. .* the best value of each objective over all the sets"
    with pytest.raises(ValueError, match=message):
        r2(
            [[2.0, -1.0]], preferences, [0.0, 0.0], directions="min"
        )  # the values as they were given, not as they are turned


@pytest.mark.parametrize(
    "function",
    [lambda x, z, **o: r2(x, das_dennis(2, 3), z, **o), r2_exact, r2_contributions],
    ids=["r2", "r2_exact", "r2_contributions"],
)
def test_the_row_and_set_that_are_better_are_named_in_the_directions_of_the_caller(function):
    def message(row, column, found, best):
        return rf"{row} is better in objective {column}: {found} against {best}. Check"

    mixed = {"directions": ["min", "max"]}
    with pytest.raises(ValueError, match=message("Row 1", 0, "-0.5", "0.0")):
        function([[1.0, 1.0], [-0.5, 1.0]], [0.0, 2.0], **mixed)
    with pytest.raises(ValueError, match=message("Row 0", 1, "2.5", "2.0")):
        function([[1.0, 2.5], [-0.5, 1.0]], [0.0, 2.0], **mixed)
    batch = np.full((2, 3, 4, 2), 1.0)
    batch[1, 2, 3, 0] = batch[1, 2, 3, 1] = -1.0
    with pytest.raises(ValueError, match=message(r"Row 3 of set \[1, 2\]", 0, "-1.0", "0.5")):
        function(batch, [0.5, 2.0], **mixed)
    with pytest.raises(ValueError, match=message("Row 3 of set 2", 0, "-1.0", "0.5")):
        function(batch[1], [0.5, 2.0], **mixed)
    mask = np.ones((3, 4), dtype=bool)
    mask[2, 3] = False
    function(batch[1], [0.5, 2.0], mask=mask, **mixed)  # what does not count may be anything
    mask[0], mask[1, :2] = False, False
    batch[1, 1, :3, 1] = 9.0
    with pytest.raises(ValueError, match=message("Row 2 of set 1", 1, "9.0", "2.0")):
        function(batch[1], [0.5, 2.0], mask=mask, **mixed)
    function([[math.inf, 9.0], [1.0, 1.0]], [0.5, 2.0], **mixed)  # nor what is infinitely bad
    with pytest.raises(ValueError, match="Row 0 is better in objective 1"):  # by the least that can be
        function([[1.0, math.nextafter(2.0, 3.0)]], [0.5, 2.0], **mixed)
    function([[0.5, 2.0]], [0.5, 2.0], **mixed)


def test_mistaken_directions_are_no_perfect_score():
    minimised = dirichlet(20, 2, torch.Generator().manual_seed(0))
    assert r2(minimised, das_dennis(2, 4), [0.0, 0.0], directions="min") > 0
    with pytest.raises(ValueError, match="Row 0 is better in objective 0"):
        r2(minimised, das_dennis(2, 4), [0.0, 0.0])


def test_an_ideal_point_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match=r"`ideal_point` should be a list of 2 numbers. Found shape \[3\]"):
        r2([[1.0, 1.0]], [[0.5, 0.5]], [2.0, 2.0, 2.0])
    with pytest.raises(ValueError, match=r"`ideal_point` should be finite. Found \[2.0, inf\]"):
        r2([[1.0, 1.0]], [[0.5, 0.5]], [2.0, math.inf])
    with pytest.raises(TypeError, match="`ideal_point` should be a list of 2 numbers"):
        r2([[1.0, 1.0]], [[0.5, 0.5]], ["a", "b"])


def test_preferences_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match=r"`preferences` should have shape \[k, 2\] with k >= 1.* Found \[1, 3\]"):
        r2([[1.0, 1.0]], [[0.2, 0.3, 0.5]], [2.0, 2.0])
    with pytest.raises(ValueError, match=r"`preferences` should have shape \[k, 2\] with k >= 1.* Found \[0, 2\]"):
        r2([[1.0, 1.0]], torch.empty(0, 2), [2.0, 2.0])
    with pytest.raises(ValueError, match=r"Row 1 is .* Divide the row by its sum"):
        r2([[1.0, 1.0]], [[0.5, 0.5], [1.0, 1.0]], [2.0, 2.0])
