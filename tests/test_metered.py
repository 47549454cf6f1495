import numpy as np
import pytest
import torch
from asserts import assert_same_candidates
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import ToyConstruction, ToyEnvironment, ToyText, ToyVector

from moo.base import Candidates, Evaluation, VectorProblem
from moo.directions import turn
from moo.metered import Metered, MeteredEnvironment, MeteredText, infer_reference_point, metered
from moo.rl.rollouts import episode_returns
from moo.space import Space, real
from moo.storage import read_state, write_state

NAN, INF = float("nan"), float("inf")
moderate = settings(max_examples=60, deadline=None)


def uniform(n, d=3, seed=0):
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Told(VectorProblem):
    """Returns what it is told, whatever it is asked; remembers what it was asked."""

    name, num_objectives, directions = "told", 2, ("min", "max")
    reference_point = (0.0, 0.0)

    def __init__(self, answer, num_constraints=0, dim=2):
        self.answer, self.num_constraints, self.asked = answer, num_constraints, []
        self.space = Space(tuple(real(0, 1) for _ in range(dim)))

    def evaluate(self, solutions, generator=None):
        self.asked.append(solutions)
        return self.answer(solutions) if callable(self.answer) else self.answer


def told(answer, n=3, **arguments):
    meter = metered(Told(answer, **arguments), 100, 0)
    return meter.evaluate(uniform(n, 2))


# ------------------------------------------------------------------------------------------------- counting
def test_every_kind_has_its_meter():
    kinds = {ToyVector: Metered, ToyConstruction: Metered, ToyEnvironment: MeteredEnvironment, ToyText: MeteredText}
    for problem, meter in kinds.items():
        assert type(metered(problem(), 5, 0)) is meter


@pytest.mark.parametrize(("budget", "error"), [(0, ValueError), (-3, ValueError), (2.5, TypeError), (True, TypeError)])
def test_budgets_are_counts(budget, error):
    with pytest.raises(error, match="`budget` should be "):
        metered(ToyVector(), budget, 0)


@moderate
@given(st.integers(1, 60), st.lists(st.integers(0, 20), max_size=8), st.integers(1, 7))
def test_what_is_affordable_can_be_paid_and_is_counted(budget, wishes, steps):
    meter = metered(ToyVector(), budget, 0)
    spent, cut = 0, False
    for wish in wishes:
        fitting = meter.affordable(wish, steps)
        literal = min(wish, max((budget - spent) // steps, min(budget - spent, 1)))
        cut |= literal < wish
        assert (fitting, meter.trimmed) == (literal, cut)
        spent += len(meter.evaluate(uniform(fitting)))
        assert (meter.used, meter.remaining) == (spent, budget - spent)


def test_overspending_is_an_error_and_costs_nothing():
    meter = metered(ToyVector(), 5, 0)
    meter.evaluate(uniform(3))
    with pytest.raises(RuntimeError, match=r"A method asked for 3 evaluations, 2 remain: see `affordable`."):
        meter.evaluate(uniform(3))
    assert meter.used == 3
    assert sum(meter.calls) == 3


def test_rows_are_numbered_as_they_are_paid():
    meter = metered(ToyVector(), 9, 0)
    assert meter.evaluate(uniform(2)).extras["used"].tolist() == [1, 2]
    assert meter.evaluate(uniform(3)).extras["used"].tolist() == [3, 4, 5]


def test_static_attributes_are_read_through_and_private_ones_are_not():
    meter = metered(ToyEnvironment(), 5, 0)
    assert (meter.gamma, meter.max_steps, meter.name) == (0.9, 12, "toy-environment")
    with pytest.raises(AttributeError):
        meter._no_such_thing  # noqa: B018
    with pytest.raises(AttributeError, match="no_such_thing"):
        meter.no_such_thing  # noqa: B018


def test_no_rows_cost_nothing():
    meter = metered(ToyVector(constrained=True), 5, 0)
    empty = meter.evaluate(uniform(0))
    assert (len(empty), meter.used) == (0, 0)
    assert empty.extras["constraints"].shape == (0, 2)


# ------------------------------------------------------------------------------------------------- what is evaluated
def test_the_problem_sees_canonical_rows_and_cannot_change_them():
    class Rude(ToyVector):
        def evaluate(self, solutions, generator=None):
            objectives = super().evaluate(solutions)
            solutions.zero_()
            return objectives

    meter = metered(Rude(mixed=True), 9, 0)
    found = meter.evaluate(torch.tensor([[2.0, -1.0, 2.4], [0.5, 0.5, 1.6]]))
    assert found.solutions.tolist() == [[1.0, 0.0, 2.0], [0.5, 0.5, 2.0]]


def test_what_was_really_evaluated_is_returned():
    rounded = told(lambda x: Evaluation(torch.zeros(len(x), 2), solutions=x.round()))
    assert torch.equal(rounded.solutions, rounded.solutions.round())


def test_columns_to_carry_along_and_preferences_are_kept():
    meter = metered(ToyVector(), 9, 0)
    found = meter.evaluate(uniform(2), preferences=torch.eye(2).double(), extras={"id": torch.tensor([7, 8])})
    assert found.extras["id"].tolist() == [7, 8]
    assert torch.equal(found.preferences, torch.eye(2).double())
    assert meter.evaluate(uniform(2)).preferences.isnan().all()


@pytest.mark.parametrize("directions", [("min", "min"), ("max", "max"), ("min", "max")])
def test_inside_every_objective_is_maximised(directions):
    problem = ToyVector(directions=directions)
    rows = uniform(4)
    own = problem.evaluate(rows)
    assert torch.equal(metered(problem, 9, 0).evaluate(rows).objectives, turn(own, directions))
    assert torch.equal(
        metered(problem, 9, 0).reference_point, torch.full((2,), -4.0, dtype=torch.float64)
    )  # 4 where minimised, -4 where maximised


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: np.zeros((len(x), 2), dtype=np.float32),
        lambda x: [[0, 0]] * len(x),
        lambda x: torch.zeros(len(x), 2, requires_grad=True),
        lambda x: Evaluation(torch.zeros(len(x), 2)),
    ],
    ids=["numpy", "list", "gradient", "evaluation"],
)
def test_objectives_become_float64_without_gradient(answer):
    found = told(answer).objectives
    assert (found.dtype, found.requires_grad, found.tolist()) == (torch.float64, False, [[0, 0]] * 3)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (torch.zeros(2, 2), r"`objectives returned by problem told` should have shape \[3, 2\]. Found \[2, 2\]."),
        (torch.zeros(3, 3), r"`objectives returned by problem told` should have shape \[3, 2\]. Found \[3, 3\]."),
        (torch.zeros(3), r"`objectives returned by problem told` should have shape \[3, 2\]. Found \[3\]."),
        (Evaluation(torch.zeros(3, 2), std=torch.zeros(3, 1)), r"`std returned by .* shape \[3, 2\]. Found \[3, 1\]."),
        (
            Evaluation(torch.zeros(3, 2), constraints=torch.zeros(3, 1)),
            r"`constraints returned by .* shape \[3, 0\]. Found \[3, 1\].",
        ),
        (Evaluation(torch.zeros(3, 2), solutions=torch.zeros(2, 2)), r"solutions.*2"),
        (Evaluation(torch.zeros(3, 2), solutions=torch.zeros(3, 5)), r"solutions.*5"),
        (Evaluation(torch.zeros(3, 2), failed=torch.tensor([True])), r"`?failed`?.*3"),
    ],
)
def test_another_number_of_rows_or_columns_is_refused(answer, message):
    with pytest.raises(ValueError, match=message):
        told(answer)


@pytest.mark.parametrize("answer", [None, "no", torch.zeros(3, 2, dtype=torch.complex64)])
@pytest.mark.filterwarnings("ignore:Casting complex")
def test_what_is_no_number_is_refused(answer):
    with pytest.raises(TypeError, match="`objectives returned by problem told` should be an array of numbers"):
        told(answer)


def test_missing_constraints_are_refused():
    with pytest.raises(ValueError, match=r"Problem 'told' should return 1 constraints. Found none."):
        told(torch.zeros(3, 2), num_constraints=1)


# ------------------------------------------------------------------------------------------------- failed rows
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_value_that_is_not_finite_fails_its_row_alone(bad):
    found = told(torch.tensor([[0.0, 1.0], [bad, 1.0], [2.0, 3.0]]))
    assert found.failed.tolist() == [False, True, False]
    assert found.objectives[1].isnan().all()
    assert found.objectives[[0, 2]].tolist() == [[0.0, 1.0], [-2.0, 3.0]]
    assert found.extras["reason"].tolist() == ["", f"returned [{bad}, 1.0]", ""]


def test_a_flagged_row_fails_with_its_reason():
    found = told(
        Evaluation(torch.zeros(3, 2), failed=torch.tensor([False, False, True]), reasons={2: "no convergence"})
    )
    assert found.failed.tolist() == [False, False, True]
    assert found.extras["reason"].tolist() == ["", "", "no convergence"]
    assert found.objectives[2].isnan().all()


@pytest.mark.parametrize("reasons", [{}, {0: ""}])
def test_a_row_flagged_without_a_reason_gets_a_true_one(reasons):
    """It did not return NaN."""
    found = told(Evaluation(torch.ones(3, 2), failed=torch.tensor([True, False, False]), reasons=reasons))
    assert found.extras["reason"][0]
    assert "nan" not in found.extras["reason"][0]


def test_a_row_whose_constraints_are_not_finite_fails_and_says_so():
    constraints = torch.tensor([[0.0], [NAN], [-1.0]])
    found = told(Evaluation(torch.zeros(3, 2), constraints), num_constraints=1)
    assert found.failed.tolist() == [False, True, False]
    assert found.objectives[1].isnan().all()
    assert "nan" in found.extras["reason"][1]


def crashing(evaluation, below=0.5):
    def answer(x):
        if (x[:, 0] < below).any():
            raise ArithmeticError("the simulator crashed")
        return evaluation(x)

    return answer


@pytest.mark.parametrize("num_constraints", [0, 1])
def test_where_a_batch_raises_only_the_faulty_rows_fail(num_constraints):
    def evaluation(x):
        return Evaluation(x, x[:, :1] - 2 if num_constraints else None)

    meter = metered(Told(crashing(evaluation), num_constraints=num_constraints), 100, 0)
    rows = uniform(20, 2)
    found = meter.evaluate(rows)
    faulty = rows[:, 0] < 0.5
    assert torch.equal(found.failed, faulty)
    assert torch.equal(found.objectives[~faulty], turn(rows[~faulty], ("min", "max")))
    assert set(found.extras["reason"][faulty.numpy()]) == {"ArithmeticError: the simulator crashed"}
    assert set(found.extras["reason"][~faulty.numpy()]) == {""}
    assert meter.used == 20
    if num_constraints:
        assert found.extras["constraints"][faulty].isnan().all()
        assert torch.equal(found.extras["constraints"][~faulty], rows[~faulty, :1] - 2)


def test_a_row_that_raises_does_not_cost_the_others_what_was_said_of_them():
    rows = torch.tensor([[0.1, 0.5], [0.7, 0.5], [0.9, 0.5]], dtype=torch.float64)

    def evaluation(x):
        return Evaluation(x, std=torch.full((len(x), 2), 0.25), solutions=x.round())

    found = metered(Told(crashing(evaluation)), 100, 0).evaluate(rows)
    assert found.failed.tolist() == [True, False, False]
    assert found.solutions[1:].tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert found.extras["std"][1:].tolist() == [[0.25, 0.25], [0.25, 0.25]]


def test_interrupts_are_no_failures():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        told(interrupted)


def test_a_batch_that_fails_whole_is_a_record_of_failures():
    found = told(crashing(lambda x: x, below=2.0), num_constraints=1)
    assert found.failed.all()
    assert found.objectives.isnan().all()
    assert found.extras["constraints"].shape == (3, 1)
    assert all(found.extras["reason"])


# ------------------------------------------------------------------------------------------------- noise
def test_noise_depends_on_the_seed_and_on_what_was_used_and_on_nothing_else():
    whole = metered(ToyVector(noise=1.0), 50, 3)
    parts = [whole.evaluate(uniform(n, seed=n)).objectives for n in (5, 7, 5)]
    again = metered(ToyVector(noise=1.0), 99, 3)
    again.load_state_dict({**again.state_dict(), "used": 12})
    assert torch.equal(again.evaluate(uniform(5, seed=5)).objectives, parts[2])
    assert not torch.equal(parts[0], parts[2])
    other = metered(ToyVector(noise=1.0), 50, 4)
    assert not torch.equal(other.evaluate(uniform(5, seed=5)).objectives, parts[0])


def test_a_problem_without_noise_gets_no_generator():
    class Curious(ToyVector):
        def evaluate(self, solutions, generator=None):
            self.seen = generator
            return super().evaluate(solutions)

    quiet, noisy = Curious(), Curious(noise=1.0)
    for problem in (quiet, noisy):
        metered(problem, 9, 0).evaluate(uniform(1))
    assert quiet.seen is None
    assert isinstance(noisy.seen, torch.Generator)


# ------------------------------------------------------------------------------------------------- apart
def test_evaluations_apart_are_counted_apart_and_disturb_nothing():
    plain, meter = (metered(ToyVector(noise=1.0), 10, 0) for _ in range(2))
    rows = uniform(5)
    first, second = plain.evaluate(rows).objectives, plain.evaluate(rows).objectives
    assert torch.equal(meter.evaluate(rows).objectives, first)
    with meter.apart():
        fresh = meter.evaluate(rows)
        more = meter.evaluate(uniform(50)).objectives[:5]
    assert (meter.used, meter.used_apart, meter.trimmed) == (5, 55, False)
    assert torch.equal(meter.evaluate(rows).objectives, second)
    distinct = torch.stack([first, second, fresh.objectives, more])
    assert len(distinct.flatten().unique()) == distinct.numel()


def test_an_error_apart_ends_it():
    meter = metered(ToyVector(), 10, 0)
    with pytest.raises(ZeroDivisionError), meter.apart():
        raise ZeroDivisionError
    meter.evaluate(uniform(2))
    assert (meter.used, meter.used_apart) == (2, 0)


def test_apart_within_apart_stays_apart():
    meter = metered(ToyVector(), 10, 0)
    with meter.apart():
        with meter.apart():
            meter.evaluate(uniform(2))
        meter.evaluate(uniform(2))
    assert (meter.used, meter.used_apart) == (0, 4)


def test_episodes_apart_are_not_cut_by_a_budget_that_is_spent():
    meter = metered(ToyEnvironment(), 3, 0)
    meter.load_state_dict({**meter.state_dict(), "used": 3})
    with meter.apart():
        _, _, cut = episode_returns(meter, lambda observations, *_: torch.ones(len(observations)), 2)
    assert (meter.used, meter.used_apart) == (3, 12)
    assert not cut.any()


# ------------------------------------------------------------------------------------------------- reference point
def loop_reference(rows):
    """The rule of the design page, on lists: nadir minus a tenth of the range of the non-dominated rows."""

    def beats(a, b):
        return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))

    best = [row for i, row in enumerate(rows) if not any(beats(other, row) for other in rows) and row not in rows[:i]]
    taken = best if len(best) > 1 else rows
    point = []
    for column in zip(*taken, strict=True):
        low, high = min(column), max(column)
        point.append(low - 0.1 * (high - low if high > low else max(abs(low), 1.0)))
    return point


def watched(objectives, failed=None, **extras):
    failed = torch.zeros(len(objectives), dtype=torch.bool) if failed is None else failed
    return Candidates.of(torch.zeros(len(objectives), 1), objectives, failed=failed, **extras)


@moderate
@given(st.integers(1, 12), st.integers(2, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_an_inferred_point_follows_the_rule(n, m, levels, seed):
    objectives = torch.randint(0, levels, (n, m), generator=torch.Generator().manual_seed(seed)).double() - 1.5
    assert infer_reference_point(watched(objectives)).tolist() == pytest.approx(loop_reference(objectives.tolist()))


def test_feasible_rows_are_preferred():
    objectives = torch.tensor([[0.0, 1.0], [1.0, 0.0], [9.0, 9.0], [8.0, 10.0]], dtype=torch.float64)
    constraints = torch.tensor([[-1.0], [0.0], [1.0], [1.0]])
    found = infer_reference_point(watched(objectives, constraints=constraints))
    assert found.tolist() == pytest.approx([-0.1, -0.1])
    all_but_one = torch.tensor([[-1.0], [1.0], [1.0], [1.0]])
    found = infer_reference_point(watched(objectives, constraints=all_but_one))
    assert found.tolist() == pytest.approx([0 - 0.1, 1 - 0.1])  # one row has no range: .1 of its size, at least of 1
    none = torch.ones(4, 1)
    found = infer_reference_point(watched(objectives, constraints=none))
    assert found.tolist() == pytest.approx([8 - 0.1, 9 - 0.1])


def test_infeasible_rows_do_not_freeze_a_point_that_feasible_ones_will_give():
    meter = metered(ToyVector(reference=False, constrained=True), 1000, 0)
    many = torch.full((100, 2), 5.0, dtype=torch.float64)
    assert not meter.watch(watched(many, constraints=torch.ones(100, 2)))
    feasible = torch.stack([torch.linspace(0, 1, 20), 1 - torch.linspace(0, 1, 20)], dim=1).double()
    assert meter.watch(watched(feasible, constraints=-torch.ones(20, 2)))
    assert meter.reference_point.tolist() == pytest.approx([-0.1, -0.1])


@pytest.mark.parametrize(("dim", "rows"), [(1, 20), (9, 20), (10, 22), (30, 62)])
def test_it_rests_on_twice_the_columns_and_two_or_twenty_rows(dim, rows):
    assert metered(ToyVector(dim=dim, reference=False), 5, 0).rows_for_reference == rows


def test_without_columns_it_rests_on_twenty():
    assert metered(ToyText(), 5, 0).rows_for_reference == 20
    assert metered(ToyConstruction(), 5, 0).rows_for_reference == 20


@moderate
@given(st.lists(st.integers(0, 15), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_it_is_inferred_from_the_first_successes_and_freezes_once(sizes, seed):
    stream = torch.Generator().manual_seed(seed)
    meter = metered(ToyVector(reference=False, dim=4), 100, 0)
    fine = []
    for size in sizes:
        objectives = torch.randint(0, 9, (size, 2), generator=stream).double()
        failed = torch.rand(size, generator=stream) < 0.3
        objectives[failed] = NAN
        was_frozen = len(fine) >= 20
        fine += objectives[~failed].tolist()
        froze = meter.watch(watched(objectives, failed))
        assert meter.reference_frozen == (len(fine) >= 20)
        assert froze == (meter.reference_frozen and not was_frozen)
        if fine:
            assert meter.reference_point.tolist() == pytest.approx(loop_reference(fine[:20]))
        else:
            assert meter.reference_point is None


def test_a_short_run_freezes_at_its_end():
    meter = metered(ToyVector(reference=False), 100, 0)
    assert not meter.freeze_reference()
    meter.watch(watched(torch.tensor([[0.0, 1.0], [1.0, 0.0]])))
    assert not meter.reference_frozen
    assert meter.freeze_reference()
    assert not meter.freeze_reference()
    assert not meter.watch(watched(torch.rand(30, 2) - 100))
    assert meter.reference_point.tolist() == pytest.approx([-0.1, -0.1])


def test_rows_that_all_failed_give_no_point_to_freeze():
    meter = metered(ToyVector(reference=False), 100, 0)
    meter.watch(watched(torch.full((3, 2), NAN), torch.ones(3, dtype=torch.bool)))
    assert meter.reference_point is None
    assert not meter.freeze_reference()


def test_a_known_point_is_never_inferred():
    own = metered(ToyVector(), 9, 0)
    given_point = metered(ToyVector(directions=("min", "max")), 9, 0, reference_point=[2.0, -3])
    for meter, point in [(own, [-4, -4]), (given_point, [-2, -3])]:
        assert meter.reference_frozen
        assert not meter.watch(watched(torch.rand(30, 2)))
        assert not meter.freeze_reference()
        assert meter.reference_point.tolist() == point


@pytest.mark.parametrize(
    ("point", "error", "message"),
    [
        ([1.0], ValueError, r"`reference_point` should be a list of 2 numbers. Found shape \[1\]."),
        ([1.0, NAN], ValueError, "`reference_point` should be finite. Found "),
        ("far", TypeError, "`reference_point` should be a list of 2 numbers. Found 'far'."),
    ],
)
def test_wrong_reference_points_are_refused(point, error, message):
    with pytest.raises(error, match=message):
        metered(ToyVector(), 9, 0, reference_point=point)


def test_a_stored_meter_goes_on_identically(tmp_path):
    meter = metered(ToyVector(noise=1.0, reference=False), 30, 0)
    meter.watch(meter.evaluate(uniform(meter.affordable(12))))
    with meter.apart():
        meter.evaluate(uniform(2))
    write_state(tmp_path / "state", meter.state_dict())
    again = metered(ToyVector(noise=1.0, reference=False), 30, 0)
    again.load_state_dict(read_state(tmp_path / "state"))
    for _ in range(2):
        a, b = (m.evaluate(uniform(m.affordable(10))) for m in (meter, again))
        assert_same_candidates(a, b)
        assert meter.watch(a) == again.watch(b)
        assert torch.equal(meter.reference_point, again.reference_point)
        assert (meter.used, meter.used_apart, meter.trimmed) == (again.used, again.used_apart, again.trimmed)
        write_state(tmp_path / "state", meter.state_dict())
        again.load_state_dict(read_state(tmp_path / "state"))


# ------------------------------------------------------------------------------------------------- environments
def corridor(budget=100, **arguments):
    return metered(ToyEnvironment(**arguments), budget, 0)


def test_only_active_copies_move_pay_and_are_rewarded():
    meter = corridor()
    state, rewards, *_ = meter.step(meter.reset(3), torch.tensor([1, 1, 0]), torch.tensor([True, False, True]))
    assert state.tolist() == [[1, 1], [0, 0], [-1, 1]]
    assert rewards.tolist() == [[0, -1], [0, 0], [0, -1]]
    assert meter.used == 2
    meter.step(state, torch.tensor([1, 1, 0]))
    assert meter.used == 5


def test_copies_beyond_the_budget_stand_still_and_are_truncated():
    meter = corridor(budget=3)
    active = torch.tensor([True, False, True, True, True])
    state, rewards, terminated, truncated, failed = meter.step(meter.reset(5), torch.ones(5), active)
    assert (meter.used, meter.remaining, meter.trimmed) == (3, 0, True)
    assert state[:, 0].tolist() == [1, 0, 1, 1, 0]
    assert truncated.tolist() == [False, False, False, False, True]
    assert rewards[4].tolist() == [0, 0]
    assert not terminated.any()
    assert not failed.any()


def test_copies_that_do_not_run_end_nothing():
    meter = corridor()
    state = torch.tensor([[-1.0, 11], [-1, 11]], dtype=torch.float64)
    _, _, terminated, truncated, _ = meter.step(state, torch.zeros(2), torch.tensor([True, False]))
    assert terminated.tolist() == [True, False]
    assert truncated.tolist() == [True, False]


def test_a_reward_that_is_not_finite_counts_zero_and_ends_its_copy():
    meter = corridor(nan_at=1)
    _, rewards, terminated, truncated, failed = meter.step(
        meter.reset(3), torch.tensor([1, 0, 1]), torch.tensor([1, 1, 0]) > 0
    )
    assert failed.tolist() == terminated.tolist() == [True, False, False]
    assert rewards.tolist() == [[0, 0], [0, -1], [0, 0]]
    assert not truncated.any()
    assert meter.used == 2


def test_a_copy_that_failed_leaves_no_nan_in_the_state():
    """It is observed again with the others: one NaN must not poison a policy."""

    class Blowing(ToyEnvironment):
        def step(self, state, actions, generator=None):
            state, rewards, terminated, truncated = super().step(state, actions, generator)
            blown = (state[:, 0] == 1)[:, None]
            return torch.where(blown, NAN, state), torch.where(blown, NAN, rewards), terminated, truncated

    meter = metered(Blowing(), 100, 0)
    state, _, _, _, failed = meter.step(meter.reset(2), torch.tensor([1, 0]))
    assert failed.tolist() == [True, False]
    assert torch.isfinite(meter.observe(state)).all()


def test_rewards_are_maximised_in_float64():
    class Costly(ToyEnvironment):
        directions = None

        def step(self, *arguments):
            state, rewards, terminated, truncated = super().step(*arguments)
            return state, rewards.float(), terminated, truncated

    problem = Costly()
    problem.directions = ("max", "min")
    meter = metered(problem, 100, 0)
    rewards = meter.step(meter.reset(1), torch.ones(1))[1]
    assert (rewards.dtype, rewards.tolist()) == (torch.float64, [[0, 1]])


def test_rewards_of_another_shape_are_refused():
    class Wrong(ToyEnvironment):
        def step(self, *arguments):
            state, rewards, terminated, truncated = super().step(*arguments)
            return state, rewards[:, :1], terminated, truncated

    meter = metered(Wrong(), 100, 0)
    with pytest.raises(ValueError, match=r"`rewards returned by problem toy-environment` should have shape \[2, 2\]"):
        meter.step(meter.reset(2), torch.ones(2))


def test_transitions_apart_are_not_bounded_by_the_budget():
    meter = corridor(budget=1)
    with meter.apart():
        state, *_ = meter.step(meter.reset(4), torch.ones(4))
    assert state[:, 0].tolist() == [1, 1, 1, 1]
    assert (meter.used, meter.used_apart, meter.trimmed) == (0, 4, False)


def test_slips_depend_on_the_seed_and_on_what_was_used():
    first, again = (metered(ToyEnvironment(slip=0.5), 10**6, seed) for seed in (1, 1))
    other = metered(ToyEnvironment(slip=0.5), 10**6, 2)
    moved = [meter.step(meter.reset(200), torch.ones(200))[0] for meter in (first, again, other)]
    assert torch.equal(moved[0], moved[1])
    assert not torch.equal(moved[0], moved[2])
    assert not torch.equal(first.step(first.reset(200), torch.ones(200))[0], moved[0])


# ------------------------------------------------------------------------------------------------- text
def test_completions_are_paid_scored_and_maximised():
    problem = ToyText()
    problem.directions = ("max", "min")
    meter = metered(problem, 5, 0)
    scores, failed = meter.score(["p"] * 3, ["ae", "zz", "xx"])
    assert scores.tolist() == [[1, 0], [0, -1], [0, 0]]
    assert not failed.any()
    assert meter.used == 3
    with pytest.raises(RuntimeError, match="A method asked for 3 completions, 2 remain"):
        meter.score(["p"] * 3, ["a"] * 3)


def test_scores_that_are_not_finite_are_flagged():
    scores, failed = metered(ToyText(fails=True), 5, 0).score(["p"], ["a"])
    assert failed.tolist() == [True]
    assert scores.isnan().all()


def test_scores_of_another_shape_are_refused():
    class Wrong(ToyText):
        def score(self, prompts, completions):
            return super().score(prompts, completions)[:1]

    with pytest.raises(ValueError, match=r"`scores returned by problem toy-text` should have shape \[2, 2\]"):
        metered(Wrong(), 5, 0).score(["p"] * 2, ["a"] * 2)


def test_prompts_follow_the_seed_and_go_on(tmp_path):
    first, again, other = (metered(ToyText(), 5, seed) for seed in (0, 0, 1))
    drawn = [first.prompts(20), first.prompts(20)]
    assert drawn[0] != drawn[1]
    assert again.prompts(20) == drawn[0]
    assert other.prompts(20) != drawn[0]
    resumed = metered(ToyText(), 5, 0)
    resumed.load_state_dict(again.state_dict())
    assert resumed.prompts(20) == drawn[1]


def test_prompts_drawn_apart_are_none_of_those_that_training_draws():
    trained, apart = metered(ToyText(), 5, 0), metered(ToyText(), 5, 0)
    with apart.apart():
        drawn = apart.prompts(20)
    assert drawn != trained.prompts(20)


# ------------------------------------------------------------------------------------------------- what raises
def test_an_environment_that_raises_fails_the_copies_it_stepped():
    class Breaking(ToyEnvironment):
        def step(self, state, actions, generator=None):
            if (state[:, 1] >= 2).any():
                raise TimeoutError("the simulator hangs")
            return super().step(state, actions, generator)

    meter = metered(Breaking(), 100, 0)
    returns, failed, cut = episode_returns(meter, lambda observations, *_: torch.ones(len(observations)), 3)
    assert failed.all()
    assert not cut.any()
    assert torch.isfinite(returns).all()
    assert meter.failure == "TimeoutError: the simulator hangs"
    assert meter.used == 9


def test_a_completion_whose_scoring_raises_fails_alone():
    class Picky(ToyText):
        def score(self, prompts, completions):
            if "bad" in completions:
                raise ValueError("unreadable")
            return super().score(prompts, completions)

    meter = metered(Picky(), 10, 0)
    objectives, failed = meter.score(["p"] * 3, ["aez", "bad", "zz"])
    assert failed.tolist() == [False, True, False]
    assert torch.equal(objectives[[0, 2]], ToyText().score(["p"] * 2, ["aez", "zz"]))
    assert meter.used == 3
