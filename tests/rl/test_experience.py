"""Experience: what is stored of windows, against episodes replayed step by step; what networks see."""

from types import SimpleNamespace

import pytest
import torch
from inputs import ToyEnvironment

from moo.metered import metered
from moo.rl.experience import Aims, Experience, Sight, spread_shares
from moo.rl.off_policy import DoubleQ
from moo.rl.policies import stacked
from moo.rl.utilities import utility

P = 3
SAID = {"copies": 2, "steps": 5, "backup": 1, "capacity": 3000, "exploration": "uniform", "share": 1.0}
NET = SimpleNamespace(learning_rate=0.01, hidden=4, layers=1, longest=1.0, target_share=0.1)
PREFERENCES = torch.tensor([[1.0, 0.0], [0.3, 0.7], [0.5, 0.5]], dtype=torch.float64)


class Free(ToyEnvironment):
    """All is legal, and it says so."""

    def action_mask(self, state):
        return None


def made(problem=None, budget=10_000, by_utility=False, playing=P, told=False, **said):
    problem = metered(problem or Free(), budget, 0)
    sight = Sight(problem, by_utility, told)
    experience = Experience(problem, P, playing, SimpleNamespace(**{**SAID, **said}), by_utility, sight)
    learner = DoubleQ(P, sight.columns, 2, 1 if by_utility else 2, NET, stream())
    weights = torch.ones(P, 1) if by_utility else PREFERENCES
    return experience, learner, Aims(PREFERENCES, PREFERENCES, weights)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def live(windows=6, playing=None, **options):
    experience, learner, aims = made(playing=P if playing is None else len(playing), **options)
    for number in range(windows):
        experience.collect(playing, learner, aims, stream(number))
    return experience, aims


def stored(experience, policy):
    """What is kept of a policy, in order."""
    state = experience.replay.state_dict()
    return {name: part[policy, : int(state["counts"][policy])] for name, part in state["data"].items()}


class Masked(ToyEnvironment):
    """At even places to the right of the start one may only go on."""

    def action_mask(self, state):
        mask = torch.ones(len(state), 2, dtype=torch.bool)
        mask[:, 0] = ~((state[:, 0] > 0) & (state[:, 0] % 2 == 0))
        return mask


def test_what_is_stored_obeys_the_environment():
    experience, _ = live(20)
    for policy in range(P):
        rows = stored(experience, policy)
        assert len(rows["rewards"]) == 20 * 5 * 2
        place = rows["observations"][:, 0].double() + torch.where(rows["actions"] > 0, 1, -1)
        ended = (place <= -2) | (place >= 6)
        treasure = (place <= -2) * 1.0 + (place >= 6) * 10.0
        assert torch.equal(rows["following"][:, 0].double(), place)
        assert torch.equal(rows["ended"], ended)
        assert torch.equal(rows["rewards"], torch.stack([treasure, -torch.ones_like(treasure)], dim=1).float())
        assert (rows["counts"] == 1).all()
        assert ended.any()


def test_only_those_who_act_get_transitions():
    experience, _ = live(playing=torch.tensor([2, 0]))
    assert experience.replay.counts.tolist() == [60, 0, 60]


def test_returns_so_far_and_times_are_those_of_each_episode():
    experience, _ = live(by_utility=True)
    for policy in range(P):
        rows = stored(experience, policy)
        for copy in range(2):  # windows of five steps of two copies, one step after the other
            own = {name: part.reshape(6 * 5, 2, *part.shape[1:])[:, copy] for name, part in rows.items()}
            accrued, time = torch.zeros(2), 0
            for step in range(30):
                assert int(own["times"][step]) == time
                assert torch.allclose(own["accrued"][step], accrued, atol=1e-5)
                accrued = accrued + 0.9**time * own["rewards"][step]
                time += 1
                if own["ended"][step]:
                    accrued, time = torch.zeros(2), 0
        assert rows["ended"].any()
        assert (rows["times"] < 12).all()


def test_cuts_end_a_utility_and_not_a_return():
    for by_utility in (False, True):
        experience, _ = live(40, by_utility=by_utility)
        rows = [stored(experience, policy) for policy in range(P)]
        place, ended = (torch.cat([part[name] for part in rows]) for name in ("following", "ended"))
        inside = (place[:, 0] > -2) & (place[:, 0] < 6)
        assert bool((ended & inside).any()) == by_utility
        if by_utility:
            times = torch.cat([part["times"] for part in rows])
            assert torch.equal(ended, ~inside | (times == 11))


def test_the_range_is_that_of_finished_episodes():
    experience, _ = live(12)
    problem, finished = ToyEnvironment(), []
    for policy in range(P):
        rows = stored(experience, policy)
        own = rows["rewards"].reshape(60, 2, 2)
        ended = rows["ended"].reshape(60, 2)
        for copy in range(2):
            total, time = torch.zeros(2), 0
            for step in range(60):
                total, time = total + problem.gamma**time * own[step, copy], time + 1
                if ended[step, copy] or time == problem.max_steps:
                    finished.append(total)
                    total, time = torch.zeros(2), 0
    finished = torch.stack(finished).double()
    assert torch.allclose(experience.low, finished.amin(dim=0), atol=1e-5)
    assert torch.allclose(experience.high, finished.amax(dim=0), atol=1e-5)
    assert torch.allclose(experience.span, finished.amax(dim=0) - finished.amin(dim=0), atol=1e-5)
    assert torch.allclose(experience.ideal_point * experience.span, experience.high)
    experience.note(torch.tensor([[99.0, -99.0]]))
    assert (float(experience.high[0]), float(experience.low[1])) == (99.0, -99.0)


def test_nothing_known_the_unit_is_one():
    experience, *_ = made()
    assert not experience.known
    assert experience.span.tolist() == experience.ideal_point.tolist() == [1.0, 1.0]


def test_failed_steps_are_not_learned_from():
    experience, _ = live(problem=ToyEnvironment(nan_at=2))
    for policy in range(P):
        rows = stored(experience, policy)
        assert (rows["following"] != 2).all()
        assert torch.isfinite(rows["rewards"]).all()
    assert experience.replay.counts.sum() < 180


def test_steps_that_the_budget_did_not_pay_are_not_kept():
    experience, _ = live(1, budget=20)
    assert int(experience.replay.counts.sum()) == 20


def test_legal_actions_are_those_of_both_places_and_cuts_are_left_out():
    experience, _ = live(30, problem=Masked())
    for policy in range(P):
        rows = stored(experience, policy)
        for name, seen in (("legal", "observations"), ("legal_following", "following")):
            inside = ~rows["ended"] if seen == "following" else torch.ones_like(rows["ended"])
            expected = Masked().action_mask(rows[seen].double())
            assert torch.equal(rows[name][inside], expected[inside])
        assert rows["legal"].gather(1, rows["actions"].long()[:, None]).all()
    assert int(experience.replay.counts.sum()) < 30 * 30  # episodes of 12 steps were cut


def test_samples_are_in_units_and_weighed_for_their_readers():
    experience, aims = live(backup=3)
    rows = torch.tensor([1])
    pools = torch.tensor([[True, False, True]])
    given = experience.samples(rows, pools, aims, "weighted-sum", 50, stream(9))
    raw = experience.replay.sample(pools, 50, stream(9))
    assert torch.allclose(given.rewards, (raw["rewards"] / experience.span).float())
    assert torch.allclose(given.discounts, 0.9 ** raw["counts"].float())
    assert raw["counts"].unique().tolist() == [1, 2, 3]
    assert torch.equal(given.weights, PREFERENCES[1:2])
    assert torch.equal(given.inputs[0], experience.sight.observer(raw["observations"][0]))
    assert torch.equal(given.following[0], experience.sight.observer(raw["following"][0]))


@pytest.mark.parametrize("scalarisation", ["weighted-sum", "tchebycheff"])
@pytest.mark.parametrize("backup", [1, 4])
def test_utility_gained_adds_up_to_that_of_the_whole_return(scalarisation, backup):
    """Along an episode the rewards of ESR sum to the utility of its return, less that of nothing."""
    experience, aims = live(12, by_utility=True, backup=backup)
    pools = torch.eye(P, dtype=torch.bool)
    given = experience.samples(None, pools, aims, scalarisation, 400, stream())
    raw = experience.replay.sample(pools, 400, stream())
    assert torch.equal(given.discounts, torch.ones(P, 400))
    for k in range(P):
        for b in range(0, 400, 7):
            accrued, count = raw["accrued"][k, b].double(), int(raw["counts"][k, b])
            after = accrued + 0.9 ** int(raw["times"][k, b]) * raw["rewards"][k, b].double()
            worth = [
                utility(part / experience.span, PREFERENCES[k], experience.ideal_point, scalarisation)
                for part in (accrued, after)
            ]
            assert float(given.rewards[k, b, 0]) == pytest.approx(float(worth[1] - worth[0]), abs=1e-5)
            assert torch.allclose(given.beside_following[k, b].double(), after / experience.span, atol=1e-5)
            time = int(raw["times"][k, b]) + count
            assert given.following[k, b, -2:].tolist() == pytest.approx([0.9**time, time / 12], abs=1e-6)


def test_networks_see_what_they_are_shown():
    problem = metered(ToyEnvironment(), 10, 0)
    seen, times = torch.tensor([[0.0], [3.0]]), torch.tensor([0, 6])
    plain, timed, told = (Sight(problem, *flags) for flags in ((False, False), (True, False), (True, True)))
    assert (plain.columns, timed.columns, told.columns) == (25, 27, 29)
    shown = told(seen, times, PREFERENCES[:2])
    assert torch.equal(shown[:, :25], plain(seen, times, PREFERENCES[:2]))
    assert shown[1, 25:].tolist() == pytest.approx([0.9**6, 0.5, 0.3, 0.7])


def test_folded_actors_are_those_of_the_whole_input():
    problem = metered(ToyEnvironment(), 10, 0)
    sight, draw = Sight(problem, True, True), stream()
    rows = {
        "actor.weights.0": torch.randn(P, 29, 4, generator=draw),
        "actor.biases.0": torch.randn(P, 1, 4, generator=draw),
    }
    folded = sight.folded(rows, PREFERENCES)
    seen, times = torch.tensor([[1.0], [-2.0]]), torch.tensor([4, 4])
    for policy in range(P):
        inputs = sight(seen, times, PREFERENCES[policy].expand(2, 2))
        whole = stacked(
            [rows["actor.weights.0"][policy : policy + 1]], [rows["actor.biases.0"][policy : policy + 1]], inputs[None]
        )
        biases = folded["actor.biases.0"] + sight.clock(times[:1]) @ folded["clock"]
        plain = stacked(
            [folded["actor.weights.0"][policy : policy + 1]],
            [biases[policy : policy + 1]],
            sight.observer(seen)[None],
        )
        assert torch.allclose(whole, plain, atol=1e-6)


@pytest.mark.parametrize(("share", "copies"), [(0.5, 4), (0.2, 3), (0.9, 5), (0.0, 2), (1.0, 2), (0.3, 1)])
def test_shares_are_spread_around_their_mean(share, copies):
    found = spread_shares(share, copies)
    assert float(found.mean()) == pytest.approx(share)
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (found.diff() > 0).all() == (0 < share < 1)


def test_copies_explore_by_their_shares():
    experience, learner, aims = made(copies=4, share=0.5, exploration="uniform", steps=400, capacity=30_000)
    for parameter in learner.critic.parameters():
        parameter.data[:] = 0.0
    learner.critic.biases[-1].data[..., :2] = 1.0  # left is best
    experience.collect(None, learner, aims, stream())
    actions = stored(experience, 0)["actions"].reshape(400, 4)
    assert (actions == 1).float().mean(dim=0).tolist() == pytest.approx([1 / 16, 3 / 16, 5 / 16, 7 / 16], abs=0.06)


def test_a_stored_experience_goes_on():
    one, learner, aims = made(by_utility=True, exploration="sticky")
    other, *_ = made(by_utility=True, exploration="sticky")
    for number in range(3):
        one.collect(None, learner, aims, stream(number))
    other.load_state_dict(one.state_dict())
    other.problem.load_state_dict(one.problem.state_dict())
    for each in (one, other):
        each.collect(None, learner, aims, stream(7))
    for policy in range(P):
        for name, part in stored(one, policy).items():
            assert torch.equal(part, stored(other, policy)[name]), name
    assert torch.equal(one.low, other.low)
