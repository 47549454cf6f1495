"""What peers share that are asked and told, with a made-up library that cannot be stored."""

import sys
import types

import pytest
import torch
from asserts import assert_same_results
from inputs import ToyVector
from torch.quasirandom import SobolEngine

import moo
from moo.benchmarks.peers.asking import AskedPeer, finite_point, to_parameters, to_row
from moo.generators import ENROLLED
from moo.metered import metered
from moo.seeding import child_seed
from moo.space import Space, categorical, integer, real

OPEN = []  # what each study was told, the newest last


class Library(AskedPeer):
    """Proposes by a global stream and by all that it was told; it has 40 rows."""

    requires = {"torch": "torch"}
    options = AskedPeer.options

    def _open(self):
        self.said = []
        OPEN.append(self.said)

    def _place(self, row):
        self.said.append(("placed", row.tolist()))
        return len(self.said)

    def _propose(self):
        if sum(kind == "proposed" for kind, _ in self.said) >= 40:
            return None
        told = sum(value[1][0] for kind, value in self.said if kind == "reported")
        row = (torch.rand(3, dtype=torch.float64) + told) % 1
        self.said.append(("proposed", row.tolist()))
        return len(self.said), row

    def _report(self, handle, objectives, constraints):
        self.said.append(("reported", (handle, objectives, constraints)))

    def _fail(self, handle):
        self.said.append(("failed", handle))


@pytest.fixture(autouse=True)
def _enrolled(monkeypatch):
    monkeypatch.setitem(sys.modules, "made_up", types.SimpleNamespace(Library=Library))
    monkeypatch.setitem(ENROLLED, "library", "made_up:Library")
    OPEN.clear()


def search(problem=None, **arguments):
    return moo.pareto_search(problem or ToyVector(), "library", **{"budget": 20, "progress": False, **arguments})


def placed():
    return torch.tensor([row for kind, row in OPEN[-1] if kind == "placed"], dtype=torch.float64)


def make(problem=None, initial=None, **options):
    meter = metered(problem or ToyVector(), 100, 3)
    return Library(meter, budget=100, seed=3, device="cpu", initial=initial, initial_points=0, **options), meter


def test_the_first_rows_are_the_sobol_points_of_our_methods():
    theirs = search(seed=5).additions
    ours = moo.pareto_search(ToyVector(), "qlognehvi", budget=8, seed=5, progress=False).additions
    sobol = SobolEngine(3, scramble=True, seed=child_seed(5, "sobol")).draw(8, dtype=torch.float64)
    rows = placed()
    assert torch.equal(rows, sobol)
    assert torch.equal(theirs.solutions[: len(ours)], ours.solutions)


def test_a_library_is_told_maximised_values_under_the_handle_that_it_gave():
    result = search(ToyVector(directions=("min", "max")), budget=9)
    assert [kind for kind, _ in OPEN[-1]] == ["placed"] * 8 + ["reported"] * 8 + ["proposed", "reported"]
    row = torch.tensor([OPEN[-1][16][1]], dtype=torch.float64)
    handle, objectives, constraints = OPEN[-1][17][1]
    first, second = ToyVector(directions=("min", "max")).evaluate(row)[0].tolist()
    assert (handle, objectives, constraints) == (17, [-first, second], [])
    assert result.record["used"] == 9


def test_constraints_and_failures_reach_the_library():
    search(ToyVector(constrained=True), budget=8)
    rows = placed()
    wanted = ToyVector(constrained=True).evaluate(rows).constraints.tolist()
    assert [value[2] for kind, value in OPEN[-1] if kind == "reported"] == wanted
    failing = search(ToyVector(fails="nan"), budget=8)
    failed = [value for kind, value in OPEN[-1] if kind == "failed"]
    assert failed == [number + 1 for number in range(8) if rows[number, 0] < 0.5]
    assert failing.record["failures"] == len(failed)


def test_known_rows_are_told_first_and_take_places_of_the_first_rows():
    known = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=torch.float64)
    search(initial=(known, ToyVector().evaluate(known)), budget=7)
    kinds = [kind for kind, _ in OPEN[-1]]
    assert kinds[:4] == ["placed", "reported"] * 2
    assert OPEN[-1][0][1] == [0.1, 0.2, 0.3]
    assert kinds[4:] == ["placed"] * 6 + ["reported"] * 6 + ["proposed", "reported"]


def test_a_run_goes_on_by_replay_to_what_it_would_have_found_at_once(tmp_path):
    whole = search(seed=2)
    before = list(OPEN[-1])
    part = search(seed=2, checkpoint=tmp_path, callback=lambda result: result.record["used"] >= 12)
    assert part.record["used"] == 12
    problem = ToyVector()
    again = search(problem, seed=2, checkpoint=tmp_path)
    assert sum(problem.calls) == 8  # the first twelve are not paid for again
    assert_same_results(whole, again)
    assert OPEN[-1] == before


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1]])
def test_rows_told_in_any_order_and_rows_outstanding_are_replayed(order):
    plain, meter = make()
    first = plain.ask(8)
    plain.tell(meter.evaluate(first.solutions, extras=first.extras))
    asked = plain.ask(3)
    told = meter.evaluate(asked.solutions, extras=asked.extras)
    for number in order:
        plain.tell(told.rows(slice(number, number + 1)))
    loaded, _ = make()
    loaded.load_state_dict(plain.state_dict())
    assert loaded.said == plain.said
    assert torch.equal(loaded.ask(2).solutions, plain.ask(2).solutions)


def test_another_library_on_the_same_state_is_refused(monkeypatch):
    plain, meter = make()
    rows = plain.ask(9)
    plain.tell(meter.evaluate(rows.solutions, extras=rows.extras))
    loaded, _ = make()
    monkeypatch.setattr(Library, "_propose", lambda self: (0, torch.full((3,), 0.5)))
    with pytest.raises(ValueError, match=r"its row 8 is \[0.5.*and was \[.*Another version of torch\? Start anew"):
        loaded.load_state_dict(plain.state_dict())


def test_where_the_library_has_no_further_row_the_search_ends():
    result = search(budget=100)
    assert result.record["used"] == 48
    assert result.record["ended"] == "the library has no further row to propose"


def test_rows_not_asked_for_cannot_be_told():
    plain, meter = make()
    rows = plain.ask(2)
    told = meter.evaluate(rows.solutions, extras=rows.extras)
    plain.tell(told.rows(slice(0, 1)))
    with pytest.raises(ValueError, match=r"`id` should be of rows asked for and not yet told.*\[0\]"):
        plain.tell(told.rows(slice(0, 1)))
    with pytest.raises(ValueError, match="each once"):
        plain.tell(told.rows(torch.tensor([1, 1])))


def test_global_streams_are_left_alone():
    torch.manual_seed(1)
    search(budget=10)
    found = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(found, torch.rand(1))


def test_rows_and_parameters_are_the_same_thing():
    class Columns:
        space = Space((real(0, 1, "a"), integer(-2, 4, "b"), categorical(["u", "v"], "c"), integer(3, 3, "d")))

    row = torch.tensor([0.25, 2.0, 1.0, 3.0], dtype=torch.float64)
    parameters = to_parameters(Columns, row)
    assert parameters == {"a": 0.25, "b": 2, "c": 1, "d": 3}
    assert [type(value) for value in parameters.values()] == [float, int, int, int]
    assert torch.equal(to_row(Columns, parameters), row)
    assert torch.equal(to_row(Columns, {name: parameters[name] for name in "abc"}), row)


def test_only_a_settled_reference_point_is_told():
    assert finite_point(metered(ToyVector(), 10, 0)) == [-4.0, -4.0]
    assert finite_point(metered(ToyVector(), 10, 0, reference_point=[2.0, 3.0])) == [-2.0, -3.0]
    open_end = metered(ToyVector(reference=False), 100, 0)
    open_end.watch(open_end.evaluate(torch.rand(3, 3, dtype=torch.float64)))
    assert open_end.reference_point is not None
    assert finite_point(open_end) is None
