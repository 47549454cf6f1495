"""Rewards against counts by hand, batches against single texts, and what a text does not hold has no effect."""

import numpy as np
import pytest

from moo.text.rewards import Classifier, Length, Lexicon, Readability, TransformersClassifier, syllables


def rewarded(reward, *texts, prompts=None):
    return reward(prompts or [""] * len(texts), list(texts))


def test_length_grows_up_to_its_target():
    assert rewarded(Length(4), "", "ab", "abcd", "abcdef").tolist() == [0, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("word", "count"),
    [("a", 1), ("film", 1), ("movie", 2), ("made", 1), ("table", 2), ("agree", 2), ("beautiful", 3), ("rhythm", 1)],
)
def test_syllables(word, count):
    assert syllables(word) == count
    assert syllables(word.upper()) == count


def test_readability_is_fleschs_formula():
    text = "The movie was made well. It is beautiful!"  # 8 words, 2 sentences, 1+2+1+1+1 + 1+1+3 syllables
    ease = 206.835 - 1.015 * 8 / 2 - 84.6 * 11 / 8
    assert rewarded(Readability(), text)[0] == pytest.approx(ease / 100)
    assert rewarded(Readability(), "", "... 123", "cat", "incomprehensibilities").tolist() == [0, 0, 1, 0]


def test_a_lexicon_averages_the_words_it_knows():
    reward = Lexicon({"good": 2.0, "bad": -4.0}, 4.0)
    found = rewarded(reward, "Good good film", "good, BAD", "nothing", "", "goodness")
    assert found.tolist() == [0.75, 0.375, 0.5, 0.5, 0.5]


class Fake:
    """A classifier: the chance of "long" is the number of characters over 10."""

    classes_ = np.array(["short", "long"])

    def predict_proba(self, texts):
        chances = np.array([len(text) / 10 for text in texts])
        return np.stack([1 - chances, chances], axis=1)


class FakeRegressor:
    def predict(self, texts):
        return np.array([float(text) for text in texts])


def test_a_classifier_gives_the_chance_of_the_label_that_is_wanted():
    assert rewarded(Classifier(Fake()), "abc").tolist() == [0.3]
    assert rewarded(Classifier(Fake(), "short"), "abc").tolist() == [0.7]
    assert rewarded(Classifier(Fake(), wanted=False), "abc").tolist() == [0.7]
    with pytest.raises(ValueError, match=r"Unknown label 'middle'. Known: long, short."):
        Classifier(Fake(), "middle")


def test_a_regressor_is_cut_to_its_range():
    reward = Classifier(FakeRegressor(), low=-2.0, high=2.0)
    assert rewarded(reward, "-3", "-1", "0", "2", "9").tolist() == [0, 0.25, 0.5, 1, 1]
    with pytest.raises(ValueError, match=r"`low` should be below `high`. Found 1.0 and 1.0"):
        Classifier(FakeRegressor(), low=1.0, high=1.0)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"`target` should be at least 1. Found 0."):
        Length(0)
    with pytest.raises(ValueError, match="`largest` should be above 0"):
        Lexicon({}, 0.0)


# --------------------------------------------------------------------------------------------------- transformers
@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("transformers")
    from tiny_hub import a_model

    names = {"id2label": {0: "bad", 1: "good", 2: "odd"}, "label2id": {"bad": 0, "good": 1, "odd": 2}}
    return a_model(tmp_path_factory.mktemp("judge"), kind="GPT2ForSequenceClassification", **names)


TEXTS = ["abc", "j", "defghij abc", "a b"]


def test_padding_changes_no_score(folder):
    alone = TransformersClassifier(folder, "good", batch=1)
    for batch in (2, 4, 32):
        found = rewarded(TransformersClassifier(folder, "good", batch=batch), *TEXTS)
        assert np.allclose(found, rewarded(alone, *TEXTS), rtol=0, atol=1e-6)


def test_chances_and_logits_are_those_of_the_label(folder):
    import torch

    names = ("bad", "good", "odd")
    chances = [rewarded(TransformersClassifier(folder, name), *TEXTS) for name in names]
    logits = [rewarded(TransformersClassifier(folder, number, score="logit"), *TEXTS) for number in range(3)]
    assert np.allclose(np.sum(chances, axis=0), 1)
    expected = torch.tensor(np.array(logits)).softmax(dim=0).numpy()
    assert np.allclose(chances, expected, rtol=0, atol=1e-9)
    assert np.array_equal(rewarded(TransformersClassifier(folder), *TEXTS), chances[2])


def test_the_prompt_is_read_where_that_is_said(folder):
    own = TransformersClassifier(folder, "good")
    both = TransformersClassifier(folder, "good", with_prompt=True)
    assert np.array_equal(rewarded(own, "abc", prompts=["de"]), rewarded(own, "abc"))
    assert np.allclose(rewarded(both, "abc", prompts=["de"]), rewarded(own, "deabc"), rtol=0, atol=1e-7)
    assert rewarded(own).shape == (0,)


def test_unknown_labels_and_scores_are_refused(folder):
    with pytest.raises(ValueError, match=r"Unknown label 'fine'. .*Known: bad, good, odd."):
        TransformersClassifier(folder, "fine")
    with pytest.raises(ValueError, match=r"Unknown score 'rank'. Known: chance, logit."):
        TransformersClassifier(folder, score="rank")
