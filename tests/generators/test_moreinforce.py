import pytest
import torch
from inputs import ToyConstruction, ToyVector

import moo
import moo.problems.hypergrid
from moo.generators.mogfn import MOGFN
from moo.generators.moreinforce import MOReinforce
from moo.gflow.rewards import log_reward
from moo.gflow.trajectories import Trajectories, follow
from moo.metered import metered
from moo.options import resolve_options
from moo.preferences import das_dennis
from moo.storage import read_state, write_state
from moo.tuners.dirichlet import Dirichlet

QUICK = {"hidden": 64, "learning_rate": 1e-2, "baseline_learning_rate": 1e-2}
GRID = "hypergrid:height=8,objectives=currin+beale"  # for these three preferences three objects are clearly best
ASKED = das_dennis(2, 2)


def made(problem=GRID, budget=12_800, seed=0, kind=MOReinforce, **options):
    """A method that has learned nothing yet, with the problem."""
    problem = moo.get_problem(problem) if isinstance(problem, str) else problem
    options = resolve_options(kind.options, options if kind is MOGFN else {**QUICK, **options}, "method")
    return kind(metered(problem, budget, seed), budget=budget, seed=seed, device="cpu", **options), problem


def spend(method, seed=0, steps=None):
    """Go on until the budget is spent, or for some steps."""
    tuner = Dirichlet(method.problem, budget=1, seed=seed, hyperparameters={}, alpha=1.0)
    setting = None
    while method.problem.remaining and (steps is None or steps > 0):
        if method.wants_setting:
            setting = tuner.suggest(method.preferences_per_round)
        method.step(setting)
        steps = None if steps is None else steps - 1
    return method


def learned(*problem, **options):
    method, found = made(*problem, **options)
    return spend(method), found


def rewards_of(problem, preferences, scalarisation="weighted-sum"):
    """The reward of every cell for every preference, `[k, cells]`."""
    return log_reward(problem.oracle.objectives, preferences[:, None], scalarisation).exp()


def mass_on_best(law, rewards, near=0.999):
    """The least share, over preferences, of the law on objects within a thousandth of the best reward."""
    return (law * (rewards >= near * rewards.amax(dim=1, keepdim=True))).sum(dim=1).min().item()


@pytest.fixture(scope="module")
def trained():
    return learned()


# --------------------------------------------------------------------------------------------------- the gradient
def all_ways(problem):
    """Every trajectory of a small problem."""
    found = []

    def go_on(state, states, actions):
        for action in torch.nonzero(problem.action_mask(state)[0]).flatten():
            moved, finished = problem.step(state, action[None])
            so_far = ([*states, moved[0]], [*actions, action])
            found.append(so_far) if finished[0] else go_on(moved, *so_far)

    start = problem.start(1)
    go_on(start, [start[0]], [])
    longest = max(len(actions) for _, actions in found)
    states = [torch.stack([*states, *[states[-1]] * (longest + 1 - len(states))]) for states, _ in found]
    actions = [torch.stack([*actions, *[torch.tensor(0)] * (longest - len(actions))]) for _, actions in found]
    lengths = torch.tensor([len(actions) for _, actions in found])
    return Trajectories(torch.stack(states, dim=1), torch.stack(actions, dim=1), lengths)


def walked(method, problem, ways, preferences, epsilon=0.0):
    """Log probabilities `[n]` of the policy, of the last actions, and of what draws; literally, step by step."""
    rows = []
    for row, preference in enumerate(preferences.float()):
        forward = backward = drawn = torch.tensor(0.0)
        for step in range(int(ways.lengths[row])):
            here, there, action = (
                ways.states[step, row][None],
                ways.states[step + 1, row][None],
                ways.actions[step, row],
            )
            embedded = method.policy.condition(preference[None])
            logits = method.policy.outputs(problem.features(here), embedded).logits[0]
            legal = problem.action_mask(here)[0]
            chance = logits[action].exp() / logits[legal].exp().sum()
            forward = forward + chance.log()
            backward = backward - problem.backward_mask(there).sum().log()
            drawn = drawn + ((1 - epsilon) * chance + epsilon / legal.sum()).log()
        rows.append(torch.stack([forward, backward, drawn]))
    return torch.stack(rows, dim=1)


def gradient(method, value):
    """Of what builds objects, as one vector."""
    head = set(method.policy.log_z_head.parameters())
    body = [parameter for parameter in method.policy.parameters() if parameter not in head]
    return torch.cat([part.flatten() for part in torch.autograd.grad(value, body, retain_graph=True)])


@pytest.mark.parametrize("group", [1, 4])
@pytest.mark.parametrize("entropy", [0.0, 0.3])
def test_the_gradient_is_that_of_reinforce_written_out(group, entropy):
    method, problem = made("hypergrid:height=4", group=group, entropy=entropy)
    preferences = das_dennis(2, 1).repeat_interleave(4, dim=0)
    ways = follow(problem, 8, None, torch.Generator().manual_seed(0))
    rewards = torch.rand(8, generator=torch.Generator().manual_seed(1))
    forward, backward, _ = walked(method, problem, ways, preferences)
    expected = method.policy.log_z(preferences.float())
    loss = 0.0
    for row in range(8):
        values = [(rewards[i] + entropy * (backward[i] - forward[i])).item() for i in range(8)]
        others = [i for i in range(row // 4 * 4, row // 4 * 4 + 4) if i != row]
        baseline = expected[row].item() if group == 1 else sum(values[i] for i in others) / 3
        loss = loss - (values[row] - baseline) * forward[row] / 8
    found = method._losses(ways, preferences, rewards).mean()
    assert torch.allclose(gradient(method, found), gradient(method, loss), atol=1e-5)
    assert gradient(method, loss).abs().max() > 0.01


@pytest.mark.parametrize("problem", [moo.get_problem("hypergrid:height=3"), ToyConstruction(length=1)])
@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("epsilon", [0.0, 0.4])
@pytest.mark.parametrize("entropy", [0.0, 0.3])
def test_the_expected_gradient_is_that_of_what_is_climbed(problem, group, epsilon, entropy):
    method, _ = made(problem, group=group, batch=2, epsilon=epsilon, entropy=entropy)
    ways, asked = all_ways(problem), torch.tensor([[0.3, 0.7]], dtype=torch.float64)
    n = len(ways.lengths)
    rewards = rewards_of(problem, asked)[0][problem.oracle.index(ways.objects)].float()
    forward, backward, drawn = walked(method, problem, ways, asked.repeat(n, 1), epsilon)
    assert forward.exp().sum().item() == pytest.approx(1, abs=1e-5)
    climbed = (forward.exp() * (rewards + entropy * (backward - forward))).sum()
    if group == 1:
        rows, weights = torch.arange(n), drawn.exp()
    else:  # every pair, as likely as its two
        rows, weights = torch.cartesian_prod(*[torch.arange(n)] * 2).flatten(), (drawn[:, None] + drawn).exp().flatten()
        weights = weights.repeat_interleave(2) / 2
    losses = method._losses(ways.rows(rows), asked.repeat(len(rows), 1), rewards[rows])
    assert torch.allclose(gradient(method, (weights.detach() * losses).sum()), -gradient(method, climbed), atol=2e-5)
    assert gradient(method, climbed).abs().max() > 0.005


def test_rewards_are_scalarised_and_raised_to_beta():
    for scalarisation in ("weighted-sum", "log-sum", "tchebycheff"):
        method, _ = made(scalarisation=scalarisation, beta=3.0, batch=8)
        seen, losses = [], method._losses
        method._losses = lambda *parts, seen=seen, losses=losses: (seen.append(parts), losses(*parts))[1]
        told = spend_one(method)
        expected = (3 * log_reward(told.objectives, told.preferences, scalarisation)).exp()
        assert torch.allclose(seen[0][2], expected.float())
        assert torch.equal(seen[0][1], told.preferences)


def spend_one(method):
    return method.step(Dirichlet(method.problem, budget=1, seed=0, hyperparameters={}, alpha=1.0).suggest(1024))


def test_the_baseline_learns_what_to_expect(trained):
    method, problem = trained
    expected = (method.exact_distribution(problem, ASKED) * rewards_of(problem, ASKED)).sum(dim=1)
    assert torch.allclose(method.policy.log_z(ASKED.float()).double(), expected, atol=0.1)
    assert expected.min() > 0.5  # where it began at about 0


@pytest.mark.parametrize("group", [1, 8])
def test_every_parameter_learns_but_a_baseline_without_use(group):
    method, _ = made(group=group)
    before = {name: value.clone() for name, value in method.policy.state_dict().items()}
    spend(method, steps=6)
    still = {name for name, value in method.policy.state_dict().items() if torch.equal(value, before[name])}
    assert still == ({name for name in before if name.startswith("log_z_head")} if group > 1 else set())


def test_what_entropy_is_worth_falls_over_its_share_of_the_budget():
    method, _ = made(budget=1000, entropy=0.2, entropy_fall=0.5)
    seen = []
    for used in (0, 250, 500, 1000):
        method.problem.used = used
        seen.append(method._entropy())
    assert seen == [0.2, 0.1, 0.0, 0.0]
    method._said.entropy_fall = 0.0
    assert method._entropy() == 0.2


# --------------------------------------------------------------------------------------------------- what it learns
@pytest.mark.parametrize("scalarisation", ["weighted-sum", "log-sum", "tchebycheff"])
def test_it_concentrates_on_the_best_object_of_each_preference(scalarisation):
    method, problem = learned(scalarisation=scalarisation)
    rewards = rewards_of(problem, ASKED, scalarisation)
    untrained, _ = made()
    assert mass_on_best(untrained.exact_distribution(problem, ASKED), rewards) < 0.1
    assert mass_on_best(method.exact_distribution(problem, ASKED), rewards) > 0.9


def test_it_does_not_sample_in_proportion_as_mogfn_does(trained):
    method, problem = trained
    other, _ = made(budget=12_800, kind=MOGFN, batch=64, batches=4, beta_high=16.0)
    rewards = rewards_of(problem, ASKED)
    ours, theirs = (one.exact_distribution(problem, ASKED) for one in (method, spend(other)))
    for beta in (1.0, 4.0, 16.0):
        law = problem.oracle.distribution(ASKED, beta)
        away = [
            (found - law).abs().sum(dim=1).mean() for found in (ours, other.exact_distribution(problem, ASKED, beta))
        ]
        assert away[0] > 0.7 > 0.4 > away[1], (beta, away)
    assert mass_on_best(theirs, rewards) < 0.5 < 0.9 < mass_on_best(ours, rewards)
    assert torch.special.entr(ours).sum(dim=1).max() < 0.2 < 0.6 < torch.special.entr(theirs).sum(dim=1).min()


def test_entropy_that_stays_gives_each_object_its_exponential_share():
    method, problem = learned(budget=25_600, entropy=0.2, entropy_fall=0.0)
    law = (rewards_of(problem, ASKED) / 0.2).softmax(dim=1)
    away = (method.exact_distribution(problem, ASKED) - law).abs().sum(dim=1)
    untrained = (made()[0].exact_distribution(problem, ASKED) - law).abs().sum(dim=1)
    assert away.max() < 0.15 < 0.5 < untrained.min()


def test_groups_learn_the_same():
    method, problem = learned(group=8)
    assert mass_on_best(method.exact_distribution(problem, ASKED), rewards_of(problem, ASKED)) > 0.9


def test_strings_are_learned():
    method, problem = learned("ngrams:ngrams=A+B,alphabet=ABC,length=4")
    preferences = das_dennis(2, 1)
    assert mass_on_best(method.exact_distribution(problem, preferences), rewards_of(problem, preferences)) > 0.9


def test_different_preferences_give_different_objects(trained):
    method, problem = trained
    law = method.exact_distribution(problem, das_dennis(2, 1))
    assert (law[0] - law[1]).abs().sum() > 1.8
    drawn = (
        problem.evaluate(method.sample(das_dennis(2, 1).repeat_interleave(200, dim=0))).reshape(2, 200, 2).mean(dim=1)
    )
    assert drawn[0, 1] > drawn[1, 1] + 0.1  # the first asks for the second objective
    assert drawn[1, 0] > drawn[0, 0] + 0.1


def test_sampling_follows_the_exact_distribution():
    method, problem = made()
    spend(method, steps=40)
    preferences = das_dennis(2, 2)
    law = method.exact_distribution(problem, preferences)
    assert torch.allclose(law.sum(dim=1), torch.ones(3).double())
    for row in range(3):
        drawn = method.sample(preferences[row].repeat(20_000, 1), seed=3)
        counts = torch.bincount(problem.oracle.index(drawn), minlength=63) / 20_000
        assert (counts - law[row]).abs().max() < 5 * (0.25 / 20_000) ** 0.5
        assert counts.max() < 0.95


def test_exploration_reaches_what_the_policy_never_builds():
    """A policy made to stop at once goes on when it explores, and not otherwise."""
    seen = []
    for epsilon in (0.0, 0.5):
        method, problem = made(epsilon=epsilon)
        with torch.no_grad():
            list(method.policy.body.parameters())[-1][problem.dim] += 100  # stop
        seen.append(set(problem.decode(spend_one(method).solutions)))
        assert all(torch.isfinite(parameter).all() for parameter in method.policy.parameters())
    assert seen[0] == {"(0, 0)"}
    assert len(seen[1]) > 5


@pytest.mark.parametrize("group", [1, 4])
def test_each_group_follows_a_preference_of_its_own(group):
    method, _ = made(group=group, batch=32, round=64)
    setting = Dirichlet(method.problem, budget=1, seed=0, hyperparameters={}, alpha=1.0).suggest(64)
    first, second = method.step(setting), method.step(setting)
    asked = torch.cat([first.preferences, second.preferences])
    assert torch.equal(asked, setting.preferences[: 64 // group].repeat_interleave(group, dim=0))
    assert method.wants_setting == (group == 1)  # all 64 are used up


def test_the_thermometer_encoding_learns_too():
    method, problem = learned(encoding="thermometer", bins=10)
    assert method.policy.condition.in_features == 20
    assert mass_on_best(method.exact_distribution(problem, ASKED), rewards_of(problem, ASKED)) > 0.9


# --------------------------------------------------------------------------------------------------- state, failures
def test_saved_and_loaded_it_goes_on(tmp_path):
    whole, problem = made(budget=2560)
    halves = [made(budget=2560)[0] for _ in range(2)]
    tuner = Dirichlet(problem, budget=1, seed=0, hyperparameters={}, alpha=1.0)
    setting = tuner.suggest(4096)
    for step in range(40):
        whole.step(setting)
        halves[step >= 20].step(setting)
        if step == 19:
            write_state(tmp_path / "state", [halves[0].state_dict(), halves[0].problem.state_dict()])
            for part, state in zip((halves[1], halves[1].problem), read_state(tmp_path / "state"), strict=True):
                part.load_state_dict(state)
    preferences = das_dennis(2, 20)
    assert torch.equal(halves[1].sample(preferences, seed=2), whole.sample(preferences, seed=2))
    assert torch.equal(*(one.exact_distribution(problem, preferences) for one in (halves[1], whole)))
    assert not torch.equal(*(one.exact_distribution(problem, preferences) for one in (halves[0], whole)))


class FailingGrid(moo.problems.hypergrid.HyperGrid):
    """Every cell with an even first coordinate fails."""

    def evaluate(self, solutions, generator=None):
        objectives = super().evaluate(solutions)
        return torch.where(solutions[:, :1] % 2 == 0, float("nan"), objectives)


@pytest.mark.parametrize("group", [1, 4])
def test_failed_objects_are_left_out_of_learning(group):
    problem = FailingGrid(height=8)
    result = moo.pareto_search(problem, "moreinforce", budget=2000, options={"group": group}, progress=False)
    assert result.record["failures"] > 200
    assert all(torch.isfinite(parameter).all() for parameter in result.generator.policy.parameters())


def test_a_batch_cut_within_a_group_is_evaluated_and_its_rest_left_out_of_learning():
    method, _ = made(budget=70, group=8, batch=64)
    seen, losses = [], method._losses
    method._losses = lambda *parts: (seen.append(len(parts[2])), losses(*parts))[1]
    told = [len(method.step(Dirichlet(method.problem, budget=1, seed=0, hyperparameters={}, alpha=1.0).suggest(9)))]
    told.append(len(spend_one(method)))
    assert told == [64, 6]
    assert seen == [64]


def test_vector_problems_are_met_on_a_lattice_and_measured_from_the_reference_point():
    result = moo.pareto_search(ToyVector(), "moreinforce", budget=3000, options=QUICK, progress=False)
    assert result.config["encoding"] == "construction"
    assert result.generator.state_dict()["scale"]["low"].tolist() == [-4.0, -4.0]  # the toy's own, maximised
    random = moo.pareto_search(ToyVector(), "random", budget=3000, progress=False)
    assert result.record["hypervolume"] > 0.9 * random.record["hypervolume"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": 3}, "`group` should divide `batch`, 64. Found 3"),
        ({"scalarisation": "goal"}, r"`scalarisation` should be one of \['weighted-sum', 'log-sum', 'tchebycheff'\]"),
        ({"entropy_fall": 1.5}, "`entropy_fall` should be from 0.0 to 1.0. Found 1.5"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        moo.pareto_search(GRID, "moreinforce", budget=10, options=options, progress=False)


def test_a_problem_without_features_is_refused():
    class Bare(ToyConstruction):
        features = property()

    with pytest.raises(ValueError, match="needs a construction problem with `features`"):
        moo.pareto_search(Bare(), "moreinforce", budget=10, progress=False)


def test_preferences_off_the_simplex_are_refused(trained):
    method, problem = trained
    for ask in (method.sample, lambda preferences: method.exact_distribution(problem, preferences)):
        with pytest.raises(ValueError, match="should be finite, at least 0 and sum to 1"):
            ask(torch.tensor([[0.5, 0.6]]))
