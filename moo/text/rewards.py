"""Rewards for texts: each is called with prompts and completions, as many of both, and gives one number for each pair.

Those of this file take all texts of a batch at once and lie between 0 and 1, better texts higher; NaN says that a text
cannot be rewarded. Any function of two lists is a reward too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from moo.checks import check_count, check_number, unknown_name

Reward = Callable[[Sequence[str], Sequence[str]], ArrayLike]
Numbers = NDArray[np.float64]

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
SENTENCE = re.compile(r"[.!?]+(?=\s|$)")
VOWELS = re.compile(r"[aeiouy]+")
SILENT = re.compile(r"[^aeiouyl]e$|[aeiouy]le$")  # as in made and mile, not as in table


class Length:
    """How long a completion is: its characters over `target`, at most 1.

    Args:
        target: Characters from which on more are no better, at least 1.
    """

    def __init__(self, target: int = 40) -> None:
        self.target = check_count("target", target)

    def __call__(self, prompts: Sequence[str], completions: Sequence[str]) -> Numbers:  # noqa: ARG002
        return np.array([min(len(text) / self.target, 1.0) for text in completions], dtype=np.float64)


class Readability:
    """How easily a completion reads: Flesch's reading ease over 100, cut to the range from 0 to 1.

    `206.835 - 1.015 words / sentences - 84.6 syllables / words`. Syllables are counted as groups of vowels, one less
    where a word ends in a silent e. A completion without words has 0.

    Source: Flesch 1948 (Journal of Applied Psychology 32). It was made for English prose of a hundred words; of short
    texts it says little more than how long their words are.
    """

    def __call__(self, prompts: Sequence[str], completions: Sequence[str]) -> Numbers:  # noqa: ARG002
        return np.array([self._ease(text) for text in completions], dtype=np.float64)

    @staticmethod
    def _ease(text: str) -> float:
        words = WORD.findall(text)
        if not words:
            return 0.0
        sentences = max(1, len(SENTENCE.findall(text)))
        ease = 206.835 - 1.015 * len(words) / sentences - 84.6 * sum(map(syllables, words)) / len(words)
        return min(max(ease / 100, 0.0), 1.0)


def syllables(word: str) -> int:
    """About how many syllables an English word has, at least 1."""
    lower = word.lower()
    return max(1, len(VOWELS.findall(lower)) - bool(SILENT.search(lower)))


class Lexicon:
    """The mean value of a completion's words, brought to the range from 0 to 1; words without a value do not count.

    A completion none of whose words has a value gets the middle, 0.5.

    Args:
        values: Of words in lower case.
        largest: What values are at most in size: `largest` becomes 1, `-largest` 0.
    """

    def __init__(self, values: Mapping[str, float], largest: float = 4.0) -> None:
        self.values, self.largest = values, check_number("largest", largest, "the largest size of a value")

    def __call__(self, prompts: Sequence[str], completions: Sequence[str]) -> Numbers:  # noqa: ARG002
        means = []
        for text in completions:
            known = [self.values[word] for word in WORD.findall(text.lower()) if word in self.values]
            means.append(sum(known) / len(known) if known else 0.0)
        return 0.5 + np.array(means, dtype=np.float64) / (2 * self.largest)


class Classifier:
    """What a scikit-learn classifier or regressor of texts says of completions.

    Args:
        model: A fitted pipeline that takes a list of texts. Where it has `predict_proba`, its chance of `label` is the
            reward, else what it predicts, from `low` (0) to `high` (1), cut to this range.
        label: Of the class that is wanted; None: the last of `model.classes_`.
        low, high: The range of a regressor's predictions.
        wanted: False: the reward is 1 less that.

    Raises:
        ValueError: The classifier knows no such label, or `low` is not below `high`.
    """

    def __init__(
        self, model: Any, label: Any = None, *, low: float = 0.0, high: float = 1.0, wanted: bool = True
    ) -> None:
        self.model, self.low, self.high, self.wanted = model, low, high, wanted
        self.column = -1
        if not low < high:
            raise ValueError(f"`low` should be below `high`. Found {low} and {high}.")
        if label is not None:
            known = list(model.classes_)
            if label not in known:
                raise ValueError(unknown_name("label", label, map(str, known)))
            self.column = known.index(label)

    def __call__(self, prompts: Sequence[str], completions: Sequence[str]) -> Numbers:  # noqa: ARG002
        if hasattr(self.model, "predict_proba"):
            found = np.asarray(self.model.predict_proba(list(completions)), dtype=np.float64)[:, self.column]
        else:
            predicted = np.asarray(self.model.predict(list(completions)), dtype=np.float64)
            found = np.clip((predicted - self.low) / (self.high - self.low), 0.0, 1.0)
        return found if self.wanted else 1.0 - found


class TransformersClassifier:
    """A label's chance by a sequence classifier of the transformers library.

    Args:
        model: A path, or the id of one that the hub has.
        label: The label that is wanted, by name or number; None: the last one.
        score: `"chance"`, from 0 to 1, or `"logit"`, as published reward models are used.
        with_prompt: Whether it reads the prompt before the completion.
        batch: Texts at once.
        device: Where it computes.

    Raises:
        ImportError: transformers is missing.
        ValueError: It cannot be loaded or knows no such label, or an argument is out of its range.
    """

    def __init__(
        self,
        model: str,
        label: str | int | None = None,
        *,
        score: str = "chance",
        with_prompt: bool = False,
        batch: int = 32,
        device: str = "cpu",
    ) -> None:
        from moo.rl.hub import load

        if score not in ("chance", "logit"):
            raise ValueError(unknown_name("score", score, ("chance", "logit")))
        self.tokenizer, self.model = load("model", model, "AutoModelForSequenceClassification")
        self.model.to(device).eval()
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.model.config.pad_token_id = self.tokenizer.pad_token_id
        names = {str(name): int(number) for number, name in self.model.config.id2label.items()}
        numbers = {str(number): number for number in names.values()}
        if label is not None and str(label) not in {**numbers, **names}:
            raise ValueError(unknown_name("label", label, names))
        self.column = -1 if label is None else {**numbers, **names}[str(label)]
        self.score, self.with_prompt, self.device = score, with_prompt, device
        self.batch = check_count("batch", batch)

    def __call__(self, prompts: Sequence[str], completions: Sequence[str]) -> Numbers:
        texts = [p + c for p, c in zip(prompts, completions, strict=True)] if self.with_prompt else list(completions)
        parts = [self._scores(texts[first : first + self.batch]) for first in range(0, len(texts), self.batch)]
        return np.concatenate([np.zeros(0), *parts])

    def _scores(self, texts: list[str]) -> Numbers:
        read = self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt").to(self.device)
        with torch.no_grad():
            logits = self.model(**read).logits.double()
        if self.score == "chance":
            logits = logits.softmax(dim=1) if logits.shape[1] > 1 else logits.sigmoid()
        scores: Numbers = logits[:, self.column].cpu().numpy()
        return scores
