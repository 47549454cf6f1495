"""Rewards and prompts of the offline test bed, by name. What they need `moo.text.fetch` brings."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from moo.rl.characters import Alphabet, read
from moo.text.fetch import cached
from moo.text.rewards import WORD, Classifier, Length, Lexicon, Numbers, Readability, Reward

VALENCE = 4.0  # ratings go from -4 to 4
OPENING = 3  # words of a snippet that make a prompt


@functools.cache
def movie_snippets() -> tuple[tuple[str, float], ...]:
    """10,605 sentences of film reviews with the mean of twenty people's ratings, from -4 to 4, in their own order.

    Source: Hutto and Gilbert 2014 (VADER, ICWSM), after Pang and Lee 2005.

    Raises:
        FileNotFoundError: They were not fetched.
    """
    rows = json.loads(cached("vader/movie_snippets.json").read_text(encoding="utf-8"))
    return tuple((text, rating) for text, rating in rows)


def half(which: str) -> tuple[tuple[str, float], ...]:
    """Every other snippet: half `"a"`, on which proxies are trained, or `"b"`, for what they are held against."""
    return movie_snippets()[("a", "b").index(which) :: 2]


def openings() -> tuple[str, ...]:
    """The first three words of half b's longer snippets, each once: prompts that no proxy was trained on."""
    found: dict[str, None] = {}
    for text, _ in half("b"):
        words = text.split(" ")
        if len(words) > 2 * OPENING and all(WORD.fullmatch(word) for word in words[:OPENING]):
            found[" ".join(words[:OPENING]) + " "] = None
    return tuple(found)


@functools.cache
def ridge(which: str) -> Any:
    """A pipeline that predicts ratings: ridge regression on words and pairs of words, trained on one half.

    Raises:
        FileNotFoundError: The snippets were not fetched.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    texts, ratings = zip(*half(which), strict=True)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True), Ridge(alpha=1.0))
    return model.fit(list(texts), np.array(ratings))


class Fluency:
    """How likely a completion is to the pre-trained character model: the mean chance of its characters and its end.

    The mean is geometric: the inverse of the perplexity. The prompt is read before.

    Raises:
        FileNotFoundError: The model was not fetched.
    """

    def __init__(self) -> None:
        self.alphabet, self.weights = pretrained()

    def __call__(self, prompts: Sequence[str], completions: Sequence[str]) -> Numbers:
        if not completions:
            return np.zeros(0)
        actions, counts = self.alphabet.actions(completions)
        with torch.no_grad():
            laws, _ = read(self.weights, self.alphabet.contexts(prompts)[None], actions[None])
        chances = laws[0].gather(2, actions[..., None]).squeeze(2).double()
        counts &= actions != 0  # what the model has no number for
        sums = torch.where(counts, chances, 0.0).sum(dim=1)
        means: Numbers = (sums / counts.sum(dim=1)).exp().numpy()
        return means


@functools.cache
def pretrained() -> tuple[Alphabet, dict[str, torch.Tensor]]:
    """The pre-trained character model: its alphabet, and the weights of one policy.

    Source: the textgenrnn package (Woolf 2017), trained on titles of a discussion site.

    Raises:
        FileNotFoundError: It was not fetched.
    """
    characters = json.loads(cached("textgenrnn/characters.json").read_text(encoding="utf-8"))
    weights = load_file(cached("textgenrnn/weights.safetensors"))
    return Alphabet(characters), {name: part[None] for name, part in weights.items()}


class _Profanity:
    """What alt-profanity-check says, as a classifier of texts."""

    def predict_proba(self, texts: list[str]) -> Numbers:
        try:
            from profanity_check.profanity_check import model, vectorizer
        except ImportError as error:
            raise ImportError(
                "Reward 'harmlessness' needs alt-profanity-check. Install it: pip install 'moo-suite[text]'."
            ) from error
        found: Numbers = model.predict_proba(vectorizer.transform(texts))
        return found


def _sentiment(which: str) -> Reward:
    return Classifier(ridge(which), low=-VALENCE, high=VALENCE)


def _lexicon(_: int) -> Reward:
    return Lexicon(json.loads(cached("vader/lexicon.json").read_text(encoding="utf-8")), VALENCE)


REWARDS: dict[str, Callable[[int], Reward]] = {  # of the target length
    "sentiment": lambda _: _sentiment("a"),
    "sentiment-gold": lambda _: _sentiment("b"),
    "length": Length,
    "harmlessness": lambda _: Classifier(_Profanity(), wanted=False),
    "fluency": lambda _: Fluency(),
    "readability": lambda _: Readability(),
    "lexicon": _lexicon,
}
