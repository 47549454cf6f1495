"""Judges: what they are told, how they are found, and what is refused."""

import numpy as np
import pytest
import torch
from inputs import ToyConstruction, ToyEnvironment
from judging import long

import moo
from moo.base import Candidates, Evaluation
from moo.metered import metered
from moo.rl.episodes import Episodes
from moo.rl.judges import ConstraintJudge, ReturnJudge, Samples, ScoreJudge, find_judges, samples_of, verdicts

RETURNS = torch.tensor([[1.0, -2.0], [0.0, 3.0], [0.5, 0.5]], dtype=torch.float64)
SAMPLES = Samples(RETURNS, torch.tensor([[0, 1], [2, -1], [1, 1]]))
ALL = torch.ones(1, 3, dtype=torch.bool)


def some_episodes():
    """Two policies with two episodes of at most two steps; the second failed."""
    moves = torch.tensor([[[True, False], [True, True]], [[True, True], [True, False]]])
    rewards = torch.arange(16, dtype=torch.float64).reshape(2, 2, 2, 2) * moves[..., None]
    failed = torch.tensor([[False, True], [False, False]])
    actions = torch.arange(8).reshape(2, 2, 2)
    inputs = torch.zeros(2, 2, 2, 1)
    return Episodes(inputs, None, actions, torch.zeros(2, 2, 2), moves, rewards, failed, torch.zeros_like(failed))


def test_judges_are_told_of_sound_samples_in_the_problems_own_directions():
    told = samples_of(some_episodes(), None, ("max", "min"))
    assert told.returns.tolist() == [[0.0, -1.0], [8.0 + 10.0, -9.0 - 11.0], [12.0, -13.0]]
    assert told.actions.tolist() == [[0, -1], [4, 5], [6, -1]]
    assert (told.solutions, told.constraints, told.completions) == (None, None, None)
    assert len(told) == 3


def test_judges_are_told_of_the_objects_that_were_built():
    solutions = torch.arange(8).reshape(4, 2)
    rows = Candidates.of(solutions, torch.zeros(4, 2).double(), constraints=torch.arange(4.0)[:, None])
    told = samples_of(some_episodes(), rows, ("max", "max"))
    assert told.solutions.tolist() == [[0, 1], [4, 5], [6, 7]]
    assert told.constraints.tolist() == [[0.0], [2.0], [3.0]]


def test_rules_are_read_off_returns_and_constraints():
    assert ReturnJudge(0, 0.5)(SAMPLES).tolist() == [True, False, True]
    assert ReturnJudge(1, 0.5, "min")(SAMPLES).tolist() == [True, False, True]
    constrained = Samples(RETURNS, SAMPLES.actions, constraints=torch.tensor([[1.0, 0.0], [0.0, 0.1], [-1.0, -1.0]]))
    assert [ConstraintJudge(i)(constrained).tolist() for i in (0, 1)] == [[False, True, True], [True, False, True]]


def test_a_models_scores_are_held_against_a_value():
    judge = ScoreJudge(lambda samples: samples.returns[:, 0].numpy(), 0.5)
    assert judge(SAMPLES).tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"What a judge's model says should hold no NaN\. Sample 0 is NaN\."):
        ScoreJudge(lambda samples: samples.returns[:, 0] * float("nan"), 0.5)(SAMPLES)


def test_verdicts_stand_where_the_samples_do_and_no_judge_hears_of_the_others():
    episodes, heard = some_episodes(), []

    def judge(samples):
        heard.append(len(samples))
        return [True, False, True]

    found = verdicts({"one": judge, "long": long}, samples_of(episodes, None, ("max",) * 2), episodes.sound)
    assert found[..., 0].tolist() == [[True, False], [False, True]]
    assert found[..., 1].tolist() == [[False, False], [True, False]]
    assert heard == [3]


@pytest.mark.parametrize("answer", [[1, 0, 1], np.array([1.0, 0.0, 1.0]), torch.tensor([True, False, True])])
def test_answers_are_read_from_lists_arrays_and_tensors(answer):
    assert verdicts({"it": lambda _: answer}, SAMPLES, ALL)[0, :, 0].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ([True, False], ValueError, r"What judge 'it' says should have shape \[3\], one for each sample. Found \[2\]"),
        (torch.ones(3, 1), ValueError, r"should have shape \[3\], one for each sample. Found \[3, 1\]"),
        (True, ValueError, r"Found \[\]"),
        ([1.0, float("nan"), 0.0], ValueError, r"What judge 'it' says should hold no NaN. Sample 1 is NaN"),
        ([1.0, 0.0, 0.7], ValueError, r"Judge 'it' should say true or false of each sample. Of sample 2 it says 0.7"),
        ("yes", TypeError, r"What judge 'it' says should be 3 numbers. Found str"),
        (None, ValueError, r"Found \[\]"),
    ],
)
def test_other_answers_are_refused(answer, error, message):
    with pytest.raises(error, match=message):
        verdicts({"it": lambda _: answer}, SAMPLES, ALL)


class Offering(ToyEnvironment):
    judges = {"short": lambda samples: ~long(samples), "never": lambda samples: torch.zeros(len(samples))}


def test_a_problem_offers_judges_and_others_are_named():
    problem = metered(Offering(), 100, 0)
    assert list(find_judges(problem, None)) == ["short", "never"]
    assert list(find_judges(problem, "never")) == ["never"]
    assert find_judges(problem, []) == {}
    named = find_judges(problem, ["judging:long", "short"])
    assert named["judging:long"](SAMPLES).tolist() == [True, False, True]
    assert find_judges(metered(ToyEnvironment(), 100, 0), None) == {}


class Limited(ToyConstruction):
    num_constraints = 2

    def evaluate(self, solutions, generator=None):
        return Evaluation(super().evaluate(solutions), torch.zeros(len(solutions), 2))


def test_constraints_of_a_problem_are_judges():
    assert list(find_judges(metered(Limited(), 100, 0), None)) == ["constraint 1", "constraint 2"]


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ("shorter", ValueError, r"Unknown judge 'shorter'\. Did you mean 'short'\? .* Another one is named as"),
        ("inputs:nothing", ValueError, r"A judge should be named as 'module:function'. 'inputs:nothing': "),
        ("no_module:nothing", ValueError, r"A judge should be named as 'module:function'. 'no_module:nothing': "),
        (["short", "short"], ValueError, r"`judges` should name each judge once. 'short' stands there twice"),
        (3, TypeError, r"`judges` should be names of judges or 'module:function', or several of these. Found 3"),
        ([long], TypeError, r"`judges` should be names of judges or"),
    ],
)
def test_other_names_are_refused(said, error, message):
    with pytest.raises(error, match=message):
        find_judges(metered(Offering(), 100, 0), said)


def test_a_bandits_rules_are_kept_by_about_half_of_the_arms_and_by_one_at_least():
    problem = moo.get_problem("bandit:arms=4000,rules=2")
    assert list(problem.judges) == ["rule 1", "rule 2"]
    assert (problem.kept.double().mean(dim=0) - 0.5).abs().max() < 0.04
    assert abs(float(problem.kept.all(dim=1).double().mean()) - 0.25) < 0.04
    arms = torch.arange(4000)[:, None]
    told = Samples(problem.rewards, arms)
    assert torch.equal(problem.judges["rule 2"](told), problem.kept[:, 1])
    for layout in range(20):
        assert moo.get_problem(f"bandit:arms=2,rules=8,layout={layout}").kept.all(dim=1).any()
    assert torch.equal(problem.rewards, moo.get_problem("bandit:arms=4000").rewards)
