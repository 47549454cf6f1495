"""Judges and scores that tests name as `"judging:NAME"`."""

import torch


def long(samples):
    """Whether a sample has more than one step."""
    return (samples.actions >= 0).sum(dim=1) > 1


def low_arms(samples):
    """Whether the arm is one of the first two."""
    return samples.actions[:, 0] < 2


def nan(samples):
    return torch.full((len(samples),), float("nan"))


def too_few(samples):
    return torch.ones(len(samples) - 1)


def gold(samples):
    """What two proxies stand for up to .7 of the first, beyond which it falls."""
    first, second = samples.returns.unbind(1)
    return first + second - 4 * (first - 0.7).clamp(min=0)


def short(samples):
    """Whether a completion has at most three characters."""
    return [len(text) <= 3 for text in samples.completions]
