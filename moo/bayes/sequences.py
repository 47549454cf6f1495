"""Gaussian processes on sequences of actions: linear in what a sequence holds, and smooth in how far two differ.

Sources: Leslie, Eskin and Noble 2002 (the spectrum kernel: counts of all short pieces); sums of kernels whose shares
are learned, Rasmussen and Williams 2006, chapters 4 and 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from moo.bayes.climbing import climb
from moo.bayes.gaussian_processes import JITTER, NOISE_FLOOR, NOISE_PRIOR, draws
from moo.checks import check_matrix

ITERATIONS = 30  # of a fit, at most
FIT_ROWS = 256  # rows that the few hyperparameters are learned from, at most: taken evenly
MOST_COLUMNS = 20_000  # of features
SHARES = (-6.0, 6.0)  # ends of the logarithms of variances and of the sharpness
SHARE_PRIOR = (-1.0, 2.0)  # their mean and standard deviation before anything is seen


@dataclass(frozen=True)
class SequenceFeatures:
    """What a process reads of sequences: which action stands at each place, and how often each short piece occurs.

    Attributes:
        length: Places, T.
        num_actions: A.
        order: The longest pieces counted; 0: none.
    """

    length: int
    num_actions: int
    order: int

    def __post_init__(self) -> None:
        if sum(self.sizes) > MOST_COLUMNS:
            raise ValueError(
                f"Option `order` should be lower: pieces of up to {self.order} of {self.num_actions} actions make "
                f"{sum(self.sizes):,} columns, more than {MOST_COLUMNS:,}."
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Columns of each group: places, single actions, pairs, and so on."""
        return (self.length * self.num_actions, *(self.num_actions**k for k in range(1, self.order + 1)))

    def __call__(self, rows: Tensor) -> Tensor:
        """Features `[n, f]`, over the root of T, of actions `[n, T]`, -1 behind the end."""
        a = self.num_actions
        groups = [torch.nn.functional.one_hot(rows + 1, a + 1)[:, :, 1:].flatten(1).to(torch.float64)]
        for k in range(1, self.order + 1):
            places = self.length - k + 1
            code = sum(rows[:, shift : shift + places] * a ** (k - 1 - shift) for shift in range(k))
            whole = (rows[:, k - 1 :] >= 0).to(torch.float64)  # the last of a piece is there, so all are
            counts = whole.new_zeros(len(rows), a**k)
            groups.append(counts.scatter_add_(1, torch.as_tensor(code).clamp_min(0), whole))
        features: Tensor = torch.cat(groups, dim=1) / math.sqrt(self.length)
        return features


class SequenceProcesses:
    """Independent Gaussian processes of several objectives on features that come in groups: a surrogate.

    The covariance of two rows x, y, for each objective, with variances v, c and a sharpness s that are learned:

        k(x, y) = sum_g v_g <x_g, y_g> + c exp(-s/2 sum_g v_g |x_g - y_g|^2)

    The first part is a linear function of every column, those of a group having the same prior; the second takes what
    is left, smooth in the distance that the first part's standard deviation is.

    Args:
        inputs: Features `[n, f]`.
        sizes: Columns of each group; they add up to f.
        values: `[n, m]`, finite.
        noisy: Whether a noise variance is learned; else values are exact up to rounding.
        starts: Hyperparameters to begin the fit with, `[m, groups + 3]`; None: a guess.
        iterations: Of the fit, at most; 0: `starts` are the hyperparameters.

    Attributes:
        hyperparameters: Logarithms of v, c, s and the noise's variance, `[m, groups + 3]`, in standardised values.
    """

    def __init__(
        self,
        inputs: Tensor,
        sizes: tuple[int, ...],
        values: Tensor,
        *,
        noisy: bool = False,
        starts: Tensor | None = None,
        iterations: int = ITERATIONS,
    ) -> None:
        check_matrix("values", values, rows=check_matrix("inputs", inputs, columns=sum(sizes)).shape[0])
        self.sizes, self.num_outputs, self._noisy = sizes, values.shape[1], noisy
        self._centre = values.mean(dim=0)
        spread = values.std(dim=0, correction=0)
        self._spread = torch.where(spread > 1e-12 * self._centre.abs().clamp_min(1e-300), spread, 1.0)
        standard = ((values - self._centre) / self._spread).T.contiguous()  # [m, n]
        begun = first_guess(self.num_outputs, len(sizes), inputs) if starts is None else starts.to(inputs)
        self.hyperparameters = _fit(inputs, sizes, standard, begun, noisy, iterations) if iterations else begun
        self._condition(inputs, standard[:, :, None], inputs.new_zeros(len(inputs)))

    # ------------------------------------------------------------------------------------------ covariances
    def _columns(self) -> Tensor:
        """The variance of each column, `[m, f]`."""
        return _spread_out(self.hyperparameters[:, : len(self.sizes)].exp(), self.sizes)

    def _covariance(self, first: Tensor, second: Tensor) -> Tensor:
        """Of standardised values between features `[a, f]` and `[b, f]`: `[m, a, b]`."""
        columns, g = self._columns(), len(self.sizes)
        linear = (first * columns[:, None]) @ second.T
        left, right = first.square() @ columns.T, second.square() @ columns.T
        apart = left.T[:, :, None] + right.T[:, None, :] - 2 * linear
        return _kernel(linear, apart, self.hyperparameters[:, g], self.hyperparameters[:, g + 1])

    def _variance(self, rows: Tensor) -> Tensor:
        """Prior variances of standardised values, `[m, n]`."""
        whole = rows.square() @ self._columns().T
        return whole.T + self.hyperparameters[:, len(self.sizes), None].exp()

    def _condition(self, inputs: Tensor, values: Tensor, exact: Tensor) -> None:
        """Factorise for inputs `[n, f]` with standardised values `[m, n, s]`; `exact [n]` is 1 where no noise is."""
        noise = self.hyperparameters[:, -1].exp() if self._noisy else values.new_zeros(self.num_outputs)
        each = NOISE_FLOOR + JITTER + noise[:, None] * (1 - exact)
        factor = torch.linalg.cholesky(self._covariance(inputs, inputs) + torch.diag_embed(each))
        identity = torch.eye(len(inputs), dtype=inputs.dtype, device=inputs.device).expand_as(factor)
        self._whitening = torch.linalg.solve_triangular(factor, identity, upper=False)
        self._weights = self._whitening.mT @ (self._whitening @ values)
        self._inputs, self._values, self._exact = inputs, values, exact

    # ------------------------------------------------------------------------------------------ predictions
    @property
    def rounding(self) -> Tensor:
        """The variance that even exact values have, `[m]`."""
        return (NOISE_FLOOR + JITTER) * self._spread.square()

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Means `[s, n, m]`, one for each version of the values, and standard deviations `[n, m]` of `rows [n, f]`."""
        cross = self._covariance(rows, self._inputs)
        means = (cross @ self._weights).permute(2, 1, 0)
        explained = (cross @ self._whitening.mT).square().sum(dim=-1)
        sd = (self._variance(rows) - explained).clamp_min(1e-12).sqrt()
        return means * self._spread + self._centre, sd.T * self._spread

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Means `[m, q]` and covariances `[m, q, q]` of `rows [q, f]`, for the first version of the values."""
        cross = self._covariance(rows, self._inputs)
        means = (cross @ self._weights[:, :, :1]).squeeze(-1)
        white = cross @ self._whitening.mT
        left = self._covariance(rows, rows) - white @ white.mT
        return means * self._spread[:, None] + self._centre[:, None], left * self._spread.square()[:, None, None]

    def samples(self, rows: Tensor, normal: Tensor) -> Tensor:
        """Joint draws `[k, q, m]` of noise-free values at `rows [q, f]`, made of `normal [k, q, m]`."""
        return draws(*self.joint(rows), normal)

    def conditioned(self, rows: Tensor, values: Tensor) -> SequenceProcesses:
        """The same processes, told noise-free values `[s, k, m]` of further `rows [k, f]` in s versions."""
        told = ((values - self._centre) / self._spread).permute(2, 1, 0)
        before = self._values.expand(-1, -1, told.shape[2])
        other = SequenceProcesses.__new__(SequenceProcesses)
        for name in ("sizes", "num_outputs", "hyperparameters", "_noisy", "_centre", "_spread"):
            setattr(other, name, getattr(self, name))
        exact = torch.cat([self._exact, self._exact.new_ones(len(rows))])
        other._condition(torch.cat([self._inputs, rows]), torch.cat([before, told], dim=1), exact)
        return other


# --------------------------------------------------------------------------------------------------- fitting
def first_guess(m: int, groups: int, like: Tensor) -> Tensor:
    """Hyperparameters `[m, groups + 3]` to begin a fit with."""
    guess = like.new_full((m, groups + 3), SHARE_PRIOR[0])
    guess[:, groups + 1] = 0.0
    guess[:, -1] = NOISE_PRIOR[0]
    return guess


def _spread_out(groups: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """A number of each group `[..., groups]` for each of its columns `[..., f]`."""
    return groups.repeat_interleave(torch.tensor(sizes, device=groups.device), dim=-1)


def _kernel(linear: Tensor, apart: Tensor, log_smooth: Tensor, log_sharpness: Tensor) -> Tensor:
    """The covariance `[b, n, k]` of the linear part, and squared distances in its units."""
    bumps = torch.exp(-0.5 * log_sharpness.exp()[:, None, None] * apart.clamp_min(0))
    return linear + log_smooth.exp()[:, None, None] * bumps


def log_density(grams: Tensor, values: Tensor, parameters: Tensor, noisy: bool) -> Tensor:
    """The logarithm of likelihood times prior of hyperparameters, without constants: `[b]`.

    Args:
        grams: Inner products of the rows in each group, `[groups, n, n]`.
        values: Standardised, `[b, n]`.
        parameters: `[b, groups + 3]`.
        noisy: Whether the last parameter counts.
    """
    g = len(grams)
    linear = torch.einsum("bg,gij->bij", parameters[:, :g].exp(), grams)
    own = linear.diagonal(dim1=1, dim2=2)
    matrix = _kernel(linear, own[:, :, None] + own[:, None, :] - 2 * linear, parameters[:, g], parameters[:, g + 1])
    noise = NOISE_FLOOR + JITTER + (parameters[:, -1].exp() if noisy else torch.zeros_like(parameters[:, -1]))
    factor, info = torch.linalg.cholesky_ex(matrix + torch.diag_embed(noise[:, None].expand(-1, matrix.shape[1])))
    white = torch.linalg.solve_triangular(factor, values[:, :, None], upper=False).squeeze(-1)
    density = -0.5 * white.square().sum(dim=1) - factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    usual, stray = SHARE_PRIOR
    prior = ((parameters[:, : g + 1] - usual) / stray).square().sum(dim=1) + (parameters[:, g + 1] / stray).square()
    if noisy:
        prior = prior + ((parameters[:, -1] - NOISE_PRIOR[0]) / NOISE_PRIOR[1]).square()
    return torch.where(info == 0, density - 0.5 * prior, -torch.inf)


def _fit(inputs: Tensor, sizes: tuple[int, ...], values: Tensor, begun: Tensor, noisy: bool, iterations: int) -> Tensor:
    """The likeliest hyperparameters `[m, groups + 3]`, from one start, given at most `FIT_ROWS` rows."""
    which = torch.linspace(0, len(inputs) - 1, min(len(inputs), FIT_ROWS), device=inputs.device).round().long()
    parts = torch.split(inputs[which], list(sizes), dim=1)
    grams, values = torch.stack([part @ part.T for part in parts]), values[:, which]

    def slope(rows: Tensor, objective: Tensor) -> tuple[Tensor, Tensor]:
        rows = rows.requires_grad_(True)
        found: Any = log_density(grams, values[objective], rows, noisy)
        (gradients,) = torch.autograd.grad(found.sum(), rows)
        return found.detach(), gradients

    ends = begun.new_tensor([SHARES] * begun.shape[1]).T.contiguous()
    ends[0, -1] = -13.0  # about the logarithm of the floor
    with torch.enable_grad():
        return climb(slope, begun, ends, iterations=iterations)[0]
