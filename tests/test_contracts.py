"""What every registered method promises, whatever it is: registering is being tested."""

import pytest
import torch
from asserts import assert_same_candidates, assert_same_results
from inputs import TOY_GENERATORS, TOY_PROBLEMS, ToyVector

import moo
from moo.adapters.encodings import encoding_for
from moo.base import Conditional, unsuitable
from moo.choosing import choose_device, make_tuner, solution_shape
from moo.generators import GENERATORS
from moo.metered import metered
from moo.options import resolve_options
from moo.registry import resolve
from moo.storage import read_state, write_state

DEVICE = choose_device(__import__("os").environ.get("MOO_TEST_DEVICE", "cpu"))
METHODS = {**GENERATORS, **TOY_GENERATORS}
BUDGETS = {"vector": 130, "environment": 2000, "construction": 90, "text": 100}
SMALL = {"population": 20, "batch": 20, "batches": 1, "episodes": 2, "copies": 8, "steps": 8}
SMALL |= {"policies": 3, "selected": 2, "evaluated": 3, "model": "characters", "length": 6}
OWN = {"ppo-preference": {"interval": 2}, "morl-d": {"updates": 4}}  # others mean something else by it
SLOW = {
    "qlognehvi": {"batch": 2, "initial_points": 22, "restarts": 2, "raw_samples": 16, "samples": 16},
    "bayesian": {"batch": 2, "initial_points": 22, "restarts": 2, "raw_samples": 16, "fantasies": 4},
    "pareto-set-learning": {"batch": 2, "initial_points": 22, "steps": 4, "step_preferences": 4, "candidates": 32},
    "svh-psl": {"batch": 2, "initial_points": 22, "steps": 4, "step_preferences": 4, "candidates": 32},
}
SLOW_BUDGET = 26


def budget_of(method, kind):
    return SLOW_BUDGET if method in SLOW else BUDGETS[kind]


def options_of(method):
    declared = resolve(METHODS, method, "method").options
    small = {name: value for name, value in SMALL.items() if name in declared} | OWN.get(method, {})
    small = SLOW.get(method) or small
    return resolve_options(declared, small, method)


def fitting(num_objectives=2):
    return [
        pytest.param(method, kind, id=f"{method}-{kind}")
        for method in METHODS
        for kind, problem in TOY_PROBLEMS.items()
        if not unsuitable(resolve(METHODS, method, "method"), problem(num_objectives))
    ]


def make(method, kind, seed=0, **problem_options):
    """A generator, its metered toy problem and its tuner."""
    problem = TOY_PROBLEMS[kind](**problem_options)
    budget = budget_of(method, kind)
    meter = metered(problem, budget, seed)
    generator = resolve(METHODS, method, "method")(
        meter, budget=budget, seed=seed, device=DEVICE, initial=None, **options_of(method)
    )
    return generator, meter, make_tuner("auto", problem, method, budget=budget, seed=seed)[0]


def advance(generator, meter, tuner, steps, setting=None):
    """Some steps of the loop; all candidates and the setting in force."""
    seen = []
    for _ in range(steps):
        if meter.remaining == 0 or generator.finished:
            break
        if generator.wants_setting:
            k = generator.preferences_per_round
            setting = tuner.suggest(k) if k else None
        seen.append(generator.step(setting))
    return seen, setting


def search(method, kind, **arguments):
    options = {"options": options_of(method), "progress": False, "device": DEVICE, "budget": budget_of(method, kind)}
    return moo.pareto_search(TOY_PROBLEMS[kind](), method, **{**options, **arguments})


def test_every_kind_of_problem_has_a_method():
    assert {parameter.values[1] for parameter in fitting()} == set(TOY_PROBLEMS)


@pytest.mark.parametrize("method", METHODS)
def test_declarations_are_complete(method):
    kind = resolve(METHODS, method, "method")
    assert set(kind.kinds) <= set(TOY_PROBLEMS)
    for name in ("columns", "encodings", "max_objectives", "constraints", "uses_preferences", "schedules_by_budget"):
        assert hasattr(kind, name), name
    assert all(option.help for option in kind.options.values())
    assert resolve_options(kind.options, {name: option.default for name, option in kind.options.items()}, method)


@pytest.mark.parametrize(("method", "kind"), fitting())
def test_a_search_spends_its_budget_exactly_and_finds_a_front(method, kind):
    result = search(method, kind)
    if kind != "environment":  # a rollout ends when its last episode does
        assert result.record["used"] == budget_of(method, kind)
    assert 0 < result.record["used"] <= budget_of(method, kind)
    assert result.feasible
    assert torch.isfinite(result.objectives).all()
    assert result.objectives.dtype == torch.float64
    assert (result.additions.extras["used"] <= result.record["used"]).all()


@pytest.mark.parametrize(("method", "kind"), [p for p in fitting() if p.values[1] == "vector"])
@pytest.mark.parametrize("mixed", [False, True])
def test_rows_are_canonical(method, kind, mixed):
    if mixed and "integer" not in resolve(METHODS, method, "method").columns:
        pytest.skip("takes no whole columns")
    generator, meter, tuner = make(method, kind, mixed=mixed)
    for candidates in advance(generator, meter, tuner, 10)[0]:
        assert torch.equal(candidates.solutions, meter.space.canonical(candidates.solutions))


@pytest.mark.parametrize(("method", "kind"), fitting())
def test_same_seed_same_candidates_and_another_seed_others(method, kind):
    first, again, other = (advance(*make(method, kind, seed), 2)[0] for seed in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        assert_same_candidates(a, b)
    assert any(not torch.equal(a.objectives, b.objectives) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(("method", "kind"), fitting())
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_stored_state_goes_on_identically(method, kind, steps, tmp_path):
    generator, meter, tuner = make(method, kind)
    _, setting = advance(generator, meter, tuner, steps)
    write_state(tmp_path / "state", [part.state_dict() for part in (generator, meter, tuner)])
    expected, _ = advance(generator, meter, tuner, 3, setting)
    fresh = make(method, kind)
    for part, state in zip(fresh, read_state(tmp_path / "state"), strict=True):
        part.load_state_dict(state)
    found, _ = advance(*fresh, 3, setting)
    assert len(expected) == len(found)
    for a, b in zip(expected, found, strict=True):
        assert_same_candidates(a, b)


@pytest.mark.parametrize(("method", "kind"), fitting())
def test_taking_a_state_changes_nothing(method, kind):
    first, second = make(method, kind), make(method, kind)
    seen, setting = [], None
    for _ in range(3):
        first[0].state_dict()
        part, setting = advance(*first, 1, setting)
        seen += part
    for a, b in zip(seen, advance(*second, 3)[0], strict=True):
        assert_same_candidates(a, b)


@pytest.mark.parametrize("num_objectives", [2, 3, 4, 5])
@pytest.mark.parametrize("method", METHODS)
def test_up_to_five_objectives(method, num_objectives):
    for kind, problem in TOY_PROBLEMS.items():
        if not unsuitable(resolve(METHODS, method, "method"), problem(num_objectives)):
            generator, meter, tuner = make(method, kind, num_objectives=num_objectives)
            seen, _ = advance(generator, meter, tuner, 2)
            assert all(candidates.objectives.shape[1] == num_objectives for candidates in seen)


@pytest.mark.parametrize(("method", "kind"), fitting())
def test_a_budget_of_one(method, kind):
    result = search(method, kind, budget=1) if kind != "environment" else None
    if result is not None:
        assert result.record["used"] == 1


@pytest.mark.parametrize(("method", "kind"), fitting())
def test_interrupted_after_each_step_ends_the_same(method, kind, tmp_path):
    whole = search(method, kind)
    for _ in range(40):
        part = search(method, kind, checkpoint=tmp_path, callback=lambda _: True)
        if "callback" not in part.record["ended"]:
            break
    assert "callback" not in part.record["ended"]
    assert_same_results(whole, part)


@pytest.mark.parametrize(("method", "kind"), [p for p in fitting() if p.values[1] != "environment"])
@pytest.mark.parametrize("first", [1, 37, 60, 129])
def test_a_larger_budget_goes_on_to_what_it_would_have_found_at_once(method, kind, first, tmp_path):
    if resolve(METHODS, method, "method").schedules_by_budget:
        pytest.skip("plans by its budget")
    budget = budget_of(method, kind)
    search(method, kind, budget=min(first, budget - 1), checkpoint=tmp_path)
    assert_same_results(search(method, kind), search(method, kind, checkpoint=tmp_path))


@pytest.mark.parametrize(("method", "kind"), [p for p in fitting() if p.values[1] in ("vector", "environment")])
def test_noise_is_drawn_from_the_seed(method, kind):
    noisy = {"noise": 0.1} if kind == "vector" else {"slip": 0.2}
    runs = []
    for seed in (1, 1, 2):
        problem = TOY_PROBLEMS[kind](**noisy)
        runs.append(
            moo.pareto_search(
                problem, method, budget=budget_of(method, kind), seed=seed, options=options_of(method), progress=False
            )
        )
    assert_same_results(runs[0], runs[1])
    first, other = runs[0].additions.objectives, runs[2].additions.objectives
    assert first.shape != other.shape or not torch.equal(first, other)


@pytest.mark.parametrize(
    ("method", "kind"), [p for p in fitting() if hasattr(resolve(METHODS, p.values[0], "method"), "sample")]
)
def test_conditional_methods_sample_without_learning_or_paying(method, kind):
    generator, meter, tuner = make(method, kind)
    advance(generator, meter, tuner, 2)
    assert isinstance(generator, Conditional)
    used, state = meter.used, str(generator.state_dict())
    wanted = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    first, again, other = (generator.sample(wanted, seed=seed) for seed in (0, 0, 1))
    assert first.shape == (3, *solution_shape(meter))
    if kind == "vector":
        assert torch.equal(first, meter.space.canonical(first))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (meter.used, str(generator.state_dict())) == (used, state)


@pytest.mark.parametrize("method", [m for m in METHODS if hasattr(resolve(METHODS, m, "method"), "ask")])
def test_told_in_any_order_the_next_rows_are_the_same(method):
    kind = resolve(METHODS, method, "method").kinds[0]
    plain, shuffled = make(method, kind), make(method, kind)
    asked = [parts[0].ask(20) for parts in (plain, shuffled)]
    assert_same_candidates(*asked)
    told = [
        parts[1].evaluate(rows.solutions, extras=rows.extras)
        for parts, rows in zip((plain, shuffled), asked, strict=True)
    ]
    plain[0].tell(told[0])
    order = torch.randperm(len(told[1]), generator=torch.Generator().manual_seed(0))
    for part in order.split(7):
        shuffled[0].tell(told[1].rows(part))
    assert_same_candidates(plain[0].ask(4), shuffled[0].ask(4))


@pytest.mark.parametrize("fails", ["nan", "raise", "flag"])
@pytest.mark.parametrize(("method", "kind"), [p for p in fitting() if p.values[1] == "vector"])
def test_failed_rows_are_recorded_and_never_archived(method, kind, fails):
    result = moo.pareto_search(
        ToyVector(fails=fails), method, budget=budget_of(method, kind), options=options_of(method), progress=False
    )
    assert result.record["used"] == budget_of(method, kind)
    assert 0 < len(result.failures) == result.record["failures"]
    assert (result.failures.solutions[:, 0] < 0.5).all()
    assert (result.additions.solutions[:, 0] >= 0.5).all()
    assert all(result.failures.extras["reason"])
    assert result.failures.objectives.isnan().all()


@pytest.mark.parametrize("method", [m for m in METHODS if resolve(METHODS, m, "method").encodings])
def test_through_an_encoding_results_are_in_the_problems_own_terms(method):
    for kind, problem in TOY_PROBLEMS.items():
        found = problem()
        if encoding_for(found, resolve(METHODS, method, "method")):
            result = search(method, kind)
            assert result.config["encoding"]
            for rows in (result.front, result.finals):
                assert rows.solutions.shape[1:] == solution_shape(found)
                assert torch.equal(found.evaluate(rows.solutions), rows.objectives)
            assert result.record["used"] <= BUDGETS[kind]


def test_an_encoded_run_is_saved_loaded_and_continued(tmp_path):
    whole = search("nsga2", "construction")
    search("nsga2", "construction", budget=50, checkpoint=tmp_path / "run")
    again = search("nsga2", "construction", checkpoint=tmp_path / "run")
    assert_same_results(whole, again)
    again.save(tmp_path / "out")
    loaded = moo.load_result(tmp_path / "out", problem=TOY_PROBLEMS["construction"]())
    assert_same_results(loaded, whole)
    assert_same_candidates(loaded.generator.finals(), again.generator.finals())
