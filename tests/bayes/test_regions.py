"""The box that a trust region is, by hand."""

import itertools

import pytest
import torch
from inputs import ToyVector

import moo
from moo.bayes.columns import Columns
from moo.bayes.maximise import best_rows
from moo.bayes.regions import FIRST, LONGEST, MOVED, SHORTEST, SUCCESSES, Region, TrustRegion, standing
from moo.indicators.volume import hypervolume
from moo.space import Space, categorical, real


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def box(centre, side):
    region = TrustRegion(len(centre))
    region.side = side
    return region.around(torch.tensor(centre, dtype=torch.float64))


def test_three_successes_in_a_row_double_the_sides_up_to_a_limit():
    region, reached = TrustRegion(4), itertools.count(1)
    sides = []
    for told in range(12):
        region.update(told, float(next(reached)))
        sides.append(region.side)
    assert SUCCESSES == 3
    assert sides == [FIRST] * 3 + [2 * FIRST] * 9
    assert 2 * FIRST == LONGEST


@pytest.mark.parametrize(("dim", "patience"), [(4, 5), (20, 5), (40, 10)])
def test_so_many_failures_halve_the_sides(dim, patience):
    region = TrustRegion(dim)
    for told in range(2 * patience + 1):
        region.update(told, 1.0)
        assert region.side == FIRST / 2 ** (told // patience)


def test_a_success_forgives_failures():
    region = TrustRegion(4)
    for told, reached in enumerate([1.0, 1.0, 1.0, 1.0, 1.0, 1.5, 1.5, 1.5, 1.5, 1.5]):
        region.update(told, reached)
    assert region.side == FIRST


def test_progress_below_a_thousandth_is_failure():
    region = TrustRegion(4)
    for told in range(6):
        region.update(told, 1 + 5e-4 * told)
    assert region.side == FIRST / 2


def test_a_region_that_has_become_too_small_begins_anew():
    region = TrustRegion(4)
    sides = []
    for told in range(40):
        region.update(told, 1.0)
        sides.append(region.side)
    assert min(sides) >= SHORTEST
    assert sides[-1] > min(sides)


def test_nothing_is_held_against_it_while_nothing_new_is_told():
    region = TrustRegion(4)
    for _ in range(50):
        region.update(10, 1.0)
    assert region.side == FIRST


def test_a_stored_region_goes_on():
    first, second = TrustRegion(4), TrustRegion(4)
    for told in range(4):
        first.update(told, 1.0)
    second.load_state_dict(first.state_dict())
    for told in range(4, 7):
        first.update(told, 1.0)
        second.update(told, 1.0)
    assert first.state_dict() == second.state_dict()
    assert first.side == FIRST / 2


def test_the_box_lies_around_its_centre_and_inside_the_cube():
    region = box([0.5, 0.05, 1.0], 0.4)
    assert torch.allclose(region.lower, torch.tensor([0.3, 0.0, 0.8], dtype=torch.float64))
    assert torch.allclose(region.upper, torch.tensor([0.7, 0.25, 1.0], dtype=torch.float64))


def test_points_stay_in_the_box_and_move_about_twenty_columns():
    region, columns = box([0.5] * 80, 0.2), Columns(Space([real(0, 1)] * 80))
    points = region.points(columns, 512, stream())
    assert ((points >= region.lower) & (points <= region.upper)).all()
    assert (points != 0.5).sum(dim=1).double().mean() == pytest.approx(MOVED, abs=1)
    few = box([0.5] * 8, 0.2).points(Columns(Space([real(0, 1)] * 8)), 64, stream())
    assert (few != 0.5).all()


def test_discrete_columns_keep_the_centres_value_mostly():
    columns = Columns(Space([real(0, 1), categorical(["a", "b", "c"]), categorical(["d", "e", "f"])]))
    points = columns.snapped(box([0.5, 0.5, 1.0], 0.2).points(columns, 600, stream()))
    kept = (points[:, 1:] == torch.tensor([0.5, 1.0], dtype=torch.float64)).double().mean(dim=0)
    assert ((kept > 0.5) & (kept < 0.9)).all()  # half are drawn anew, a third of these to the same


def test_the_centre_is_the_row_that_adds_most():
    front = torch.tensor([[0.0, 4.0], [1.0, 3.9], [3.0, 3.0], [4.0, 0.0]], dtype=torch.float64)
    point = torch.tensor([-1.0, -1.0], dtype=torch.float64)
    reached, centre = standing(front, point, torch.ones(2, dtype=torch.float64))
    whole = float(hypervolume(front, point, directions="max"))
    lost = [
        whole - float(hypervolume(front[[i for i in range(4) if i != j]], point, directions="max")) for j in range(4)
    ]
    assert reached == pytest.approx(whole)
    assert centre == lost.index(max(lost))


def test_before_the_reference_point_is_passed_the_row_that_lacks_least_is_the_centre():
    front = torch.tensor([[-3.0, 0.5], [-1.0, -30.0], [0.1, -90.0]], dtype=torch.float64)
    zero, size = torch.zeros(2, dtype=torch.float64), torch.tensor([1.0, 100.0], dtype=torch.float64)
    reached, centre = standing(front, zero, size)
    assert centre == 2  # lacks 3, 1 and .9 sizes
    assert reached == pytest.approx(-0.9)
    assert standing(torch.ones(1, 2, dtype=torch.float64), zero, size)[0] > reached


def test_the_search_stays_in_the_region():
    centre = torch.full((3,), 0.3, dtype=torch.float64)
    region = Region(centre, centre - 0.1, centre + 0.1)

    def worth(rows, versions=None):
        return rows.sum(dim=1)

    columns, options = Columns(Space([real(0, 1)] * 3)), {"raw": 64, "restarts": 2, "iterations": 30}
    inside = best_rows(worth, columns, centre[None], stream(), region=region, **options)
    assert torch.allclose(inside[0], region.upper)
    assert ((inside >= region.lower) & (inside <= region.upper)).all()
    assert torch.allclose(best_rows(worth, columns, centre[None], stream(), **options)[0], torch.ones(3).double())


QUICK = {"raw_samples": 64, "restarts": 2, "initial_points": 6, "trust_region": True}


def test_every_other_proposal_is_near_the_best_rows():
    opt = moo.optimizer(ToyVector(), "bayesian", options=QUICK, reference_point=[4, 4])
    for _ in range(12):
        asked = opt.ask(1)
        opt.tell(asked.extras["id"], ToyVector().evaluate(asked.solutions))
    state = opt.state_dict()
    again = moo.optimizer(ToyVector(), "bayesian", options=QUICK, reference_point=[4, 4])
    again.load_state_dict(state)
    one, other = opt.ask(1), again.ask(1)
    assert torch.equal(one.solutions, other.solutions)
    plain = moo.optimizer(ToyVector(), "bayesian", options={**QUICK, "trust_region": False}, reference_point=[4, 4])
    rows = [plain.ask(1) for _ in range(6)]
    for row in rows:
        plain.tell(row.extras["id"], ToyVector().evaluate(row.solutions))
    same = moo.optimizer(ToyVector(), "bayesian", options=QUICK, reference_point=[4, 4])
    for row in [same.ask(1) for _ in range(6)]:
        same.tell(row.extras["id"], ToyVector().evaluate(row.solutions))
    found = [opt.ask(1) for opt in (plain, same)]
    assert torch.equal(found[0].solutions, found[1].solutions)  # the sixth is searched everywhere
    for opt, row in zip((plain, same), found, strict=True):
        opt.tell(row.extras["id"], ToyVector().evaluate(row.solutions))
    assert not torch.equal(plain.ask(1).solutions, same.ask(1).solutions)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": [[1, 1, 1, 1]]}, "`trust_region` takes no `limits`. Leave one of the two out."),
        ({"acquisition": "qlogehvi"}, "Acquisition 'qlogehvi' takes no `trust_region`. Leave it at 'auto'."),
    ],
)
def test_what_does_not_go_together_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        moo.optimizer([(0, 1)] * 3, "bayesian", directions=["min", "min"], options={**QUICK, **options})
