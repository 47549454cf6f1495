import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.indicators import samples

REWARDS = [[0.1, 0.9, 0.5, 0.9], [1.0, 0.0, 0.25, 0.5]]


def literal(a, b):
    """The recursion of the definition."""

    @functools.cache
    def distance(i, j):
        if not i or not j:
            return i + j
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return distance(len(a), len(b))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text("abc", max_size=7), st.text("abc", max_size=7)), max_size=6))
def test_edit_distances_equal_the_recursion(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    assert samples.edit_distances(first, second).tolist() == [literal(a, b) for a, b in pairs]


def test_mean_edit_distance_of_all_pairs():
    assert samples.mean_edit_distance(["kitten", "sitting", ""]) == pytest.approx((3 + 6 + 7) / 3)
    with pytest.raises(ValueError, match=r"`strings` should be at least two. Found 1"):
        samples.mean_edit_distance(["a"])
    with pytest.raises(ValueError, match=r"as many strings as `first`, 1. Found 2"):
        samples.edit_distances(["a"], ["a", "b"])


def test_top_k():
    assert samples.top_k(REWARDS, 2).tolist() == [[1, 3], [0, 3]]  # of equal ones the first
    assert samples.top_k_reward(REWARDS, 2) == pytest.approx((0.9 + 0.9 + 1.0 + 0.5) / 4)
    with pytest.raises(ValueError, match=r"`k` should be .* Found 5"):
        samples.top_k_reward(REWARDS, 5)
    with pytest.raises(ValueError, match="rewards"):
        samples.top_k_reward([[0.1, float("nan")]], 1)


def test_top_k_diversity_looks_at_the_best_alone():
    words = [["x", "aa", "y", "ab"], ["cc", "z", "w", "cc"]]
    assert samples.top_k_diversity(words, REWARDS, samples.mean_edit_distance, 2) == pytest.approx((1 + 0) / 2)
    with pytest.raises(ValueError, match=r"as many as `rewards`, \[2, 4\]. Found 1 rows of \[4\]"):
        samples.top_k_diversity(words[:1], REWARDS, samples.mean_edit_distance, 2)
    with pytest.raises(ValueError, match=r"`k` should be .* Found 1"):
        samples.top_k_diversity(words, REWARDS, samples.mean_edit_distance, 1)


def test_tanimoto_distance():
    bits = [[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert samples.mean_tanimoto_distance(bits) == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert samples.mean_tanimoto_distance([[0, 0], [0, 0]]) == 0
    with pytest.raises(ValueError, match="at least two rows of zeros and ones"):
        samples.mean_tanimoto_distance([[0.5, 1], [0, 1]])


def test_direction_correlation():
    angle = np.linspace(0.1, 1.4, 20)
    asked = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert samples.direction_correlation(asked, 3 * asked) == pytest.approx(1)  # length does not matter
    assert samples.direction_correlation(asked, asked[:, ::-1]) < -0.9
    other = np.random.default_rng(0).random((20, 2))
    unit = other / np.linalg.norm(other, axis=1, keepdims=True)
    each = [np.corrcoef(asked[:, j], unit[:, j])[0, 1] for j in range(2)]
    assert samples.direction_correlation(asked, other) == pytest.approx(np.mean(each))
    assert np.isnan(samples.direction_correlation([[1, 1]] * 3, [[1, 2]] * 3))
    with pytest.raises(ValueError, match=r"`obtained` should hold .* Row 1 is \[0.0, 0.0\]"):
        samples.direction_correlation([[1, 1]] * 2, [[1, 2], [0, 0]])
