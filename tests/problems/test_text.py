"""Text problems: rewards become objectives, in order, and what is not a reward or a prompt is refused."""

import numpy as np
import pytest
import torch
from offline_bed import need_bed

import moo
from moo.problems.text import Text


def vowels(prompts, completions):
    return [sum(letter in "aeiou" for letter in text) for text in completions]


def echo(prompts, completions):
    return torch.tensor([float(text.startswith(prompt)) for prompt, text in zip(prompts, completions, strict=True)])


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def test_each_reward_is_an_objective_of_its_name():
    problem = Text({"vowels": vowels, "echo": echo}, ["a", "b"])
    assert (problem.kind, problem.unit, problem.num_objectives) == ("text", "completions", 2)
    assert problem.objective_names == ("vowels", "echo")
    scores = problem.score(["a", "b"], ["aha", "aha"])
    assert scores.dtype == torch.float64
    assert scores.tolist() == [[2, 1], [2, 0]]
    assert problem.score([], []).shape == (0, 2)


def test_rewards_see_prompts_and_completions_once_and_in_order():
    seen = []

    def spy(prompts, completions):
        seen.append((list(prompts), list(completions)))
        return np.zeros(len(completions))

    Text({"spy": spy, "vowels": vowels}).score(["x", "y"], ["one", "two"])
    assert seen == [(["x", "y"], ["one", "two"])]


def test_a_reward_may_say_that_a_text_has_none():
    assert Text({"none": lambda p, c: [float("nan"), 1.0], "vowels": vowels}).score(["", ""], ["a", "b"]).isnan().any()


def test_prompts_are_drawn_without_repetition_where_there_are_enough():
    problem = Text({"vowels": vowels, "echo": echo}, list("abcdef"))
    drawn = problem.prompts(6, stream())
    assert sorted(drawn) == list("abcdef")
    assert drawn == problem.prompts(6, stream())
    assert drawn != problem.prompts(6, stream(1))
    assert sorted(problem.prompts(13, stream()))[:2] == ["a", "a"]
    assert len(problem.prompts(13, stream())) == 13
    assert problem.prompts(0, stream()) == []
    assert Text({"vowels": vowels}).prompts(2, stream()) == ["", ""]


def test_a_reference_point_is_the_callers():
    own = {"vowels": vowels, "echo": echo}
    assert Text(own).reference_point is None
    assert Text(own, reference_point=[-1, 0]).reference_point.tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"objectives": "sentimet"}, ValueError, r"Unknown reward 'sentimet'. Did you mean 'sentiment'\? Known: "),
        (
            {"objectives": ["length", "length"]},
            ValueError,
            "`objectives` should be different from each other. 'length'",
        ),
        ({"objectives": {"x": 3}}, TypeError, "Reward 'x' should be a function of prompts and completions. Found 3"),
        ({"objectives": {}}, ValueError, "`objectives` should name at least one reward. Found none"),
        (
            {"prompts": "some"},
            ValueError,
            r"Unknown prompts 'some'. Known: none, openings. Texts of your own stand in a list",
        ),
        ({"prompts": []}, ValueError, "`prompts` should hold at least one text. Found none"),
        ({"prompts": ["a", 3]}, TypeError, "`prompts` should be texts. Found 3"),
        ({"target": 0}, ValueError, "`target` should be at least 1. Found 0"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Text(**{"objectives": ["length", "readability"], **arguments})


def test_a_reward_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"Reward 'x' should give one number for each completion, 2 .* shape \[1\]"):
        Text({"x": lambda p, c: [1.0]}).score(["", ""], ["a", "b"])


def test_named_rewards_come_from_a_spec():
    problem = moo.get_problem("text:objectives=length+readability,target=10")
    assert problem.objective_names == ("length", "readability")
    assert problem.reference_point.tolist() == [0, 0]
    assert problem.score([""], ["a cat"])[0].tolist() == [0.5, 1.0]


def test_the_offline_bed_is_a_problem():
    need_bed()
    problem = moo.get_problem("text:prompts=openings")
    assert problem.objective_names == ("sentiment", "length")
    prompts = problem.prompts(3, stream())
    assert all(prompt.endswith(" ") for prompt in prompts)
    scores = problem.score(prompts, ["a wonderful film", "boring", "so so"])
    assert ((scores >= 0) & (scores <= 1)).all()


def test_what_was_not_fetched_is_said(monkeypatch, tmp_path):
    from moo.text import named

    monkeypatch.setenv("MOO_CACHE", str(tmp_path))
    named.movie_snippets.cache_clear()
    named.ridge.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"Fetch it once with `python -m moo.text.fetch`"):
        moo.get_problem("text")
