"""What objects are worth, against draws, another way to the same integral, and choosing one at a time."""

import itertools

import pytest
import torch
from inputs import ToyConstruction

from moo.base import Candidates
from moo.bayes.objects import ObjectBeliefs, ObjectLedger, new_objects
from moo.bayes.radial import RadialHypervolumeImprovement
from moo.dominance import non_dominated
from moo.gflow.trajectories import uniform_objects
from moo.indicators.volume import hypervolume
from moo.metered import metered
from moo.storage import read_state, write_state

WORDS = ToyConstruction().oracle.draw(torch.arange(121), None)  # every word


def believed(told=12, seed=0, m=2, waiting=0, failed=(), noise="none", stretch=1.0):
    """Beliefs given some words, those not told, and what all words are worth."""
    problem = ToyConstruction(m)
    order = torch.randperm(len(WORDS), generator=torch.Generator().manual_seed(seed))
    known, pending, others = WORDS[order].split([told, waiting, len(WORDS) - told - waiting])
    lost = torch.zeros(told, dtype=torch.bool)
    lost[list(failed)] = True
    values = torch.where(lost[:, None], torch.nan, problem.evaluate(known) * stretch)
    beliefs = ObjectBeliefs(metered(problem, 1000, 0), order=2, noise=noise, device="cpu")
    return beliefs, Candidates.of(known, values, failed=lost), pending, others


# --- the ledger -------------------------------------------------------------------------------------------------------


def ledger_with(asked=4, told=2):
    ledger = ObjectLedger((5,), 2)
    rows = ledger.ask(WORDS[:asked])
    objectives = torch.zeros(asked, 2, dtype=torch.float64)
    ledger.tell(Candidates.of(rows.solutions, objectives, id=rows.extras["id"]).rows(slice(told)))
    return ledger


def test_what_is_known_or_pending_is_not_new():
    ledger = ledger_with()
    assert torch.equal(ledger.new(WORDS[:6]), WORDS[4:6])
    assert len(ledger) == 4
    assert torch.equal(ledger.waiting, WORDS[2:4])
    assert ledger.ask(WORDS[5:6]).extras["id"].tolist() == [4]


def test_of_equal_objects_one_is_new():
    twice = torch.cat([WORDS[9:12], WORDS[8:11]])
    assert torch.equal(ledger_with().new(twice), WORDS[[9, 10, 11, 8]])


def test_ones_own_objects_are_known():
    ledger = ledger_with()
    ledger.tell(Candidates.of(WORDS[6:7], torch.zeros(1, 2, dtype=torch.float64), id=torch.tensor([-1])))
    assert len(ledger.new(WORDS[6:7])) == 0
    assert len(ledger) == 5


def test_a_stored_ledger_goes_on(tmp_path):
    ledger, other = ledger_with(), ObjectLedger((5,), 2)
    write_state(tmp_path / "state", ledger.state_dict())
    other.load_state_dict(read_state(tmp_path / "state"))
    assert torch.equal(other.new(WORDS[:6]), WORDS[4:6])
    assert torch.equal(other.waiting, ledger.waiting)
    assert torch.equal(other.known.solutions, ledger.known.solutions)
    assert other.asked == 4


def test_new_objects_are_looked_for_in_block_after_block():
    ledger, seen = ledger_with(), []

    def draw(block):
        seen.append(block)
        return WORDS[3 * block : 3 * block + 3]

    assert torch.equal(new_objects(ledger, draw, 4, 9), WORDS[4:9])
    assert seen == [0, 1, 2]
    assert len(new_objects(ledger, draw, 100, 3)) == 5


# --- what an object is worth ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [2, 3])
def test_worth_is_the_mean_gain_of_draws(m):
    beliefs, known, pending, others = believed(m=m)
    worth = beliefs.about(known, pending)
    point, rows = torch.full((m,), -0.1, dtype=torch.float64), beliefs.features(others)
    best = worth(rows).argsort(descending=True)[:3]
    means, sd = worth.surrogate.moments(rows[best])
    normal = torch.randn(2000, 3, m, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before = hypervolume(known.objectives, point)
    for i in range(3):
        drawn = means[0, i] + sd[i] * normal[:, i]
        after = [float(hypervolume(torch.cat([known.objectives, row[None]]), point)) for row in drawn]
        gain = torch.tensor(after) - before
        error = gain.std() / len(gain) ** 0.5
        assert abs(gain.mean() - worth(rows[best])[i].exp()) < 4 * error


def test_worth_of_all_objects_is_that_of_the_integral_along_rays():
    beliefs, known, pending, others = believed(m=3)
    worth, rows = beliefs.about(known, pending), beliefs.features(others)
    front = known.objectives[non_dominated(known.objectives)]
    point = torch.full((3,), -0.1, dtype=torch.float64)
    size = known.objectives.std(dim=0)
    rays = RadialHypervolumeImprovement(worth.surrogate, point, front, size=size, directions=512, seed=0)
    found, expected = worth(rows).exp(), rays.value(rows).exp()
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.1 * float(expected.max()))
    torch.testing.assert_close(found.sum(), expected.sum(), rtol=0.02, atol=0)


def test_known_objects_are_worth_nothing():
    beliefs, known, pending, others = believed()
    worth = beliefs.about(known, pending)
    told, rest = (worth(beliefs.features(part)) for part in (known.solutions, others))
    assert told.max() < rest.max() - 5


def test_pending_objects_are_worth_nothing_and_their_values_are_not_asked_for():
    beliefs, known, pending, _ = believed(waiting=4)
    before = beliefs.about(known, pending[:0])(beliefs.features(pending))
    after = beliefs.about(known, pending)
    assert (after(beliefs.features(pending)) < before - 3).all()
    assert len(after.reached) == 16


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_best_in_turn_are_those_found_one_at_a_time(m):
    beliefs, known, pending, others = believed(m=m, told=20)
    rows = beliefs.features(others)
    chosen, values = beliefs.about(known, pending).best_in_turn(rows, 6)
    taken = []
    for i in range(6):
        worth = beliefs.about(known, others[taken])(rows)
        worth[taken] = -torch.inf
        assert int(worth.argmax()) == chosen[i]
        torch.testing.assert_close(values[i].exp(), worth.max().exp(), rtol=1e-3, atol=1e-6)
        taken.append(int(worth.argmax()))
    assert len(set(taken)) == 6


def test_of_fewer_rows_all_are_chosen():
    beliefs, known, pending, others = believed()
    chosen, values = beliefs.about(known, pending).best_in_turn(beliefs.features(others[:3]), 9)
    assert sorted(chosen.tolist()) == [0, 1, 2]
    assert torch.isfinite(values).all()


def test_where_objects_failed_others_are_believed_to_fail():
    problem = ToyConstruction()
    doomed = (WORDS == 2).any(dim=1)  # with a letter c
    order = torch.randperm(121, generator=torch.Generator().manual_seed(0))
    known, others = order[:60], order[60:]
    values = torch.where(doomed[known, None], torch.nan, problem.evaluate(WORDS[known]))
    told = Candidates.of(WORDS[known], values, failed=doomed[known])
    beliefs = ObjectBeliefs(metered(problem, 1000, 0), order=2, noise="none", device="cpu")
    worth = beliefs.about(told, WORDS[:0])
    rows = beliefs.features(WORDS[others])
    likely = worth.log_success(rows).exp()
    assert likely[doomed[others]].mean() < 0.3
    assert likely[~doomed[others]].mean() > 0.7
    torch.testing.assert_close(worth(rows), worth.acquisition.value(rows) + worth.log_success(rows))
    first = int(worth.best_in_turn(rows, 1)[0])
    assert first == int(worth(rows).argmax())
    clean = beliefs.about(told.rows(~told.failed), WORDS[:0])
    assert not clean.log_success(rows).any()


def test_under_noise_the_front_is_what_is_believed():
    beliefs, known, pending, _ = believed(told=40, noise="learned")
    worth = beliefs.about(known, pending)
    means = worth.surrogate.moments(beliefs.features(known.solutions))[0][0]
    torch.testing.assert_close(worth.reached, means)
    assert not torch.equal(worth.reached, known.objectives)
    exact = believed(told=40)
    assert torch.equal(exact[0].about(known, pending).reached, known.objectives)


# --- fits -------------------------------------------------------------------------------------------------------------


def test_beyond_two_hundred_rows_a_fit_waits_for_more(monkeypatch):
    monkeypatch.setattr("moo.bayes.objects.EVERY_FIT", 40)
    beliefs, known, pending, _ = believed(told=90)
    fits = []
    for n in (10, 11, 11, 50, 51, 52, 52, 90):
        before = beliefs.state_dict()["fitted"].get("objectives", torch.zeros(1))
        beliefs.about(known.rows(slice(n)), pending)
        fits.append(not torch.equal(before, beliefs.state_dict()["fitted"]["objectives"]))
    assert fits == [True, True, False, True, False, True, False, True]


def test_stored_beliefs_go_on_exactly(tmp_path):
    beliefs, known, pending, others = believed()
    beliefs.about(known.rows(slice(8)), pending)
    rows = beliefs.features(others)
    expected = beliefs.about(known, pending)(rows)
    write_state(tmp_path / "state", beliefs.state_dict())
    other = believed()[0]
    other.load_state_dict(read_state(tmp_path / "state"))
    assert torch.equal(other.about(known, pending)(rows), expected)


def test_beliefs_do_not_depend_on_units():
    (small, known, pending, others), (large, stretched, *_) = believed(), believed(stretch=1000.0)
    rows = small.features(others)
    first = small.about(known, pending).surrogate.moments(rows)
    second = large.about(stretched, pending).surrogate.moments(rows)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(1000 * one, other, rtol=1e-3, atol=1e-2)


def test_all_words_are_here():
    words = {"".join(word) for k in range(5) for word in itertools.product("abc", repeat=k)}
    assert {word.rstrip("$") for word in ToyConstruction().decode(WORDS)} == words
    assert len(uniform_objects(ToyConstruction(), 3, torch.Generator())) == 3
