"""The layer for sets: against a literal loop over rows, and what it has to ignore."""

import pytest
import torch
from torch.nn.functional import leaky_relu

from moo.gflow.policies import ConditionalPolicy, logits_for, policy_for, score
from moo.gflow.sets import RowEmbeddings
from moo.gflow.trajectories import follow
from moo.problems.hypergrid import HyperGrid

SIZES = (4, 2, *(5, 3) * 3)


def layer(width=6, seed=0):
    return RowEmbeddings(SIZES, 3, 2, width, torch.Generator().manual_seed(seed))


def random_features(n, seed=1):
    stream = torch.Generator().manual_seed(seed)
    features = torch.stack([torch.randint(0, size, (n,), generator=stream) for size in SIZES], dim=1)
    features[::3, 4:6] = 0  # no part
    return features


class Rows(HyperGrid):
    """A grid whose coordinates are said to be parts."""

    feature_rows = (2, 1)


def test_it_is_a_loop_over_parts():
    net, features = layer(), random_features(20)
    expected = []
    for row in features.tolist():
        added = torch.zeros(6)
        for place in range(3):
            a, b = row[2 + 2 * place : 4 + 2 * place]
            if (a, b) != (0, 0):
                added += leaky_relu(net.rows[a] + net.rows[5 + b] + net.rows[8 + place])
        expected.append(net.whole[row[0]] + net.whole[4 + row[1]] + added @ net.mixing)
    assert torch.allclose(net(features), torch.stack(expected), atol=1e-6)


def test_rows_of_zeros_are_no_parts():
    net, features = layer(), random_features(5)
    features[:, 2:] = 0
    assert torch.allclose(net(features), net.whole[features[:, 0]] + net.whole[4 + features[:, 1]])


def test_every_parameter_learns_and_the_seed_says_where_it_begins():
    net = layer()
    net(random_features(200)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())
    again, other = layer(), layer(seed=1)
    assert torch.equal(net.rows, again.rows)
    assert not torch.equal(net.rows, other.rows)


def test_a_problem_of_parts_gets_it_and_samples_by_it():
    problem, stream = Rows(height=5, dim=3), torch.Generator().manual_seed(0)
    shape = {"hidden": 16, "layers": 1, "flow": True, "backward": True, "generator": stream}
    net = policy_for(problem, 3, **shape)
    assert isinstance(net, ConditionalPolicy)
    assert isinstance(net.features, RowEmbeddings)
    encoded = torch.rand(30, 3)
    logits = logits_for(net, problem, encoded)
    found = follow(problem, 30, logits, torch.Generator().manual_seed(1))
    state = found.states[2]
    rows = torch.arange(30)
    with torch.no_grad():
        expected = net.outputs(problem.features(state), net.condition(encoded)).logits
    assert torch.allclose(logits(state, rows), expected, atol=1e-6)
    score(net, problem, found, encoded).log_forward.sum().backward()
    assert net.features.rows.grad.abs().sum() > 0


@pytest.mark.parametrize(("rows", "shared"), [(4, 2), (3, 1), (8, 0), (9, 2)])
def test_rows_have_the_same_columns(rows, shared):
    with pytest.raises(ValueError, match=r"`feature_rows` should divide the columns after the first"):
        RowEmbeddings(SIZES, rows, shared, 6, torch.Generator())
