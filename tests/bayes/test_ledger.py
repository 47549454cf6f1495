"""What was told and asked for, by hand."""

import pytest
import torch
from inputs import ToyVector

from moo.base import Candidates
from moo.bayes.columns import Columns
from moo.bayes.ledger import ALIKE, AT_ONCE, Ledger
from moo.metered import metered
from moo.space import Space, integer, real


class Whole(ToyVector):
    """The toy on a space of few rows."""

    def __init__(self, *columns):
        super().__init__()
        self.space = Space(columns)


def opened(first=4, initial=None, problem=None, **options):
    problem = metered(problem or ToyVector(), 100, 0)
    return Ledger(problem, Columns(problem.space), seed=3, first=first, initial=initial, **options)


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)


def told(solutions, ids=None, failed=None):
    extras = {} if ids is None else {"id": torch.tensor(ids)}
    if failed is not None:
        extras["failed"] = torch.tensor(failed)
    return Candidates.of(solutions, torch.zeros(len(solutions), 2, dtype=torch.float64), **extras)


def test_rows_get_ids_one_after_the_other_and_wait_until_they_are_told():
    ledger = opened()
    asked = [ledger.ask(row, gain=0.5) for row in rows([0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9])]
    assert [part.extras["id"].item() for part in asked] == [0, 1, 2]
    assert asked[1].extras["gain"].item() == 0.5
    assert torch.isnan(asked[1].objectives).all()
    ledger.tell(told(asked[1].solutions, [1]))
    assert torch.equal(ledger.waiting, rows([0.1, 0.2, 0.3], [0.7, 0.8, 0.9]))
    assert torch.equal(ledger.tried, rows([0.4, 0.5, 0.6], [0.1, 0.2, 0.3], [0.7, 0.8, 0.9]))


def test_the_order_in_which_rows_are_told_does_not_show():
    one, other = opened(), opened()
    for ledger, order in ((one, [0, 1, 2]), (other, [2, 0, 1])):
        asked = [ledger.ask(row) for row in ledger.even_rows(3)]
        for i in order:
            ledger.tell(told(asked[i].solutions, [i]))
    assert torch.equal(one.ordered.solutions, other.ordered.solutions)
    assert not torch.equal(one.known.solutions, other.known.solutions)


@pytest.mark.parametrize(("first", "known", "left"), [(4, 0, 4), (4, 3, 1), (4, 9, 0)])
def test_rows_known_beforehand_count_as_first_ones(first, known, left):
    ledger = opened(first, told(torch.rand(known, 3, dtype=torch.float64)) if known else None)
    assert ledger.first == left
    assert ledger.beginning == (left > 0)


def test_a_step_asks_for_some_of_the_first_rows_and_then_for_a_batch():
    ledger = opened(first=50)
    assert ledger.due(7) == AT_ONCE
    for row in ledger.even_rows(48):
        ledger.ask(row)
    assert ledger.due(7) == 2
    for row in ledger.even_rows(2):
        ledger.ask(row)
    assert ledger.due(7) == 7


def test_even_rows_go_on_where_the_last_ones_ended():
    whole, parts = opened(), opened()
    expected = whole.even_rows(5)
    found = []
    for count in (2, 0, 3):
        found.append(parts.even_rows(count))
        for row in found[-1]:
            parts.ask(row)
    assert torch.equal(torch.cat(found), expected)


def test_rows_that_differ_by_less_than_rounding_are_the_same():
    ledger = opened()
    ledger.ask(rows([0.5, 0.5, 0.5])[0])
    near = rows([0.5, 0.5, 0.5 + ALIKE / 2], [0.5, 0.5, 0.5 + 2 * ALIKE])
    assert ledger.untried(near).tolist() == [False, True]
    assert torch.equal(ledger.first_new(near), near[1])
    assert opened().untried(near).all()


def test_a_small_space_is_looked_through_and_used_up_in_the_end():
    ledger = opened(problem=Whole(integer(0, 1), integer(0, 2)))
    for _ in range(6):
        assert not ledger.used_up
        ledger.ask(ledger.first_new(rows([0.0, 0.0])))
    assert ledger.used_up
    assert len({tuple(row) for row in ledger.tried.tolist()}) == 6
    assert not opened(problem=Whole(integer(0, 1), real(0, 1))).small


def test_only_allowed_rows_of_a_small_space_count():
    ledger = opened(problem=Whole(integer(0, 1), integer(0, 2)), allowed=lambda unit: unit[:, 0] == 0)
    for _ in range(3):
        ledger.ask(ledger.first_new(rows([0.0, 0.0])))
    assert ledger.used_up


def test_a_stored_ledger_goes_on():
    one, other = opened(), opened()
    for row in one.even_rows(3):
        one.ask(row)
    one.tell(told(one.waiting[:1], [0]))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.even_rows(2), other.even_rows(2))
    assert torch.equal(one.waiting, other.waiting)
    assert torch.equal(one.tried, other.tried)
    assert other.ask(other.even_rows(1)[0]).extras["id"].item() == 3
