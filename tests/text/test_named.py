"""The offline test bed: what the model and the reward models were ported and trained for, by measured figures."""

import math

import numpy as np
import pytest
import torch
from offline_bed import need_bed

from moo.rl.characters import WINDOW, Alphabet
from moo.rl.characters import read as read_characters
from moo.text import named


@pytest.fixture(autouse=True, scope="module")
def _bed():
    need_bed()


def plain_texts(count):
    """Snippets of which the model knows every character."""
    alphabet, _ = named.pretrained()
    known = set(alphabet.characters)
    return [text for text, _ in named.movie_snippets() if set(text) <= known and len(text) > WINDOW][:count]


def bits(weights, texts, alphabet):
    actions, moves = alphabet.actions(texts)
    laws, _ = read_characters(weights, alphabet.contexts([""])[None], actions[None])
    found = laws[0].gather(2, actions[..., None]).squeeze(2)
    return -float(found[moves].mean()) / math.log(2)


# --------------------------------------------------------------------------------------------------- the model
def test_the_ported_model_reads_english():
    alphabet, weights = named.pretrained()
    assert sum(part.numel() for part in weights.values()) == 462_717 - 2 * 512  # two biases of a layer are one here
    texts = plain_texts(60)
    order = np.random.default_rng(0)
    shuffled = ["".join(order.permutation(list(text))) for text in texts]
    with torch.no_grad():
        assert bits(weights, texts, alphabet) < 2.5
        assert bits(weights, shuffled, alphabet) > 7


def test_windows_that_begin_anew_cost_little():
    # the source reads the last 40 characters anew for each character, blanks first; here for every tenth
    alphabet, weights = named.pretrained()
    actions, _ = alphabet.actions([text[:60] for text in plain_texts(20)])
    actions = actions[:, :60]
    contexts = alphabet.contexts([""]).expand(20, -1)
    numbers = torch.cat([contexts, actions], dim=1)
    with torch.no_grad():
        laws, _ = read_characters(weights, contexts[:1][None], actions[None])
        ours = laws[0].gather(2, actions[..., None]).squeeze(2)
        theirs = []
        for place in range(60):
            window = numbers[:, place : place + WINDOW]
            law, _ = read_characters(weights, window[None], actions[None, :, place : place + 1])
            theirs.append(law[0, :, 0].gather(1, actions[:, place : place + 1]).squeeze(1))
    exact = torch.stack(theirs, dim=1)
    assert torch.allclose(ours[:, ::10], exact[:, ::10], rtol=0, atol=1e-4)
    assert 0 < float((exact - ours).mean()) / math.log(2) < 0.08


def test_fluency_is_the_geometric_mean_of_chances():
    alphabet, weights = named.pretrained()
    reward = named.Fluency()
    texts, prompts = ["a good film", "", "xq zzv kk"], ["", "What ", ""]
    found = reward(prompts, texts)
    for text, prompt, value in zip(texts, prompts, found, strict=True):
        actions, _ = alphabet.actions([text])
        with torch.no_grad():
            laws, _ = read_characters(weights, alphabet.contexts([prompt])[None], actions[None])
        chances = laws[0, 0].gather(1, actions[0][:, None]).exp().double()
        assert value == pytest.approx(float(chances.prod() ** (1 / len(chances))), rel=1e-4)
    assert found[0] > 3 * found[2]
    assert reward([], []).shape == (0,)
    unknown = np.array(reward([""], ["a \U0001f9ff film"]))
    assert np.isfinite(unknown).all()


# --------------------------------------------------------------------------------------------------- rewards
def test_halves_share_no_snippet_and_are_the_whole():
    first, second = named.half("a"), named.half("b")
    assert len(first) + len(second) == len(named.movie_snippets()) == 10_605
    assert all(-4 <= rating <= 4 for _, rating in named.movie_snippets())
    assert [first[1], second[0]] == [named.movie_snippets()[2], named.movie_snippets()[1]]


@pytest.mark.parametrize(("own", "other"), [("a", "b"), ("b", "a")])
def test_the_proxy_predicts_ratings_of_the_other_half(own, other):
    texts, ratings = zip(*named.half(other), strict=True)
    found = named.ridge(own).predict(list(texts))
    assert np.corrcoef(found, ratings)[0, 1] > 0.65
    assert np.mean((found > 0) == (np.array(ratings) > 0)) > 0.76


def test_named_rewards_prefer_what_they_should():
    pytest.importorskip("profanity_check")
    better = {
        "sentiment": ("a wonderful film", "a dull and boring mess"),
        "sentiment-gold": ("a wonderful film", "a dull and boring mess"),
        "length": ("a wonderful film", "film"),
        "harmlessness": ("a wonderful film", "you fucking idiot"),
        "fluency": ("I made this for my friend", "q8 ZZvk ~~ pw"),
        "readability": ("the cat sat", "incomprehensible ramifications"),
        "lexicon": ("a wonderful film", "a terrible film"),
    }
    assert set(better) == set(named.REWARDS)
    for name, pair in better.items():
        high, low = named.REWARDS[name](40)(["", ""], list(pair))
        assert 0 <= low < high <= 1, name


def test_openings_are_different_and_short():
    found = named.openings()
    assert len(set(found)) == len(found) > 3000
    assert all(len(prompt.split()) == 3 and prompt.endswith(" ") for prompt in found)


def test_the_alphabet_is_the_sources():
    alphabet, _ = named.pretrained()
    assert isinstance(alphabet, Alphabet)
    assert (alphabet.size, alphabet.end) == (465, 464)
