"""TorchJD's rules by our names: the same as its aggregators on the Jacobian; and ours against its own."""

import sys

import pytest
import torch

from moo.gradients import min_norm, smooth_tchebycheff, weights

aggregation = pytest.importorskip("torchjd.aggregation", reason="torchjd is not installed (extra `gradients`)")

PREFERENCES = torch.tensor([0.2, 0.5, 0.3]).double()
CASES = {
    "pcgrad": ({}, lambda: aggregation.PCGrad()),
    "cagrad": ({"c": 0.5}, lambda: aggregation.CAGrad(c=0.5)),
    "imtl_g": ({}, lambda: aggregation.IMTLG()),
    "nash_mtl": ({}, lambda: aggregation.NashMTL(n_tasks=3)),
    "upgrad": ({"preferences": PREFERENCES}, lambda: aggregation.UPGrad(PREFERENCES)),
    "dualproj": ({"preferences": PREFERENCES}, lambda: aggregation.DualProj(PREFERENCES)),
    "aligned_mtl": ({"preferences": PREFERENCES}, lambda: aggregation.AlignedMTL(PREFERENCES)),
}


def jacobian(seed=0, n=3, d=40):
    rows = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rows[0] -= 0.8 * rows[1]  # some conflict
    return rows


@pytest.mark.filterwarnings("ignore:You are solving a parameterized problem")  # CVXPY's, under TorchJD's aggregator
@pytest.mark.parametrize("name", [name for name in CASES if name != "pcgrad"])
def test_it_is_torchjds_aggregator(name):
    options, make = CASES[name]
    for seed in range(3):
        rows = jacobian(seed)
        found = weights(name, rows @ rows.T, **options) @ rows
        torch.testing.assert_close(found, make()(rows), rtol=1e-6, atol=1e-6)


def test_pcgrad_is_torchjds_under_its_seed():
    from moo.seeding import child_seed

    rows = torch.tensor([[1.0, 0.0], [-1.0, 0.3], [-0.5, -1.0]]).double()
    before = torch.get_rng_state()
    found = [weights("pcgrad", rows @ rows.T, seed=seed) for seed in range(6)]
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(found[2], weights("pcgrad", rows @ rows.T, seed=2))
    assert any(not torch.equal(found[0], other) for other in found)
    with torch.random.fork_rng():
        torch.manual_seed(child_seed(2, "pcgrad"))
        torch.testing.assert_close(found[2] @ rows, aggregation.PCGrad()(rows), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_batch_is_a_loop_and_the_defaults_serve(name):
    grams = torch.stack([jacobian(seed) @ jacobian(seed).T for seed in range(2)])
    found = weights(name, grams)
    assert found.shape == (2, 3)
    if name != "pcgrad":
        torch.testing.assert_close(found[1], weights(name, grams[1]))
    assert weights(name, grams.float()).dtype == torch.float32


def test_one_that_takes_a_row_of_preferences_says_so():
    with pytest.raises(ValueError, match=r"`preferences` should be one row, \[n\], for this rule"):
        weights("upgrad", torch.eye(3), preferences=torch.ones(2, 3))
    with pytest.raises(ValueError, match="`gram` should be finite"):
        weights("imtl_g", torch.eye(3) * torch.nan)


def test_without_torchjd_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    for name in CASES:
        with pytest.raises(ImportError, match=r"needs it: pip install 'moo-suite\[gradients\]'"):
            weights(name, torch.eye(3))


def test_a_missing_solver_says_the_same(monkeypatch):
    class Absent:
        def __init__(self, **options):
            raise ImportError("no cvxpy")

    monkeypatch.setattr(aggregation, "CAGradWeighting", Absent)
    with pytest.raises(ImportError, match=r"pip install 'moo-suite\[gradients\]'\. Found: no cvxpy"):
        weights("cagrad", torch.eye(3))


# ---------------------------------------------------------------------------------------------- ours beside TorchJD's
@pytest.mark.parametrize("n", [2, 3, 8, 16])
def test_the_shortest_combination_is_torchjds_within_its_gap_and_never_longer(n):
    for seed in range(4):
        rows = jacobian(seed, n, 100)
        gram = rows @ rows.T
        theirs = aggregation.MGDAWeighting()(gram)
        ours = min_norm(gram)
        best, other = float(ours @ gram @ ours), float(theirs @ gram @ theirs)
        assert best <= other * (1 + 1e-12)
        assert other <= best * 1.03  # 1 % at sixteen


def test_smooth_tchebycheff_is_torchjds():
    from torchjd.scalarization import STCH

    losses = torch.tensor([0.3, 0.9, 0.5], dtype=torch.float64, requires_grad=True)
    scalarizer = STCH(mu=0.1, weights=PREFERENCES)
    (expected,) = torch.autograd.grad(scalarizer(losses), losses)
    torch.testing.assert_close(smooth_tchebycheff(losses, PREFERENCES, 0.1), expected, rtol=1e-6, atol=1e-6)
