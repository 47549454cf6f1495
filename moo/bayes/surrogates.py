"""What a surrogate promises, and BoTorch's models as surrogates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from botorch.models.model import Model
from torch import Tensor

from moo.bayes.gaussian_processes import draws
from moo.registry import resolve

SURROGATES = {"batched": "", "botorch": "moo.bayes.surrogates:botorch_processes"}  # the first is our own


@runtime_checkable
class Surrogate(Protocol):
    """A belief about objectives that are independent of each other, each normal at every row of the unit cube."""

    num_outputs: int

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Means `[s, n, m]`, one for each version of what was told, and standard deviations `[n, m]`."""
        ...

    def samples(self, rows: Tensor, normal: Tensor) -> Tensor:
        """Joint draws `[k, q, m]` of noise-free values at rows `[q, d]`, made of `normal [k, q, m]`."""
        ...

    def conditioned(self, rows: Tensor, values: Tensor) -> Surrogate:
        """The same belief, told noise-free values `[s, k, m]` of rows `[k, d]` in s versions."""
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

    def _joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Means `[..., m, q]` and covariances `[..., m, q, q]` of rows `[..., q, d]`."""
        parts = [self.model.posterior(rows, output_indices=[j]).distribution for j in range(self.num_outputs)]
        return torch.stack([p.mean for p in parts], -2), torch.stack([p.covariance_matrix for p in parts], -3)

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        if self.rows is None or self.values is None:
            posterior = self.model.posterior(rows.unsqueeze(-2))
            return posterior.mean.squeeze(-2)[None], posterior.variance.squeeze(-2).clamp_min(1e-24).sqrt()
        told = self.rows.expand(len(rows), -1, -1)
        means, covariances = self._joint(torch.cat([rows.unsqueeze(-2), told], dim=-2))  # [n, m, 1 + k]
        jitter = 1e-8 * covariances.diagonal(dim1=-2, dim2=-1).amax(-1, keepdim=True)
        among = covariances[..., 1:, 1:] + torch.diag_embed(jitter.expand(*jitter.shape[:-1], len(self.rows)))
        gains = torch.cholesky_solve(covariances[..., 1:, :1], torch.linalg.cholesky(among)).squeeze(-1)  # [n, m, k]
        surprise = self.values.permute(0, 2, 1)[:, None] - means[None, ..., 1:]  # [s, n, m, k]
        left = covariances[..., 0, 0] - (gains * covariances[..., 1:, 0]).sum(-1)
        return means[..., 0] + (gains * surprise).sum(-1), left.clamp_min(1e-24).sqrt()

    def samples(self, rows: Tensor, normal: Tensor) -> Tensor:
        return draws(*self._joint(rows), normal)

    def conditioned(self, rows: Tensor, values: Tensor) -> FromModel:
        return FromModel(self.model, rows, values)


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
    """BoTorch's `SingleTaskGP`, one per objective, with its defaults, standardised values and its own fit."""
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.models.transforms import Standardize
    from gpytorch.mlls import SumMarginalLogLikelihood

    parts: list[Any] = []
    for j in range(values.shape[1]):
        seen = torch.isfinite(values[:, j])
        parts.append(SingleTaskGP(inputs[seen], values[seen, j : j + 1], outcome_transform=Standardize(1)))
    model = ModelListGP(*parts)
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
    return model
