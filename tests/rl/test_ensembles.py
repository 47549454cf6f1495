"""Ensembles by hand, and what they do against the over-optimisation of proxies, exactly on bandits."""

import pytest
import torch

import moo
from moo.problems.text import Text
from moo.rl.ensembles import Ensemble, joined

ROWS = torch.tensor([[1.0, 4.0], [3.0, 4.0]], dtype=torch.float64)


@pytest.mark.parametrize(("reading", "expected"), [("mean", [2, 4]), ("worst", [1, 4]), ("uncertainty", [1.5, 4])])
def test_rewards_are_joined_by_hand(reading, expected):
    assert joined(ROWS, reading, 0.5).tolist() == expected
    alone = joined(ROWS[:1], reading, 0.5)
    assert torch.equal(alone, ROWS[0])


def test_a_members_nan_is_not_hidden():
    spoiled = torch.tensor([[1.0, float("nan")], [3.0, 4.0]])
    for reading in ("mean", "worst", "uncertainty"):
        assert joined(spoiled, reading).isnan().tolist() == [False, True]


def test_functions_of_texts_are_joined():
    reward = Ensemble(
        [lambda prompts, texts: [len(text) for text in texts], lambda prompts, texts: torch.ones(2)], "worst"
    )
    assert reward(["", ""], ["", "abc"]).tolist() == [0.0, 1.0]
    problem = Text({"short": reward, "same": lambda prompts, texts: [1.0] * len(texts)})
    assert problem.score(["", ""], ["", "abc"]).tolist() == [[0.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: joined(ROWS, "best"), ValueError, r"Unknown reading 'best' of an ensemble"),
        (lambda: joined(ROWS[:0]), ValueError, r"`rewards` should have shape \[members, ...\], one member at least"),
        (lambda: joined(ROWS, "uncertainty", -1.0), ValueError, r"`penalty` should be at least 0"),
        (lambda: Ensemble([len, 3]), TypeError, r"`members` should be functions\. Found 3"),
        (lambda: Ensemble([]), ValueError, r"one member at least"),
        (lambda: Ensemble([lambda _: [1], lambda _: [1, 2]])(0), ValueError, r"give one shape\. Found \(1,\), \(2,\)"),
    ],
)
def test_what_cannot_be_joined_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_bandits_proxies_err_as_said_and_the_gold_rewards_stay():
    true = moo.get_problem("bandit:arms=3000,num_objectives=2")
    proxied = moo.get_problem("bandit:arms=3000,num_objectives=2,members=4,error=0.3,ensemble=worst")
    assert torch.equal(proxied.gold, true.rewards)
    assert torch.equal(true.gold, true.rewards)
    assert proxied.proxies.shape == (4, 3000, 2)
    assert torch.equal(proxied.rewards, proxied.proxies.amin(dim=0))
    away = proxied.proxies - proxied.gold
    assert float(away.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(away.square().mean()) == pytest.approx((2 * 0.3) ** 2 / 3, rel=0.05)  # of an even spread
    assert (away[0] * away[1]).mean().abs() < 0.01  # each errs by itself
    more = moo.get_problem("bandit:arms=3000,num_objectives=2,members=6,error=0.3,ensemble=worst")
    assert not torch.equal(more.rewards, proxied.rewards)


def climbed(problems, members, reading):
    """Proxy and gold reward of the policies `softmax(sharpness * proxy)`, exactly, `[layouts, sharpness]` each."""
    sharpness = torch.tensor([0.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0], dtype=torch.float64)
    proxies = torch.stack([problem.proxies[:members, :, 0] for problem in problems], dim=1)
    gold = torch.stack([problem.gold[:, 0] for problem in problems])
    proxy = joined(proxies, reading, 2.0)
    chances = torch.softmax(sharpness[:, None, None] * proxy, dim=2)
    return (chances * proxy).sum(dim=2).T, (chances * gold).sum(dim=2).T


def test_a_single_proxy_is_over_optimised_and_ensembles_lessen_it():
    # the harder a policy climbs, the more its proxy says; its gold reward rises, and falls again
    told = "bandit:arms=20,num_objectives=2,members=5,error=0.6,layout="
    problems = [moo.get_problem(f"{told}{layout}") for layout in range(120)]
    ends, lost, promised = {}, {}, {}
    for members, reading in ((1, "mean"), (5, "mean"), (5, "worst"), (5, "uncertainty")):
        proxy, gold = climbed(problems, members, reading)
        assert (proxy.diff(dim=1) > -1e-9).all()
        name = reading if members > 1 else "single"
        ends[name] = float(gold[:, -1].mean())
        lost[name] = float((gold.amax(dim=1) - gold[:, -1]).mean())
        promised[name] = float((proxy - gold)[:, -1].mean())
    assert lost["single"] > 0.05
    for reading in ("mean", "worst", "uncertainty"):
        assert ends[reading] > ends["single"] + 0.05, reading
        assert lost[reading] < 0.7 * lost["single"], reading
        assert promised[reading] < 0.5 * promised["single"], reading
