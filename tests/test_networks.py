import torch

from moo.networks import SummedEmbeddings, descend, linear, mlp


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_first_weights_come_from_the_stream_alone():
    before = torch.get_rng_state()
    first, again, other = (mlp([3, 5, 2], stream(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first[0].weight, other[0].weight)


def test_a_linear_layer_is_initialised_as_torch_does():
    weights = linear(400, 300, stream()).weight
    assert weights.abs().max() <= 1 / 20
    assert abs(weights.std().item() - 1 / 20 / 3**0.5) < 1e-3


def test_sizes_and_no_rectifier_at_the_end():
    net = mlp([3, 5, 2], stream())
    assert [type(layer).__name__ for layer in net] == ["Linear", "LeakyReLU", "Linear"]
    assert net(torch.randn(7, 3, generator=stream())).shape == (7, 2)


def test_summed_embeddings_are_a_linear_layer_on_one_hot_columns():
    sizes = (3, 5, 2)
    layer = SummedEmbeddings(sizes, 4, stream())
    columns = torch.tensor([[0, 0, 0], [2, 4, 1], [1, 3, 0]])
    hot = torch.cat([torch.nn.functional.one_hot(columns[:, j], size) for j, size in enumerate(sizes)], dim=1)
    assert torch.allclose(layer(columns), hot.float() @ layer.table)


def test_few_combinations_have_vectors_of_their_own():
    sizes = (3, 5)
    apart, together = SummedEmbeddings(sizes, 4, stream()), SummedEmbeddings(sizes, 4, stream(), joint=15)
    assert SummedEmbeddings(sizes, 4, stream(), joint=14).table.shape == apart.table.shape == (8, 4)
    assert together.table.shape == (8 + 15, 4)
    every = torch.cartesian_prod(torch.arange(3), torch.arange(5))
    with torch.no_grad():
        together.table[:8] = 0
    assert len(together(every).unique(dim=0)) == 15
    assert torch.allclose(together(every).unique(dim=0), together.table[8:].unique(dim=0))


def test_learning_rates_fall_to_nothing_along_a_cosine_and_gradients_are_clipped():
    weight = torch.nn.Parameter(torch.zeros(2))
    other = torch.nn.Parameter(torch.zeros(1))
    sgd = torch.optim.SGD([{"params": [weight]}, {"params": [other]}], lr=1.0)
    for done, share in ((0.0, 1.0), (0.5, 0.5), (1.0, 0.0), (2.0, 0.0)):
        before = weight.detach().clone(), other.detach().clone()
        descend(sgd, 30 * weight[0] + 40 * other[0], (0.1, 0.2), done, clip=5.0)
        assert torch.allclose(before[0] - weight.detach(), share * 0.1 * torch.tensor([3.0, 0.0]), atol=1e-6)
        assert torch.allclose(before[1] - other.detach(), share * 0.2 * torch.tensor([4.0]), atol=1e-6)
