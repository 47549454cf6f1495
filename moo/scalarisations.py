"""Scalarisations: one number for objectives and a preference. Every objective is maximised, larger is better.

All take objectives `[..., m]` and preferences `[..., m]` (and points `[..., m]`), broadcast their leading dimensions,
follow dtype and device, and pass gradients on. NaN in an objective gives NaN. Preferences are used as they are, at
least 0: `moo.preferences.check_preferences` reads those of a user.
"""

from __future__ import annotations

import torch
from torch import Tensor

from moo.checks import check_number


def weighted_sum(objectives: Tensor, preferences: Tensor) -> Tensor:
    """The sum of the objectives, each times its preference: larger is better.

    Args:
        objectives: `[..., m]`, maximised.
        preferences: `[..., m]`; the leading dimensions broadcast.

    Returns:
        `[...]`; NaN where an objective is NaN. Only points on the convex hull of a front are ever best.
    """
    return (objectives * preferences).sum(dim=-1)


def log_sum(objectives: Tensor, preferences: Tensor) -> Tensor:
    """The logarithm of the weighted product of rewards, `sum_i p_i log f_i`: larger is better.

    A negative reward is an error, not NaN: it would spoil a training run in silence. Shift the objectives beforehand,
    by the same amount wherever values are compared: the order of points depends on where 0 is.

    Source: the exponent of a weighted product, Bridgman 1922; as a reward of generative flow networks Jain et al. 2023
    (ICML, Multi-Objective GFlowNets).

    Args:
        objectives: `[..., m]`, maximised, at least 0.
        preferences: `[..., m]`; the leading dimensions broadcast.

    Returns:
        `[...]`: minus infinity where an objective of positive preference is 0, while one of preference 0 has no say
        (`0 log 0 = 0`); NaN where an objective is NaN.

    Raises:
        ValueError: An objective is negative.
    """
    if bool((objectives < 0).any()):
        raise ValueError(
            "`objectives` should be at least 0 for a sum of their logarithms. "
            f"Found {objectives[objectives < 0][0].item()}. Shift them by the same amount wherever values are compared."
        )
    no_say = (preferences == 0) & (objectives == 0)  # 0 log 0 is NaN, and so is its gradient
    return (preferences * torch.where(no_say, 1.0, objectives).log()).sum(dim=-1)


def tchebycheff(objectives: Tensor, preferences: Tensor, ideal_point: Tensor) -> Tensor:
    """Minus the largest weighted shortfall, `-max_i p_i (ideal_i - f_i)`: larger is better.

    Source: Bowman 1976; Steuer and Choo 1983 (Math. Programming 26).

    Args:
        objectives: `[..., m]`, maximised.
        preferences: `[..., m]`; the leading dimensions broadcast.
        ideal_point: `[..., m]`, at least as good as every row of the objectives in each objective.

    Returns:
        `[...]`, at most 0 for such an ideal point; NaN where an objective is NaN.
    """
    return -(preferences * (ideal_point - objectives)).amax(dim=-1)


def augmented_tchebycheff(
    objectives: Tensor, preferences: Tensor, ideal_point: Tensor, augmentation: float = 0.05
) -> Tensor:
    """`tchebycheff` minus `augmentation * sum_i p_i (ideal_i - f_i)`: larger is better.

    The added term lets a dominated point lose against the point that dominates it where the maximum alone ties.

    Source: Steuer and Choo 1983 (Math. Programming 26). There the added term is not multiplied by the preferences; here
    it is, as in ParEGO (Knowles 2006, IEEE TEC 10(1)), which also uses 0.05: an objective of preference 0 then has no
    say.

    Args:
        objectives: `[..., m]`, maximised.
        preferences: `[..., m]`; the leading dimensions broadcast.
        ideal_point: `[..., m]`, at least as good as every row of the objectives in each objective.
        augmentation: Factor of the added term, at least 0.

    Returns:
        `[...]`, at most 0 for such an ideal point; NaN where an objective is NaN.

    Raises:
        ValueError: `augmentation` is negative or not finite.
    """
    factor = check_number("augmentation", augmentation, "the factor of the added sum", zero=True)
    shortfall = preferences * (ideal_point - objectives)
    return -shortfall.amax(dim=-1) - factor * shortfall.sum(dim=-1)


def smooth_tchebycheff(objectives: Tensor, preferences: Tensor, ideal_point: Tensor, mu: float) -> Tensor:
    """`tchebycheff` made smooth, `-mu log sum_i exp(p_i (ideal_i - f_i) / mu)`: larger is better.

    It lies below `tchebycheff` by at most `mu log m` and tends to it as `mu` goes to 0; every objective of positive
    preference has a say, so that no dominated point ties with what dominates it.

    Source: Lin, Zhang, Yang, Liu, Wang and Zhang 2024 (ICML, Smooth Tchebycheff Scalarization).

    Args:
        objectives: `[..., m]`, maximised.
        preferences: `[..., m]`; the leading dimensions broadcast.
        ideal_point: `[..., m]`, at least as good as every row of the objectives in each objective.
        mu: Above 0, in the unit of the weighted shortfalls: small against their range. No overflow for any of them.

    Returns:
        `[...]`; NaN where an objective is NaN.

    Raises:
        ValueError: `mu` is not a positive finite number.
    """
    mu = check_number("mu", mu, "the width of the smoothing")
    shortfall = preferences * (ideal_point - objectives)
    return -mu * torch.logsumexp(shortfall / mu, dim=-1)


def penalty_boundary_intersection(
    objectives: Tensor, preferences: Tensor, ideal_point: Tensor, theta: float = 5.0
) -> Tensor:
    """Minus the distance from the ideal point along the preference, and `theta` times that from it: larger is better.

    With the shortfall `s = ideal - f` and the direction `u = p / |p|` (so the length of a preference does not matter):
    `-(d_1 + theta d_2)`, `d_1 = s . u` (signed), `d_2 = |s - d_1 u|`. The best point lies where the ray from the ideal
    point along `-u` meets the front, if `theta` is large enough: an objective of little preference may fall short of
    the ideal point by little.

    It does not follow dominance: above `theta = min_i u_i / sqrt(1 - u_i^2)` a better objective can lower the value.

    Source: Zhang and Li 2007 (MOEA/D, IEEE TEC 11(6)), which also uses 5. There `d_2` leaves out the division by |p|.

    Args:
        objectives: `[..., m]`, maximised.
        preferences: `[..., m]`, not all 0; the leading dimensions broadcast.
        ideal_point: `[..., m]`, at least as good as every row of the objectives in each objective.
        theta: Factor of the distance from the direction, at least 0.

    Returns:
        `[...]`, at most 0 for such an ideal point; NaN where an objective is NaN.

    Raises:
        ValueError: `theta` is negative or not finite.
    """
    theta = check_number("theta", theta, "the factor of the distance from the direction", zero=True)
    direction: Tensor = preferences / torch.linalg.vector_norm(preferences, dim=-1, keepdim=True)
    shortfall = ideal_point - objectives
    along = (shortfall * direction).sum(dim=-1, keepdim=True)
    apart: Tensor = torch.linalg.vector_norm(shortfall - along * direction, dim=-1)
    return -(along.squeeze(-1) + theta * apart)


def achievement(objectives: Tensor, preferences: Tensor, reference_point: Tensor, augmentation: float = 0.05) -> Tensor:
    """How far a point surpasses aspirations, `min_i p_i (f_i - r_i) + augmentation * sum_i p_i (f_i - r_i)`.

    Larger is better; above 0 where every objective of positive preference is better than the reference point, which
    need be neither ideal nor attainable. For an ideal point it is `augmented_tchebycheff`. The weights are the
    preferences themselves, so that more of it means a stronger say; elsewhere (NSGA-III, pymoo's ASF) the objectives
    are divided by them, so that they are the direction from the reference point.

    Source: Wierzbicki 1980 (The use of reference objectives in multiobjective optimization, LNEMS 177).

    Args:
        objectives: `[..., m]`, maximised.
        preferences: `[..., m]`; the leading dimensions broadcast.
        reference_point: `[..., m]`, the aspiration in each objective.
        augmentation: Factor of the added term, at least 0; above 0 no dominated point ties with what dominates it in
            an objective of positive preference.

    Returns:
        `[...]`; NaN where an objective is NaN.

    Raises:
        ValueError: `augmentation` is negative or not finite.
    """
    return augmented_tchebycheff(objectives, preferences, reference_point, augmentation)
