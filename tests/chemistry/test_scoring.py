"""Texts scored once: with memory and processes the values are those of the plain function, and nothing is fatal."""

import pickle

import pytest
import torch
from scored_texts import lengths, noted

from moo.chemistry.scoring import Scorer


def expected(texts):
    return [[float(len(text)), float(text.count("a"))] for text in texts]


@pytest.mark.parametrize("workers", [1, 2])
def test_values_are_those_of_the_function(workers):
    texts = [letter * n for n in range(1, 50) for letter in "ab"] + ["a", "a"]
    evaluation = Scorer(lengths, 2, workers=workers)(texts)
    assert evaluation.objectives.dtype == torch.float64
    assert evaluation.objectives.tolist() == expected(texts)
    assert not evaluation.failed.any()
    assert not evaluation.reasons


def test_no_texts_have_no_values():
    evaluation = Scorer(lengths, 2)([])
    assert evaluation.objectives.shape == (0, 2)
    assert evaluation.failed.shape == (0,)


@pytest.mark.parametrize("workers", [1, 2])
def test_each_text_is_asked_once(tmp_path, workers):
    file = tmp_path / "calls"
    score = Scorer(noted, 2, workers=workers)
    batch = [f"{file}:{text}" for text in ("a", "b", "a", "ab")]
    first = score(batch).objectives
    assert torch.equal(score(batch[::-1]).objectives, first.flip(0))
    assert sorted(file.read_text().split()) == ["a", "ab", "b"]


def test_the_oldest_texts_are_forgotten(tmp_path):
    file = tmp_path / "calls"
    score = Scorer(noted, 2, capacity=2)
    batch = [f"{file}:{text}" for text in ("a", "b", "ab")]
    for _ in range(2):
        assert score(batch).objectives.tolist() == expected(["a", "b", "ab"])
        score(batch[1:])
    assert file.read_text().split() == ["a", "b", "ab", "a", "b"]  # each that comes in drives out the oldest


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_raised_is_the_reason_of_a_failed_row(workers):
    evaluation = Scorer(lengths, 2, workers=workers)(["a", "raise", "much", "b"])
    assert evaluation.failed.tolist() == [False, True, True, False]
    assert evaluation.reasons == {
        1: "KeyError: 'no such text'",
        2: "gave 3 numbers for one text, 2 objectives were declared",
    }
    assert evaluation.objectives[[0, 3]].tolist() == [[1, 1], [1, 0]]
    assert evaluation.objectives[[1, 2]].isnan().all()


def test_a_process_that_dies_is_a_failed_row_and_the_others_are_valued():
    score = Scorer(lengths, 2, workers=2)
    texts = ["a", "die", "ab", "b"]
    evaluation = score(texts)
    assert evaluation.reasons == {1: "the process that evaluated it died"}
    assert evaluation.failed.tolist() == [False, True, False, False]
    assert evaluation.objectives[[0, 2, 3]].tolist() == expected(["a", "ab", "b"])
    assert "die" not in score._known  # it is asked again: another time it may live
    assert len(score._known) == 3


def test_a_copy_for_another_process_has_no_processes_and_no_memory():
    score = Scorer(lengths, 2, workers=2)
    values = score(["a", "ab"]).objectives
    again = pickle.loads(pickle.dumps(score))
    assert (again._pool, again._known) == (None, {})
    assert torch.equal(again(["a", "ab"]).objectives, values)


def test_workers_are_counted_from_one():
    with pytest.raises(ValueError, match=r"`workers` should be at least 1\. Found 0\."):
        Scorer(lengths, 2, workers=0)
    with pytest.raises(TypeError, match=r"`workers` should be a whole number\. Found 'two'\."):
        Scorer(lengths, 2, workers="two")
