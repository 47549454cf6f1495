import torch
from inputs import ToyVector

from moo.choosing import make_tuner


def dirichlet(spec="dirichlet", seed=0, num_objectives=3):
    return make_tuner(spec, ToyVector(num_objectives), "toy-conditional", budget=10, seed=seed)[0]


def test_draws_lie_on_the_simplex_and_are_uniform_there():
    drawn = dirichlet().suggest(4000).preferences
    assert torch.allclose(drawn.sum(dim=1), torch.ones(4000, dtype=torch.float64))
    assert (drawn >= 0).all()
    # Uniform on the simplex of three: mean 1/3, variance 1/18, each entry below t with probability 1 - (1 - t)^2.
    assert torch.allclose(drawn.mean(dim=0), torch.full((3,), 1 / 3, dtype=torch.float64), atol=0.012)
    assert torch.allclose(drawn.var(dim=0), torch.full((3,), 1 / 18, dtype=torch.float64), atol=0.004)
    assert abs(float((drawn[:, 0] < 0.2).double().mean()) - 0.36) < 0.03


def test_alpha_moves_draws_to_corners_or_centre():
    corners, centre = (dirichlet(f"dirichlet:alpha={alpha}").suggest(500).preferences for alpha in (0.1, 50))
    assert corners.amax(dim=1).mean() > 0.85
    assert centre.amax(dim=1).mean() < 0.45


def test_rounds_differ_seeds_differ_and_state_goes_on():
    tuner, again, other = dirichlet(), dirichlet(), dirichlet(seed=1)
    first = tuner.suggest(5).preferences
    assert torch.equal(first, again.suggest(5).preferences)
    assert not torch.equal(first, other.suggest(5).preferences)
    second = tuner.suggest(5).preferences
    assert not torch.equal(first, second)
    again.load_state_dict({"round": 1})
    assert torch.equal(second, again.suggest(5).preferences)
