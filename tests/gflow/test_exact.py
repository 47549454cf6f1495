import gc

import pytest
import torch
from exact_policy import exact_policy, skewed

import moo
from moo.gflow.exact import _graphs, carried, policy_law, state_graph
from moo.gflow.policies import ConditionalPolicy
from moo.gflow.trajectories import follow, legal_chances
from moo.preferences import das_dennis
from moo.problems.hypergrid import HyperGrid


def table(problem, forward):
    """The chances of a policy given by states, for `carried`, where features are the coordinates of a grid."""

    def chances(features, mask):
        state = torch.cat([features, torch.zeros(len(features), 1, dtype=torch.int64)], dim=1)
        return (forward(state).exp() * mask)[None]

    return chances


@pytest.mark.parametrize("backward", [None, skewed], ids=["uniform", "skewed"])
@pytest.mark.parametrize("dim", [2, 3])
def test_a_balanced_flow_samples_the_target_whatever_the_backward_policy(backward, dim):
    problem = moo.get_problem("hypergrid", height=5 if dim == 2 else 3, dim=dim)
    preference = das_dennis(2, 4)[1:2]
    log_reward = 3 * problem.oracle.objectives.matmul(preference[0]).log()
    _, forward, _ = exact_policy(problem, log_reward, backward)
    found = carried(state_graph(problem), table(problem, forward), 1, len(log_reward))
    assert torch.allclose(found, problem.oracle.distribution(preference, 3.0), atol=1e-14)


def test_the_law_of_a_network_is_the_frequency_of_its_samples():
    problem = moo.get_problem("hypergrid:height=6")
    policy = ConditionalPolicy(
        problem.feature_sizes, 3, 2, hidden=8, layers=2, flow=False, backward=False, generator=torch.Generator()
    )
    encoded = torch.tensor([[0.0, 4.0], [3.0, -1.0]])
    law = policy_law(policy, problem, encoded)
    assert torch.allclose(law.sum(dim=1), torch.ones(2, dtype=torch.float64), atol=1e-6)
    assert (law[0] - law[1]).abs().sum() > 0.01
    for row in range(2):
        embedded = policy.condition(encoded[row : row + 1])

        def logits(state, rows, embedded=embedded):
            return policy.outputs(problem.features(state), embedded.expand(len(rows), -1)).logits.detach()

        drawn = follow(problem, 50_000, logits, torch.Generator().manual_seed(0)).objects
        counts = torch.bincount(problem.oracle.index(drawn), minlength=35) / 50_000
        assert (counts - law[row]).abs().max() < 5 * (0.25 / 50_000) ** 0.5


def test_chunks_change_nothing(monkeypatch):
    problem = moo.get_problem("hypergrid:height=7")
    policy = ConditionalPolicy(
        problem.feature_sizes, 3, 2, hidden=8, layers=2, flow=True, backward=True, generator=torch.Generator()
    )
    encoded = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    whole = policy_law(policy, problem, encoded)
    monkeypatch.setattr("moo.gflow.exact.ROWS", 6)
    assert torch.allclose(policy_law(policy, problem, encoded), whole, atol=1e-7)


def test_states_of_equal_features_count_once():
    """Strings of equal position, last letter and counts are one state: fewer than there are strings."""
    problem = moo.get_problem("ngrams:ngrams=AB+BA,alphabet=ABC,length=6,min_length=5")
    layers = state_graph(problem)
    assert sum(len(layer.features) for layer in layers) < sum(3**t for t in range(6)) / 4
    uniform = carried(layers, lambda _, mask: legal_chances(torch.zeros(mask.shape), mask)[None], 1, 100)
    drawn = follow(problem, 50_000, None, torch.Generator().manual_seed(0)).objects
    counts = torch.bincount(problem.oracle.index(drawn), minlength=100) / 50_000
    assert (uniform[0] - counts).abs().max() < 0.01


def test_a_problem_without_an_enumerable_oracle_is_refused():
    with pytest.raises(ValueError, match=r"whose oracle lists its objects. 'hypergrid' has none"):
        state_graph(moo.get_problem("hypergrid:dim=5"))


def test_too_many_states_are_refused(monkeypatch):
    monkeypatch.setattr("moo.gflow.exact.LARGEST", 20)
    with pytest.raises(ValueError, match="more than 20 states"):
        state_graph(moo.get_problem("hypergrid:height=8"))


# --- a graph that is kept ---------------------------------------------------------------------------------------------
class Counted(HyperGrid):
    """A grid that counts how often its moves are looked up."""

    steps = 0

    def step(self, state, actions):
        self.steps += 1
        return super().step(state, actions)


def law_of(problem):
    shape = {"hidden": 8, "layers": 2, "flow": False, "backward": False, "generator": torch.Generator().manual_seed(0)}
    policy = ConditionalPolicy(problem.feature_sizes, 3, 2, **shape)
    return policy_law(policy, problem, torch.randn(3, 2, generator=torch.Generator().manual_seed(1)))


def test_the_graph_of_a_problem_is_found_once_and_the_law_stays_bit_for_bit():
    problem = Counted(height=6)
    first = law_of(problem)
    steps = problem.steps
    assert steps > 0
    assert torch.equal(law_of(problem), first)
    assert problem.steps == steps
    assert torch.equal(law_of(Counted(height=6)), first)


def test_problems_of_one_name_have_graphs_of_their_own():
    small, large = Counted(height=4), Counted(height=6)
    assert small.name == large.name
    assert [sum(len(layer.features) for layer in state_graph(one)) for one in (small, large)] == [9, 25]


def test_a_graph_goes_with_its_problem():
    problem = Counted(height=4)
    state_graph(problem)
    assert problem in _graphs
    before = len(_graphs)
    del problem
    gc.collect()
    assert len(_graphs) < before


def test_a_large_graph_is_not_kept(monkeypatch):
    monkeypatch.setattr("moo.gflow.exact.KEPT", 8)
    problem = Counted(height=4)
    state_graph(problem)
    steps = problem.steps
    state_graph(problem)
    assert problem.steps == 2 * steps
