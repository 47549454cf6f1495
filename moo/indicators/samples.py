"""Metrics of the literature on generative flow networks: of samples for several preferences, not of fronts.

Rewards are scalarised objectives, larger is better. None of these says how near the samples' law is to its target: a
law that is too sharp has higher rewards than the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from moo.checks import check_count, check_finite_rows, check_matrix


def top_k(rewards: Any, k: int = 10) -> np.ndarray:
    """The columns of the k highest rewards for each preference, the best first, of equal ones the first.

    Args:
        rewards: `[p, n]`: of n samples for each of p preferences.
        k: At most n.

    Returns:
        int64 `[p, k]`.

    Raises:
        ValueError: The shape is wrong, a reward is NaN or infinite, or k is more than n.
    """
    rows = check_matrix("rewards", rewards)
    check_finite_rows("rewards", rows)
    k = check_count("k", k, high=rows.shape[1])
    return np.argsort(-rows.numpy(), axis=1, kind="stable")[:, :k]


def top_k_reward(rewards: Any, k: int = 10) -> float:
    """The mean of the k highest rewards for each preference, averaged over preferences.

    Source: Jain et al. 2023 (2210.12765).

    Args:
        rewards: `[p, n]`: of n samples for each of p preferences.
        k: At most n.
    """
    best = top_k(rewards, k)
    return float(np.take_along_axis(check_matrix("rewards", rewards).numpy(), best, axis=1).mean())


def top_k_diversity(
    samples: Sequence[Sequence[Any]], rewards: Any, distance: Callable[[Sequence[Any]], float], k: int = 10
) -> float:
    """The mean distance between the k samples of highest reward for each preference, averaged over preferences.

    Source: Jain et al. 2023 (2210.12765): edit distance for strings, 1 - Tanimoto for molecules.

    Args:
        samples: For each of p preferences n of them, in whatever form `distance` takes.
        rewards: `[p, n]`.
        distance: The mean distance between some samples, such as `mean_edit_distance` or `mean_tanimoto_distance`.
        k: From 2 to n.

    Raises:
        ValueError: There are other numbers of samples than of rewards, or k is below 2.
    """
    check_count("k", k, low=2)
    best = top_k(rewards, k)
    counts = [len(row) for row in samples]
    if len(counts) != len(best) or any(count != np.shape(rewards)[1] for count in counts):
        raise ValueError(
            f"`samples` should be as many as `rewards`, {list(np.shape(rewards))}. "
            f"Found {len(counts)} rows of {counts}."
        )
    return float(np.mean([distance([row[i] for i in chosen]) for row, chosen in zip(samples, best, strict=True)]))


def mean_edit_distance(strings: Sequence[str]) -> float:
    """The mean Levenshtein distance over all pairs of strings: insertions, deletions and substitutions each cost 1.

    Source: Levenshtein 1966; of the samples of a policy, Jain et al. 2023 (2210.12765).

    Raises:
        ValueError: There are fewer than two strings.
    """
    if len(strings) < 2:
        raise ValueError(f"`strings` should be at least two. Found {len(strings)}.")
    pairs = list(combinations(strings, 2))
    return float(edit_distances([a for a, _ in pairs], [b for _, b in pairs]).mean())


def edit_distances(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """The Levenshtein distance of each pair of strings, int64 `[n]`, all pairs advancing together.

    Source: Wagner and Fischer 1974, "The string-to-string correction problem", JACM 21(1).

    Args:
        first, second: n strings each.
    """
    if len(first) != len(second):
        raise ValueError(f"`second` should be as many strings as `first`, {len(first)}. Found {len(second)}.")
    left, right = _codes(first), _codes(second)
    lengths = np.array([[len(a), len(b)] for a, b in zip(first, second, strict=True)], dtype=np.int64).reshape(-1, 2)
    table = np.empty((left.shape[1] + 1, right.shape[1] + 1, len(left)), dtype=np.int64)
    table[:, 0] = np.arange(left.shape[1] + 1)[:, None]
    table[0] = np.arange(right.shape[1] + 1)[:, None]
    for i in range(left.shape[1]):
        same = left[:, i, None] == right
        for j in range(right.shape[1]):
            shorter = np.minimum(table[i, j + 1], table[i + 1, j]) + 1
            table[i + 1, j + 1] = np.minimum(shorter, table[i, j] + ~same[:, j])
    found: np.ndarray = table[lengths[:, 0], lengths[:, 1], np.arange(len(left))]
    return found


def _codes(strings: Sequence[str]) -> np.ndarray:
    """Letters as numbers, `[n, longest]`, 0 behind the end."""
    longest = max(map(len, strings), default=0)
    rows = [[*map(ord, text), *[0] * (longest - len(text))] for text in strings]
    return np.array(rows, dtype=np.int64).reshape(len(strings), longest)


def mean_tanimoto_distance(fingerprints: Any) -> float:
    """The mean over all pairs of `1 - |a and b| / |a or b|` of bit vectors; two empty ones are at distance 0.

    Source: Tanimoto 1958; of molecules' Morgan fingerprints, Jain et al. 2023 (2210.12765).

    Args:
        fingerprints: Zeros and ones `[n, bits]`, n >= 2.

    Raises:
        ValueError: There are fewer than two, or an entry is neither 0 nor 1.
    """
    bits = check_matrix("fingerprints", fingerprints).numpy()
    if len(bits) < 2 or not np.isin(bits, (0, 1)).all():
        raise ValueError(f"`fingerprints` should be at least two rows of zeros and ones. Found {len(bits)} rows.")
    both = bits @ bits.T
    sizes = bits.sum(axis=1)
    either = sizes[:, None] + sizes - both
    similarity = np.where(either > 0, both / np.maximum(either, 1), 1.0)
    pairs = np.triu_indices(len(bits), k=1)
    return float(1 - similarity[pairs].mean())


def direction_correlation(commanded: Any, obtained: Any) -> float:
    """Mean over the objectives of Pearson's correlation between commanded and obtained directions: 1 is perfect.

    Both are divided by their length first. An objective in which either does not vary has no correlation and is left
    out.

    Source: Roy et al. 2023 (2306.04620), Avg-PCC.

    Args:
        commanded: Preferences or goals `[n, m]`.
        obtained: Objectives `[n, m]`, maximised, not all 0.

    Returns:
        From -1 to 1; NaN where no objective varies.

    Raises:
        ValueError: The shapes differ, or a row is not finite or has no direction.
    """
    asked = check_matrix("commanded", commanded).numpy()
    found = check_matrix("obtained", obtained, rows=len(asked), columns=asked.shape[1]).numpy()
    for name, rows in (("commanded", asked), ("obtained", found)):
        lengths = np.linalg.norm(rows, axis=1)
        wrong = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
        if len(wrong):
            raise ValueError(
                f"`{name}` should hold finite rows that are not all 0. Row {wrong[0]} is {rows[wrong[0]].tolist()}."
            )
    asked = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    found = found / np.linalg.norm(found, axis=1, keepdims=True)
    varies = (asked.std(axis=0) > 0) & (found.std(axis=0) > 0)
    each = [np.corrcoef(asked[:, j], found[:, j])[0, 1] for j in np.flatnonzero(varies)]
    return float(np.mean(each)) if each else float("nan")
