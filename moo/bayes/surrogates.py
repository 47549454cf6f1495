"""What a surrogate promises, and BoTorch's models as surrogates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from botorch.models.model import Model
from torch import Tensor

from moo.bayes.gaussian_processes import JITTER, draws
from moo.registry import resolve

SURROGATES = {
    "batched": "",  # our own
    "botorch": "moo.bayes.surrogates:botorch_processes",
    "saas": "moo.bayes.surrogates:sparse_processes",
}


@runtime_checkable
class Surrogate(Protocol):
    """A belief about objectives that are independent of each other, each normal at every row of the unit cube."""

    num_outputs: int

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Means `[s, n, m]`, one for each version of what was told, and standard deviations `[n, m]`."""
        ...

    def samples(self, rows: Tensor, normal: Tensor) -> Tensor:
        """Joint draws `[k, q, m]` at rows `[q, d]`, of the first version and noise-free, made of `normal [k, q, m]`."""
        ...

    def conditioned(self, rows: Tensor, values: Tensor) -> Surrogate:
        """The same belief, told noise-free values `[s, k, m]` of further rows `[k, d]` in s versions."""
        ...


class FromModel:
    """A model of BoTorch as a surrogate; told values enter through its joint posterior, so that any model will do.

    Args:
        model: With independent objectives.
        rows: Noise-free rows told, `[k, d]`.
        values: Theirs, in s versions, `[s, k, m]`.
    """

    def __init__(self, model: Model, rows: Tensor | None = None, values: Tensor | None = None) -> None:
        self.model, self.rows, self.values = model, rows, values
        self.num_outputs: int = model.num_outputs

    def _prior(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The model's own means `[..., m, q]` and covariances `[..., m, q, q]` of rows `[..., q, d]`."""
        law: Any = self.model.posterior(rows).distribution
        m, q = self.num_outputs, rows.shape[-2]
        if m == 1:
            return law.mean.unsqueeze(-2), law.covariance_matrix.unsqueeze(-3)
        apart = law.covariance_matrix.unflatten(-1, (q, m) if law._interleaved else (m, q))
        apart = apart.unflatten(-3, (q, m) if law._interleaved else (m, q))
        if law._interleaved:  # [..., q, m, q, m]
            apart = apart.transpose(-4, -3).transpose(-2, -1)
        return law.mean.mT, apart.diagonal(dim1=-4, dim2=-2).movedim(-1, -3)

    def _joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Means `[s, ..., m, q]` and covariances `[..., m, q, q]` of rows `[..., q, d]`, given what was told."""
        if self.rows is None or self.values is None:
            means, covariances = self._prior(rows)
            return means[None], covariances
        q, k = rows.shape[-2], len(self.rows)
        means, covariances = self._prior(torch.cat([rows, self.rows.expand(*rows.shape[:-2], k, -1)], dim=-2))
        jitter = JITTER * covariances.diagonal(dim1=-2, dim2=-1).amax(-1, keepdim=True)
        among = covariances[..., q:, q:] + torch.diag_embed(jitter.expand(*jitter.shape[:-1], k))
        cross = covariances[..., q:, :q]
        gains = torch.cholesky_solve(cross, torch.linalg.cholesky(among))  # [..., m, k, q]
        told = self.values.mT  # [s, m, k]
        told = told.reshape(len(told), *[1] * (means.ndim - 2), *told.shape[1:])
        moved = ((told - means[..., q:]).unsqueeze(-2) @ gains).squeeze(-2)
        return means[..., :q] + moved, covariances[..., :q, :q] - cross.mT @ gains

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        means, covariances = self._joint(rows.unsqueeze(-2))
        return means.squeeze(-1), covariances[..., 0, 0].clamp_min(1e-24).sqrt()

    def samples(self, rows: Tensor, normal: Tensor) -> Tensor:
        means, covariances = self._joint(rows)
        return draws(means[0], covariances, normal)

    def conditioned(self, rows: Tensor, values: Tensor) -> FromModel:
        if self.rows is None or self.values is None:
            return FromModel(self.model, rows, values)
        before = self.values.expand(len(values), -1, -1)
        return FromModel(self.model, torch.cat([self.rows, rows]), torch.cat([before, values], dim=1))


def surrogate_maker(name: str) -> Callable[[Tensor, Tensor], Model]:
    """The function that makes a model of inputs `[n, d]` of the unit cube and values `[n, m]`, maximised.

    Args:
        name: One of `SURROGATES` but the first, or `"module:function"`.

    Raises:
        ValueError: There is none of that name.
    """
    if ":" in name:
        return resolve({name: name}, name, "surrogate")  # type: ignore[no-any-return]
    return resolve(SURROGATES, name, "surrogate")  # type: ignore[no-any-return]


def botorch_processes(inputs: Tensor, values: Tensor) -> Model:
    """BoTorch's `SingleTaskGP`, one per output, with its defaults, standardised values and its own fit."""
    from botorch.models import SingleTaskGP

    return _fitted(SingleTaskGP, inputs, values)


def sparse_processes(inputs: Tensor, values: Tensor) -> Model:
    """BoTorch's additive MAP-SAAS processes, one per output: few of many columns matter (2103.00349)."""
    from botorch.models.map_saas import AdditiveMapSaasSingleTaskGP

    return _fitted(AdditiveMapSaasSingleTaskGP, inputs, values)


def _fitted(kind: Any, inputs: Tensor, values: Tensor) -> Model:
    """One fitted model of BoTorch per output, of the rows where that was observed."""
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP
    from botorch.models.transforms import Standardize
    from gpytorch.mlls import SumMarginalLogLikelihood

    parts: list[Any] = []
    for j in range(values.shape[1]):
        seen = torch.isfinite(values[:, j])
        parts.append(kind(inputs[seen], values[seen, j : j + 1], outcome_transform=Standardize(1)))
    model = ModelListGP(*parts)
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
    return model
