"""The journal: every evaluated row, appended as soon as it is paid for, so that a resumed run pays for none twice.

The file holds one numpy array of records after the other, as `numpy.save` writes them, readable with numpy alone. A
process killed while writing leaves at most one torn record array at the end, which is cut off on opening.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import warnings
from bisect import bisect_right
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moo.base import Evaluation

_Fields = dict[str, np.ndarray]


def _pack(start: int, rows: Tensor, evaluation: Evaluation) -> np.ndarray:
    """One record per row, in the problem's own directions."""
    n = len(rows)
    fields: _Fields = {
        "number": np.arange(start, start + n),
        "solutions": rows.numpy(),
        "objectives": evaluation.objectives.numpy(),
    }
    for name in ("constraints", "std", "failed"):
        value = getattr(evaluation, name)
        if value is not None:
            fields[name] = value.numpy()
    if evaluation.solutions is not None:
        fields["evaluated"] = evaluation.solutions.numpy()
    if evaluation.reasons:
        fields["reason"] = np.array([evaluation.reasons.get(row, "") for row in range(n)])
    records = np.empty(n, dtype=[(name, value.dtype, value.shape[1:]) for name, value in fields.items()])
    for name, value in fields.items():
        records[name] = value
    return records


def _unpack(records: np.ndarray) -> Evaluation:
    names = records.dtype.names or ()
    fields = {name: torch.from_numpy(records[name].copy()) for name in names if name not in ("number", "reason")}
    texts = records["reason"].tolist() if "reason" in names else []
    return Evaluation(
        objectives=fields["objectives"],
        constraints=fields.get("constraints"),
        std=fields.get("std"),
        failed=fields.get("failed"),
        reasons={row: text for row, text in enumerate(texts) if text},
        solutions=fields.get("evaluated"),
    )


class Journal:
    """Evaluated rows of one run, each with its number in the order of payment.

    Args:
        path: The file; made where it is missing, continued where it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._blocks: list[np.ndarray] = []
        self._starts: list[int] = []
        self._headers: dict[tuple[np.dtype, int], bytes] = {}
        self._size = 0  # of the whole part of the file
        if path.exists():
            with path.open("rb") as file:
                while True:
                    try:
                        self._keep(np.load(file, allow_pickle=False))
                    except (EOFError, ValueError, OSError, IndexError, KeyError):
                        break  # the end, or a record array torn by a kill
                    self._size = file.tell()
            os.truncate(path, self._size)
        self._file = path.open("ab", buffering=0)

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    @property
    def _end(self) -> int:
        return self._starts[-1] + len(self._blocks[-1]) if self._blocks else 0

    def _keep(self, records: np.ndarray) -> None:
        self._starts.append(int(records["number"][0]))
        self._blocks.append(records)

    def serve(self, start: int, rows: Tensor) -> Evaluation | None:
        """The leading ones of `rows [n, ...]` that were paid for as numbers `start`, `start + 1`, ...; None: none were.

        Warns:
            UserWarning: The run asks for other rows than before. The old ones are set aside in a file beside.
        """
        if not len(rows) or start >= self._end:
            return None
        parts, row = [], 0
        for number in range(max(bisect_right(self._starts, start) - 1, 0), len(self._blocks)):
            skipped = start + row - self._starts[number]
            if row == len(rows) or not 0 <= skipped < len(self._blocks[number]):
                break  # served whole, or a part of the file was lost
            block = self._blocks[number][skipped:][: len(rows) - row]
            asked = rows[row : row + len(block)].numpy()
            differs = (block["solutions"] != asked).reshape(len(block), int(np.prod(asked.shape[1:]))).any(axis=1)
            matching = int(np.argmax(differs)) if differs.any() else len(block)
            parts.append(block[:matching])
            row += matching
            if matching < len(block):
                self._set_aside(start + row)
                break
        return _join([_unpack(part) for part in parts if len(part)])

    def _set_aside(self, end: int) -> None:
        """Forget all rows from number `end` on, keeping a copy of the file."""
        aside = self.path.with_suffix(".diverged.npy")
        shutil.copy(self.path, aside)
        warnings.warn(
            f"This run differs from the one that {self.path} holds from evaluation {end + 1} on (another device or "
            f"version?). It is evaluated anew from there; the old rows stand in {aside.name}.",
            stacklevel=2,
        )
        blocks, self._blocks, self._starts, self._size = self._blocks, [], [], 0
        self._file.truncate(0)
        for block in blocks:
            kept = block[block["number"] < end]
            if len(kept):
                self._write(kept)

    def append(self, rows: Tensor, evaluation: Evaluation, start: int | None = None) -> None:
        """Write rows that were just evaluated, the first of them as number `start` (None: the next).

        Raises:
            OSError: The disk is full or the folder is gone; the error names the file, which stays whole.
        """
        if len(rows):
            self._write(_pack(self._end if start is None else start, rows, evaluation))

    def _write(self, records: np.ndarray) -> None:
        key = (records.dtype, len(records))
        if key not in self._headers:  # making a header costs more than writing a batch
            buffer = io.BytesIO()
            np.lib.format.write_array_header_1_0(buffer, np.lib.format.header_data_from_array_1_0(records))
            self._headers[key] = buffer.getvalue()
        data = memoryview(self._headers[key] + records.tobytes())
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:]) or 0
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            raise OSError(error.errno, f"could not write the journal: {error.strerror}", str(self.path)) from error
        self._size += len(data)
        self._keep(records)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _join(parts: list[Evaluation]) -> Evaluation | None:
    return join_evaluations(parts) if parts else None


def join_evaluations(parts: list[Evaluation]) -> Evaluation:
    """One evaluation after the other; a column that a part lacks is NaN there, and `solutions` stand in all or none."""
    if len(parts) == 1:
        return parts[0]

    def column(name: str) -> Tensor | None:
        values = [getattr(part, name) for part in parts]
        model = next((value for value in values if value is not None), None)
        if model is None:
            return None
        lengths = [len(part.objectives) for part in parts]
        fill = float("nan") if model.is_floating_point() else 0
        return torch.cat(
            [
                model.new_full((n, *model.shape[1:]), fill) if v is None else v
                for v, n in zip(values, lengths, strict=True)
            ]
        )

    reasons: dict[int, str] = {}
    first = 0
    for part in parts:
        reasons.update({first + row: text for row, text in part.reasons.items()})
        first += len(part.objectives)
    return Evaluation(
        torch.cat([part.objectives for part in parts]),
        column("constraints"),
        column("std"),
        column("failed"),
        reasons,
        column("solutions"),
    )
