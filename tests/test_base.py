import numpy as np
import pytest
import torch
from asserts import assert_same_candidates
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import ToyConditional, ToyConstruction, ToyEnvironment, ToyText, ToyVector, ToyWriter

from moo.base import Candidates, Setting, unsuitable
from moo.generators.evolutionary import NSGA2
from moo.generators.random_search import RandomSearch
from moo.metered import metered, step_by_asking
from moo.problems import get_problem
from moo.space import Space, categorical, integer, real
from moo.storage import read_state, write_state

NAN = float("nan")
COLUMNS = ("constraints", "std", "failed", "reason", "id", "used", "parameters.a")


def record(n, columns=COLUMNS, seed=0):
    stream = torch.Generator().manual_seed(seed)
    rand = lambda *shape: torch.rand(*shape, generator=stream, dtype=torch.float64)  # noqa: E731
    extras = {
        "constraints": rand(n, 2),
        "std": rand(n, 2),
        "failed": rand(n) < 0.5,
        "reason": np.array([f"reason {i}" for i in range(n)], dtype=str),
        "id": torch.arange(n),
        "used": torch.arange(n, dtype=torch.int32),
        "parameters.a": rand(n, 2, 3).float(),
    }
    return Candidates.of(rand(n, 3), rand(n, 2), **{name: extras[name] for name in columns})


columns = st.lists(st.sampled_from(COLUMNS), unique=True)
moderate = settings(max_examples=60, deadline=None)


# ------------------------------------------------------------------------------------------------- the record
@pytest.mark.parametrize("wrong", ["objectives", "preferences", "id", "reason"])
def test_columns_of_different_length_are_refused(wrong):
    parts = {
        "objectives": torch.zeros(3, 2),
        "preferences": torch.zeros(3, 2),
        "id": torch.zeros(3),
        "reason": np.array([""] * 3),
    }
    parts[wrong] = parts[wrong][:2]
    objectives, preferences = parts.pop("objectives"), parts.pop("preferences")
    with pytest.raises(ValueError, match=rf"as many rows in every column as solutions \(3\). Found {{'{wrong}': 2}}"):
        Candidates(torch.zeros(3, 1), objectives, preferences, parts)


def test_preferences_are_nan_where_none_are_given():
    made = Candidates.of(torch.zeros(2, 1), torch.zeros(2, 3))
    assert made.preferences.shape == (2, 3)
    assert made.preferences.isnan().all()


def test_an_empty_record_keeps_its_widths():
    empty = Candidates.empty((2, 3), 4, dtype=torch.int64)
    assert (len(empty), empty.solutions.shape, empty.solutions.dtype) == (0, (0, 2, 3), torch.int64)
    assert empty.objectives.shape == empty.preferences.shape == (0, 4)
    assert (len(empty.failed), len(empty.violation)) == (0, 0)


def test_records_cannot_be_changed():
    with pytest.raises(AttributeError):
        record(2).solutions = torch.zeros(2, 3)


@moderate
@given(st.integers(0, 6), columns, st.data())
def test_rows_by_mask_numbers_and_slice_agree(n, names, data):
    whole = record(n, names)
    mask = torch.tensor(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=torch.bool)
    by_mask, by_numbers = whole.rows(mask), whole.rows(torch.nonzero(mask).flatten())
    assert_same_candidates(by_mask, by_numbers)
    assert len(by_mask) == int(mask.sum())
    first = data.draw(st.integers(0, n))
    assert_same_candidates(whole.rows(slice(first, None)), whole.rows(torch.arange(first, n)))


def test_rows_come_in_the_order_asked_for_also_twice():
    found = record(4).rows(torch.tensor([3, 0, 3]))
    assert found.extras["id"].tolist() == [3, 0, 3]
    assert found.extras["reason"].tolist() == ["reason 3", "reason 0", "reason 3"]


@moderate
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), columns)
def test_parts_joined_again_are_the_whole(sizes, names):
    whole = record(sum(sizes), names)
    ends = np.cumsum(sizes)
    parts = [whole.rows(slice(end - size, end)) for end, size in zip(ends.tolist(), sizes, strict=True)]
    assert_same_candidates(Candidates.cat(parts), whole)


def test_what_a_part_lacks_is_filled_by_kind():
    bare = record(2, ())
    for joined, lacking in [
        (Candidates.cat([bare, record(1)]), slice(2)),
        (Candidates.cat([record(1), bare]), slice(1, 3)),
    ]:
        extras = {name: column[lacking] for name, column in joined.extras.items()}
        assert extras["constraints"].isnan().all()
        assert extras["constraints"].shape == (2, 2)
        assert extras["parameters.a"].isnan().all()
        assert extras["parameters.a"].dtype == torch.float32
        assert extras["failed"].tolist() == [False, False]
        assert extras["id"].tolist() == extras["used"].tolist() == [-1, -1]
        assert extras["used"].dtype == torch.int32
        assert extras["reason"].tolist() == ["", ""]


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [(torch.uint8, 0), (torch.float16, NAN), (torch.bfloat16, NAN), (torch.int16, -1)],
    ids=["uint8", "float16", "bfloat16", "int16"],
)
def test_every_type_of_column_can_be_filled(dtype, fill):
    with_column = record(1, ()).with_extras(x=torch.zeros(1, 2, dtype=dtype))
    found = Candidates.cat([with_column, record(1, ())]).extras["x"]
    assert found.dtype == dtype
    assert torch.equal(found[1].isnan(), torch.tensor([fill != fill] * 2))
    assert fill != fill or found[1].tolist() == [fill, fill]


def test_short_texts_do_not_cut_long_ones():
    short = record(1, ()).with_extras(reason=np.array(["a"]))
    long = record(1, ()).with_extras(reason=np.array(["a long reason"]))
    for parts in ([short, long], [record(1, ()), long, short]):
        assert "a long reason" in Candidates.cat(parts).extras["reason"].tolist()


def test_empty_parts_add_nothing():
    empty, whole = Candidates.empty((3,), 2), record(3)
    assert_same_candidates(Candidates.cat([empty, whole, empty]), whole)
    assert len(Candidates.cat([empty, empty])) == 0


def test_extras_are_added_and_weights_taken_off_without_changing_the_record():
    whole = record(2)
    assert set(whole.with_extras(setting_row=torch.zeros(2)).extras) == {*COLUMNS, "setting_row"}
    assert set(whole.without_parameters().extras) == set(COLUMNS) - {"parameters.a"}
    assert set(whole.extras) == set(COLUMNS)


def test_violation_sums_what_is_above_zero():
    rows = record(3, ()).with_extras(constraints=torch.tensor([[-1.0, 0.0], [0.5, 2.0], [-3.0, 0.25]]))
    assert rows.violation.tolist() == [0.0, 2.5, 0.25]
    assert record(2, ()).violation.tolist() == [0.0, 0.0]
    assert record(2, ()).failed.tolist() == [False, False]


def test_a_record_survives_the_disk(tmp_path):
    whole = record(3)
    write_state(tmp_path / "state", whole.state_dict())
    assert_same_candidates(Candidates.from_state(read_state(tmp_path / "state")), whole)


def test_settings_cannot_be_changed():
    with pytest.raises(AttributeError):
        Setting().preferences = torch.zeros(1, 2)


# ------------------------------------------------------------------------------------------------- who takes what
class Limited(ToyConditional):
    columns = ("real",)
    max_objectives = 2
    constraints = False


class Discrete(RandomSearch):
    observations = ("integer", "categorical")
    actions = ("categorical",)


class Steering(RandomSearch):
    actions = ("real",)


def seeing(*columns, **options):
    """The toy environment with another declaration of what is observed."""
    problem = ToyEnvironment(**options)
    problem.observation_space = Space(columns)
    return problem


@pytest.mark.parametrize(
    ("method", "problem", "why"),
    [
        (Limited, ToyVector(), ""),
        (Limited, ToyConstruction(), "it takes vector problems, this one is construction"),
        (RandomSearch, ToyText(), "it takes vector and construction and environment problems, this one is text"),
        (Limited, ToyVector(3), "it takes at most 2 objectives, this problem has 3"),
        (Limited, ToyVector(constrained=True), "it takes no constraints, this problem has 2"),
        (Limited, ToyVector(mixed=True), "it takes real columns, not integer"),
        (ToyWriter, ToyText(), ""),
        (RandomSearch, ToyEnvironment(), ""),
        (NSGA2, ToyVector(5, 6, constrained=True, mixed=True), ""),
        (RandomSearch, ToyEnvironment(continuous=True), ""),
        (RandomSearch, seeing(real(0, 1, "x"), categorical("ab", "y")), ""),
        (Discrete, ToyEnvironment(), ""),
        (Discrete, seeing(categorical("ab", "y"), integer(0, 1, "x")), ""),
        (Discrete, seeing(real(0, 1, "x")), "it takes integer, categorical observations, not real"),
        (Discrete, seeing(integer(0, 1, "x"), real(0, 1, "y")), "it takes integer, categorical observations, not real"),
        (Discrete, ToyEnvironment(continuous=True), "it takes categorical actions, not real"),
        (Discrete, seeing(real(0, 1), continuous=True), "it takes integer, categorical observations, not real"),
        (Discrete, ToyVector(mixed=True), ""),
        (Steering, ToyEnvironment(continuous=True), ""),
        (Steering, ToyEnvironment(), "it takes real actions, not categorical"),
    ],
)
def test_why_a_method_does_not_take_a_problem(method, problem, why):
    assert unsuitable(method, problem) == why


def test_the_first_reason_is_given():
    assert unsuitable(Limited, ToyVector(3, constrained=True, mixed=True)).startswith("it takes at most 2 objectives")


# ------------------------------------------------------------------------------------------------- asking
def test_a_step_asks_for_what_is_left_and_tells_what_it_paid():
    class Recorder:
        def __init__(self):
            self.asked, self.told = [], []

        def ask(self, n):
            self.asked.append(n)
            n = min(n, 4)
            return Candidates.of(torch.zeros(n, 3), torch.full((n, 2), NAN), torch.ones(n, 2), id=torch.arange(n))

        def tell(self, candidates):
            self.told.append(candidates)

    recorder, meter = Recorder(), metered(ToyVector(), 6, 0)
    rows = step_by_asking(recorder, meter, 5)
    assert (recorder.asked, len(rows), meter.used, meter.trimmed) == ([5], 4, 4, False)
    assert recorder.told == [rows]
    assert rows.extras["id"].tolist() == [0, 1, 2, 3]
    assert torch.equal(rows.preferences, torch.ones(4, 2))
    step_by_asking(recorder, meter, 5)
    assert (recorder.asked, meter.used, meter.trimmed) == ([5, 2], 6, True)


def test_where_nothing_is_asked_nothing_is_paid_or_told():
    class Waiting:
        def ask(self, n):
            return Candidates.empty((3,), 2)

    meter = metered(ToyVector(), 6, 0)
    assert len(step_by_asking(Waiting(), meter, 5)) == 0
    assert meter.used == 0


def test_a_problem_is_shown_in_one_line():
    assert repr(get_problem("zdt1:dim=4")) == "ZDT1(zdt1:dim=4: vector, min, min)"
    assert repr(ToyVector(directions=("max", "min"))) == "ToyVector(toy-vector: vector, max, min)"
    assert repr(object.__new__(ToyVector)).startswith("ToyVector(")
