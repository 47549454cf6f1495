"""Fresh completions: each is written by its policy for its prompt, paid, and counted or dropped."""

import pytest
import torch

from moo.base import Candidates, TextProblem
from moo.metered import metered
from moo.rl.completions import Writing, completion_scores, evaluate_writers


class Echoes(TextProblem):
    """Scores who wrote a text, and whether it answers its prompt; nothing where `lost` says so."""

    name, num_objectives, directions, objective_names = "echoes", 2, ("max", "min"), ()

    def __init__(self, lost=lambda writer, draw: False):
        self.lost, self.asked = lost, 0

    def prompts(self, n, generator):
        self.asked += n
        return [f"p{number}" for number in torch.randint(0, 1000, (n,), generator=generator).tolist()]

    def score(self, prompts, completions):
        rows = []
        for prompt, text in zip(prompts, completions, strict=True):
            writer, draw, echo = text.split()
            writer, draw = int(writer), int(draw)
            rows.append([float("inf") if self.lost(writer, draw) else writer, draw if echo == prompt else -1.0])
        return torch.tensor(rows, dtype=torch.float64)


class Writer:
    """Writes its number, a draw of its seed and the prompt; notes its calls."""

    def __init__(self):
        self.calls = []

    def complete(self, candidates, prompts, seed=0):
        weights = candidates.extras["parameters.number"]
        assert len(weights) == len(prompts)
        assert weights.stride(0) == 0 or len(weights) == 1  # nothing is copied
        stream = torch.Generator().manual_seed(seed)
        draws = torch.randint(0, 10**6, (len(prompts),), generator=stream).tolist()
        self.calls.append((seed, draws))
        return [f"{int(w)} {d} {p}" for w, d, p in zip(weights[:, 0, 0], draws, prompts, strict=True)]


class Slow(Writer):
    copies_at_once = 4


def policies(n=3):
    numbers = 10 + torch.arange(n)
    none = torch.full((n, 2), float("nan"), dtype=torch.float64)
    return Candidates.of(numbers[:, None], none, **{"parameters.number": numbers[:, None, None].float()})


def a_meter(problem, seed=0):
    return metered(problem, 10**6, seed)


def test_each_completion_is_by_its_policy_and_for_its_prompt():
    problem, writer = Echoes(), Writer()
    meter = a_meter(problem)
    scores = completion_scores(meter, writer, policies(), torch.tensor([0, 0, 0, 2, 2, 1]), seed=3)
    assert scores[:, 0].tolist() == [10, 10, 10, 12, 12, 11]
    drawn = [draw for _, draws in writer.calls for draw in draws]
    assert (-scores[:, 1]).tolist() == drawn  # minimised outside, and no -1: every prompt was echoed
    assert (meter.used, problem.asked) == (6, 6)


def test_no_more_are_written_at_once_than_the_method_says_and_none_draws_what_another_drew():
    numbers = torch.tensor([0] * 9 + [1] * 4 + [2])
    slow, quick = Slow(), Writer()
    for writer, sizes in ((slow, [4, 4, 1, 4, 1]), (quick, [9, 4, 1])):
        completion_scores(a_meter(Echoes()), writer, policies(), numbers, seed=3)
        assert [len(draws) for _, draws in writer.calls] == sizes
        assert len({seed for seed, _ in writer.calls}) == len(sizes)
        assert len({draw for _, draws in writer.calls for draw in draws}) == 14


def test_seeds_decide_what_is_written():
    def found(seed):
        return completion_scores(a_meter(Echoes()), Writer(), policies(), torch.tensor([0, 1, 1]), seed)

    assert torch.equal(found(1), found(1))
    assert not torch.equal(found(1), found(2))


def test_a_score_that_is_not_finite_drops_the_whole_row():
    scores = completion_scores(
        a_meter(Echoes(lambda writer, draw: writer == 11)), Writer(), policies(), torch.tensor([0, 1, 2]), seed=0
    )
    assert scores.isnan().tolist() == [[False] * 2, [True] * 2, [False] * 2]


def test_means_and_standard_errors_are_those_of_a_loop_over_what_counts():
    def lost(writer, draw):
        return writer == 12 or (writer == 11 and draw % 3 == 0)

    writer = Writer()
    meter = a_meter(Echoes(lost))
    told = evaluate_writers(meter, writer, policies(), 20, seed=5)
    for row, (_, draws) in enumerate(writer.calls[:2]):
        kept = [-float(draw) for draw in draws if not lost(10 + row, draw)]
        mean = sum(kept) / len(kept)
        error = (sum((x - mean) ** 2 for x in kept) / (len(kept) - 1) / len(kept)) ** 0.5
        assert told.objectives[row].tolist() == pytest.approx([10 + row, mean], rel=1e-12)
        assert told.extras["standard_error"][row].tolist() == pytest.approx([0, error], rel=1e-12)
        assert int(told.extras["episodes"][row]) == len(kept)
    assert 0 < int(told.extras["dropped"][1]) < 20
    assert (told.extras["episodes"] + told.extras["dropped"]).tolist() == [20] * 3
    assert told.failed.tolist() == [False, False, True]
    assert told.extras["reason"].tolist() == ["", "", "a score was not finite"]
    assert told.objectives[2].isnan().all()
    assert told.extras["used"].tolist() == [60] * 3
    assert meter.used == 60
    assert torch.equal(told.extras["parameters.number"], policies().extras["parameters.number"])


def test_one_completion_has_no_standard_error():
    told = evaluate_writers(a_meter(Echoes()), Writer(), policies(), 1, seed=5)
    assert told.extras["standard_error"].isnan().all()
    assert told.objectives[:, 0].tolist() == [10, 11, 12]


def test_who_completes_is_one_who_writes():
    assert isinstance(Writer(), Writing)
    assert not isinstance(object(), Writing)
