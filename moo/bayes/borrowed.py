"""BoTorch's own acquisition functions by name, for comparison and for those who want them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from botorch.models.model import Model
from torch import Tensor

BORROWED = ("qlogehvi", "qlognehvi", "qlognparego", "hvkg", "jes")
CONSTRAINED = ("qlogehvi", "qlognehvi", "qlognparego")  # those that take constraints
NEED_BOTORCH = ("hvkg", "jes")  # those that ask more of a model than its posterior
SAMPLES = 128  # Monte Carlo samples of the posterior
OPTIMAL_SETS = 8  # Pareto sets drawn by the entropy search, and the points of each


def borrowed(
    name: str,
    model: Model,
    inputs: Tensor,
    outputs: Tensor,
    reference_point: Tensor,
    pending: Tensor,
    seed: int,
) -> Any:
    """An acquisition function of BoTorch, to be maximised over the unit cube.

    Sources: qLogEHVI and qLogNEHVI, Ament et al. 2023 (2310.20708) after Daulton et al. 2020 (2006.05078) and 2021
    (2105.08195); qLogNParEGO, the same after Knowles 2006; HVKG, Daulton, Balandat and Bakshy 2023 (ICML); JES, Tu,
    Gandy, Kantas and Shafei 2022 (2210.02905), its lower bound.

    Args:
        name: One of `BORROWED`.
        model: Of objectives, maximised, and then constraints, feasible where `<= 0`.
        inputs: Rows told, `[n, d]`.
        outputs: What came of them, `[n, m + c]`.
        reference_point: `[m]`; the outputs after the first m are constraints.
        pending: Rows `[k, d]`.
        seed: Of its samples.
    """
    m = len(reference_point)
    limits: list[Callable[[Tensor], Tensor]] = [
        lambda values, column=j: values[..., column]  # type: ignore[misc]
        for j in range(m, outputs.shape[1])
    ]
    waiting = pending if len(pending) else None
    if name == "hvkg":
        return _knowledge_gradient(model, reference_point, waiting)
    if name == "jes":
        return _entropy_search(model, inputs.shape[1], inputs, waiting)
    from botorch.acquisition.multi_objective import logei, parego
    from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
    from botorch.sampling.normal import SobolQMCNormalSampler
    from botorch.utils.multi_objective.box_decompositions.non_dominated import FastNondominatedPartitioning

    common: dict[str, Any] = {
        "model": model,
        "sampler": SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=seed % 2**31),
        "objective": IdentityMCMultiOutputObjective(outcomes=list(range(m))),
        "constraints": limits or None,
        "X_pending": waiting,
    }
    point = reference_point.tolist()
    if name == "qlogehvi":
        feasible = outputs[(outputs[:, m:] <= 0).all(dim=1), :m]
        boxes = FastNondominatedPartitioning(reference_point.to(outputs), feasible)
        return logei.qLogExpectedHypervolumeImprovement(ref_point=point, partitioning=boxes, **common)
    if name == "qlognehvi":
        return logei.qLogNoisyExpectedHypervolumeImprovement(
            ref_point=point, X_baseline=inputs, prune_baseline=True, **common
        )
    return parego.qLogNParEGO(X_baseline=inputs, prune_baseline=True, **common)


def _knowledge_gradient(model: Model, reference_point: Tensor, pending: Tensor | None) -> Any:
    from botorch.acquisition.multi_objective.hypervolume_knowledge_gradient import qHypervolumeKnowledgeGradient

    return qHypervolumeKnowledgeGradient(model, reference_point, num_fantasies=4, num_pareto=6, X_pending=pending)


def _entropy_search(model: Model, dim: int, like: Tensor, pending: Tensor | None) -> Any:
    from botorch.acquisition.multi_objective.joint_entropy_search import qLowerBoundMultiObjectiveJointEntropySearch
    from botorch.acquisition.multi_objective.utils import compute_sample_box_decomposition, sample_optimal_points

    bounds = torch.stack([like.new_zeros(dim), like.new_ones(dim)])
    sets, fronts = sample_optimal_points(model, bounds, num_samples=OPTIMAL_SETS, num_points=OPTIMAL_SETS)
    boxes = compute_sample_box_decomposition(fronts)
    return qLowerBoundMultiObjectiveJointEntropySearch(model, sets, fronts, boxes, X_pending=pending)


def best_of_borrowed(acquisition: Any, dim: int, *, raw: int, restarts: int, like: Tensor) -> Tensor:
    """The row `[1, d]` of the unit cube where a function of BoTorch is largest, by BoTorch's own search."""
    from botorch.optim import optimize_acqf

    bounds = torch.stack([like.new_zeros(dim), like.new_ones(dim)])
    options = {"batch_limit": 5, "maxiter": 200}
    row, _ = optimize_acqf(acquisition, bounds, q=1, num_restarts=restarts, raw_samples=raw, options=options)
    found: Tensor = row.detach()
    return found
