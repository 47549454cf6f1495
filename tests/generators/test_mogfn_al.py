import math

import pytest
import torch
from asserts import assert_same_candidates, assert_same_results
from inputs import ToyConstruction

import moo
from moo.adapters.encodings import encode
from moo.base import Evaluation
from moo.dominance import non_dominated
from moo.generators.mogfn_al import MOGFNAL, USED_UP
from moo.gflow.policies import score
from moo.gflow.trajectories import take_apart
from moo.metered import metered
from moo.options import resolve_options
from moo.storage import read_state, write_state

QUICK = {"batch": 8, "initial_points": 16, "steps": 8, "trajectories": 32, "pool": 64, "hidden": 32}
STRINGS = "ngrams:ngrams=AB+BC,alphabet=ABCDEF,length=10,min_length=8"


class Fragile(ToyConstruction):
    """Words with the letter c fail."""

    def evaluate(self, solutions, generator=None):
        doomed = (solutions == 2).any(dim=1)
        return Evaluation(torch.where(doomed[:, None], torch.nan, super().evaluate(solutions)))


class Noisy(ToyConstruction):
    stochastic = True

    def evaluate(self, solutions, generator=None):
        exact = super().evaluate(solutions)
        return exact if generator is None else exact + 0.1 * torch.randn(exact.shape, generator=generator).double()


def made(problem=None, seed=0, budget=1000, **options):
    problem = ToyConstruction() if problem is None else problem
    options = resolve_options(MOGFNAL.options, {**QUICK, **options}, "mogfn-al")
    return MOGFNAL(metered(problem, budget, seed), budget=budget, seed=seed, device="cpu", **options)


def opened(problem=None, seed=0, **options):
    return moo.optimizer(problem or ToyConstruction(), "mogfn-al", seed=seed, options={**QUICK, **options})


def answered(opt, rows, problem=None):
    opt.tell(rows.extras["id"], (problem or ToyConstruction()).evaluate(rows.solutions))


def begun(problem=None, n=16, **arguments):
    """An optimizer told its first objects."""
    opt = opened(problem, **arguments)
    answered(opt, opt.ask(n), problem)
    return opt


def search(problem=None, budget=48, seed=0, **options):
    problem = ToyConstruction() if problem is None else problem
    options = {**QUICK, **options}
    return moo.pareto_search(problem, "mogfn-al", budget=budget, seed=seed, options=options, progress=False)


def different(solutions):
    return len(solutions.unique(dim=0))


# --- which objects ----------------------------------------------------------------------------------------------------


def test_no_object_is_proposed_twice_told_or_not():
    opt, seen = opened(steps=2), []
    for number in range(6):
        rows = opt.ask(16)
        seen.append(rows.solutions)
        if number % 3 != 1:
            answered(opt, rows)
    assert different(torch.cat(seen)) == len(torch.cat(seen)) > 80


def test_a_space_that_is_used_up_ends_the_search():
    result = search(budget=300, steps=1, batch=32)
    assert result.record["used"] == 121
    assert result.record["ended"] == USED_UP


def test_first_objects_are_drawn_evenly_and_have_no_gain():
    opt = opened()
    rows = opt.ask(16)
    assert different(rows.solutions) == 16
    assert rows.extras["gain"].isnan().all()
    answered(opt, rows)
    assert (opt.ask(3).extras["gain"] > 0).all()


def test_one_ask_reaches_from_the_first_objects_to_chosen_ones():
    opt = opened()
    answered(opt, opt.ask(14))
    assert opt.ask(5).extras["gain"].isnan().tolist() == [True, True, False, False, False]


def test_objects_asked_for_together_begin_with_those_asked_for_alone():
    few, many = begun().ask(3), begun().ask(8)
    assert_same_candidates(few, many.rows(slice(3)))


def test_gains_fall_within_a_batch():
    gains = begun().ask(8).extras["gain"]
    assert (gains[1:] <= gains[:-1] * (1 + 1e-9)).all()


def test_ones_own_objects_are_learned_from():
    opt, other = opened(), opened()
    words = ToyConstruction().oracle.draw(torch.arange(30), None)
    opt.tell(solutions=words, objectives=ToyConstruction().evaluate(words))
    assert (opt.ask(4).extras["gain"] > 0).all()
    assert other.ask(4).extras["gain"].isnan().all()
    further = opt.ask(8).solutions
    assert different(torch.cat([words, further])) == 30 + 8


def test_told_in_parts_and_in_another_order_the_next_objects_are_the_same():
    opt, other = opened(), opened()
    rows, same = opt.ask(16), other.ask(16)
    answered(opt, rows)
    for part in torch.randperm(16, generator=torch.Generator().manual_seed(0)).split(5):
        answered(other, same.rows(part))
    assert_same_candidates(opt.ask(8), other.ask(8))


def test_a_chosen_batch_is_no_longer_worth_much_while_it_is_pending():
    opt = begun()
    first, second = opt.ask(8), opt.ask(8)
    assert second.extras["gain"].max() <= first.extras["gain"].min() * 1.01


def test_objects_that_fail_are_avoided():
    result = search(Fragile(), budget=44, initial_points=32)
    failed = torch.zeros(44, dtype=torch.bool)
    failed[result.failures.extras["used"] - 1] = True
    assert failed[:32].double().mean() > 0.3
    assert failed[32:44].double().mean() < 0.2  # later there are few left that do not fail
    assert (result.front.solutions != 2).all()


def test_nothing_but_failures_goes_on_evenly():
    method = made()
    rows = method.ask(16)
    failed = torch.ones(16, dtype=torch.bool)
    method.tell(rows.with_extras(failed=failed))
    assert method.ask(4).extras["gain"].isnan().all()


def test_noisy_values_are_not_taken_for_true():
    result = search(Noisy(), budget=32)
    assert result.record["used"] == 32
    noisy, exact = made(Noisy())._beliefs._noisy, made()._beliefs._noisy
    assert (noisy, exact, made(noise="learned")._beliefs._noisy) == (True, False, True)
    assert not made(Noisy(), noise="none")._beliefs._noisy


def test_features_that_count_what_the_objectives_are_made_of_are_not_read():
    problem = moo.get_problem(STRINGS)
    problem.features = lambda state: pytest.fail("asked for its features")
    assert search(problem, budget=32).record["used"] == 32


# --- what the network learns ------------------------------------------------------------------------------------------


def law_of(method, objects):
    """The probability of each of these objects, which have one way each."""
    ways = method._histories.told(take_apart(method.problem, objects, torch.Generator()))
    with torch.no_grad():
        return score(method.policy, method._histories, ways, torch.ones(len(objects), 1)).log_forward.sum(0).exp()


def shortfall(nats, depth):
    """What the reward makes of being so many nats below the best."""
    return nats if nats < depth else depth * (1 + math.log(nats / depth))


def told_some(method, n=40):
    rows = method.ask(n)
    method.tell(method.problem.evaluate(rows.solutions, extras=rows.extras))
    return method


@pytest.mark.parametrize(("beta", "depth"), [(0.5, 10.0), (2.0, 3.0)])
def test_the_network_learns_the_law_that_it_says(beta, depth):
    method = told_some(made(initial_points=40, steps=150, trajectories=64, beta=beta, depth=depth, learning_rate=2e-2))
    method._learn(150)
    words = ToyConstruction().oracle.draw(torch.arange(121), None)
    values = method._worth_now()(method._beliefs.features(words))
    expected = torch.tensor([-beta * shortfall(method._best - value, depth) for value in values.tolist()]).softmax(
        dim=0
    )
    law = law_of(method, words)
    torch.testing.assert_close(law.sum(), torch.tensor(1.0))
    assert (law - expected).abs().sum() < 0.15
    assert (expected - 1 / 121).abs().sum() > 0.5


def test_where_objects_have_several_ways_the_law_is_that_of_objects():
    grid = moo.get_problem("hypergrid:height=4")
    method = told_some(made(grid, initial_points=8, steps=150, learning_rate=2e-2, beta=0.1, pool=4000), 8)
    method._learn(150)
    sampled = method._sampled(0)
    cells, counts = sampled.unique(dim=0, return_counts=True)
    values = method._worth_now()(method._beliefs.features(cells))
    expected = torch.tensor([-0.1 * shortfall(method._best - value, 10.0) for value in values.tolist()]).softmax(dim=0)
    assert len(cells) > 6
    assert (expected - 1 / len(cells)).abs().sum() > 0.3
    assert (counts / counts.sum() - expected).abs().sum() < 0.2


def mutants(problem, known, values, n, seed):
    """New strings, each a good one with one letter changed."""
    stream, rows = torch.Generator().manual_seed(seed), encode(problem, "vector")
    best = rows.encoded_solutions(known[non_dominated(values)])
    parents = best[torch.randint(len(best), (n,), generator=stream)]
    places = torch.randint(parents.shape[1], (n, 1), generator=stream)
    letters = torch.randint(problem.num_actions, (n, 1), generator=stream).to(parents)
    return rows.original_solutions(parents.scatter(1, places, letters))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_the_network_proposes_is_worth_more_than_mutants(seed):
    problem = moo.get_problem("ngrams:ngrams=AB+BC,alphabet=ABCDEF,length=14,min_length=12")
    shape = {"trajectories": 64, "pool": 256, "batch": 16, "learning_rate": 1e-2}
    method = told_some(made(problem, seed, initial_points=100, steps=60, **shape), 100)
    known = method._ledger.known
    others = method._ledger.new(mutants(problem, known.solutions, known.objectives, 400, seed))
    method._learn(60)
    worth, features = method._worth_now(), method._beliefs.features  # before the batch is pending
    network = method._ledger.new(method._sampled(0))
    batch = method.ask(16).solutions
    best_mutants = others[worth.best_in_turn(features(others), 16)[0]]

    def mean(objects):
        return float(worth(features(objects)).exp().mean())

    assert mean(network) > 5 * mean(others)
    assert mean(batch) > 3 * mean(best_mutants)


def test_what_is_replayed_is_the_front_of_what_is_known():
    method = told_some(made(moo.get_problem(STRINGS)))
    known = method._ledger.known
    front = known.solutions[non_dominated(known.objectives)]
    ways = method._replayed(200, torch.Generator().manual_seed(0))
    assert torch.equal(method._histories.objects(ways.objects).unique(dim=0), front.unique(dim=0))


def test_two_trajectories_of_which_nearly_all_are_replayed_are_one_of_each():
    assert search(budget=24, trajectories=2, replay=0.9).record["used"] == 24


def test_learning_is_spread_over_steps_that_bring_no_rows():
    method = told_some(made(steps=25), 16)
    sizes = [len(method.step(None)) for _ in range(8)]
    assert sizes == [0, 0, 0, 8, 0, 0, 0, 8]
    assert (method._round, method._steps) == (2, 25)


def test_asking_learns_what_is_due_and_learns_again_after_a_batch_was_told():
    method = told_some(made(), 16)
    rows = method.ask(8)
    assert (method._round, method._steps) == (1, 8)
    told = method.problem.evaluate(rows.solutions, extras=rows.extras)
    method.tell(told.rows(slice(5)))
    method.ask(1)
    assert method._round == 1
    method.tell(told.rows(slice(5, 8)))
    method.ask(1)
    assert (method._round, method._steps) == (2, 8)


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 0},
        {"trajectories": 16},
        {"replay": 0.0},
        {"pool": 40},
        {"beta": 2.0},
        {"depth": 1.0},
        {"order": 1},
        {"hidden": 16},
        {"layers": 1},
        {"learning_rate": 0.02},
        {"epsilon": 0.5},
    ],
)
def test_an_option_changes_what_is_proposed(options):
    problem = moo.get_problem(STRINGS)
    assert not torch.equal(begun(problem).ask(8).solutions, begun(problem, **options).ask(8).solutions)


def test_long_gradients_are_clipped():
    free, clipped = (told_some(made(clip=clip), 16) for clip in (1e6, 10.0))
    for method in (free, clipped):
        method._learn(8)
    assert not torch.equal(free.policy.features.table, clipped.policy.features.table)


def test_a_cold_start_begins_with_another_network_in_each_round():
    problem = moo.get_problem(STRINGS)
    warm, cold = (begun(problem, warm_start=warm) for warm in (True, False))
    for opt in (warm, cold):
        answered(opt, opt.ask(8), problem)
    assert not torch.equal(warm.ask(8).solutions, cold.ask(8).solutions)


def test_pieces_that_make_too_many_columns_are_refused():
    with pytest.raises(ValueError, match="Option `order` should be lower"):
        opened(moo.get_problem("ngrams"), order=4)


# --- state ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [2, 5])
def test_a_stored_state_goes_on_in_the_middle_of_a_round(steps, tmp_path):
    def ready():
        return told_some(made(steps=25), 16)

    method, other = ready(), made(steps=25)
    for _ in range(steps):
        method.step(None)
    write_state(tmp_path / "state", [method.state_dict(), method.problem.state_dict()])
    state, meter = read_state(tmp_path / "state")
    other.load_state_dict(state)
    other.problem.load_state_dict(meter)
    for _ in range(4):
        assert_same_candidates(method.step(None), other.step(None))
    assert torch.equal(method.policy.features.table, other.policy.features.table)
    assert method._best == other._best


def test_an_optimizer_goes_on_with_pending_objects(tmp_path):
    opt, other = begun(), opened()
    opt.ask(5)
    opt.save(tmp_path / "state")
    other.load(tmp_path / "state")
    assert_same_candidates(opt.ask(8), other.ask(8))


def test_a_larger_budget_goes_on(tmp_path):
    whole = search(budget=40)
    options = {"options": QUICK, "progress": False, "checkpoint": tmp_path}
    moo.pareto_search(ToyConstruction(), "mogfn-al", budget=30, **options)
    assert_same_results(whole, moo.pareto_search(ToyConstruction(), "mogfn-al", budget=40, **options))
