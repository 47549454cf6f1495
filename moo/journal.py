"""The journal: every evaluated row, appended as soon as it is paid for, so that a resumed run pays for none twice.

The file holds one numpy array of records after the other, as `numpy.save` writes them, readable with numpy alone. A
process killed while writing leaves at most one torn record array at the end, which is cut off on opening.
"""

from __future__ import annotations

import io
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moo.base import Evaluation

_Fields = dict[str, np.ndarray]


def _pack(rows: Tensor, evaluation: Evaluation) -> np.ndarray:
    """One record per row, in the problem's own directions."""
    n = len(rows)
    fields: _Fields = {"solutions": rows.numpy(), "objectives": evaluation.objectives.numpy()}
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
    fields = {name: torch.from_numpy(records[name].copy()) for name in names if name != "reason"}
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
    """Evaluated rows of one run, in the order in which they were paid.

    Args:
        path: The file; made where it is missing, continued where it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._blocks: list[np.ndarray] = []
        self._starts: list[int] = []
        self._length = 0
        self._headers: dict[tuple[np.dtype, int], bytes] = {}
        whole = 0
        if path.exists():
            with path.open("rb") as file:
                while True:
                    try:
                        self._keep(np.load(file, allow_pickle=False))
                    except (EOFError, ValueError, OSError):
                        break  # the end, or a record array torn by a kill
                    whole = file.tell()
            os.truncate(path, whole)
        self._file = path.open("ab")

    def __len__(self) -> int:
        return self._length

    def _keep(self, records: np.ndarray) -> None:
        self._blocks.append(records)
        self._starts.append(self._length)
        self._length += len(records)

    def serve(self, start: int, rows: Tensor) -> Evaluation | None:
        """The leading ones of `rows [n, ...]` that were paid for as numbers `start`, `start + 1`, ...; None: none were.

        Warns:
            UserWarning: The run asks for other rows than before. The old ones are set aside in a file beside.
        """
        if start >= self._length:
            return None
        parts, row = [], 0
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        for number in range(first, len(self._blocks)):
            block = self._blocks[number][start + row - self._starts[number] :][: len(rows) - row]
            same = (block["solutions"] == rows[row : row + len(block)].numpy()).reshape(len(block), -1).all(axis=1)
            matching = len(block) if same.all() else int(np.argmin(same))
            parts.append(block[:matching])
            row += matching
            if matching < len(block):
                self._set_aside(start + row)
                break
            if row == len(rows):
                break
        return _join([_unpack(part) for part in parts if len(part)])

    def _set_aside(self, length: int) -> None:
        """Forget all rows from number `length` on, keeping a copy of the file."""
        aside = self.path.with_suffix(".diverged.npy")
        shutil.copy(self.path, aside)
        warnings.warn(
            f"This run differs from the one that {self.path} holds from evaluation {length + 1} on (another device or "
            f"version?). It is evaluated anew from there; the old rows stand in {aside.name}.",
            stacklevel=2,
        )
        blocks, self._blocks, self._starts, self._length = self._blocks, [], [], 0
        self._file.truncate(0)
        for block in blocks:
            if length > self._length:
                self._write(block[: length - self._length])

    def append(self, rows: Tensor, evaluation: Evaluation) -> None:
        """Write rows that were just evaluated.

        Raises:
            OSError: The disk is full or the folder is gone; the error names the file.
        """
        self._write(_pack(rows, evaluation))

    def _write(self, records: np.ndarray) -> None:
        key = (records.dtype, len(records))
        if key not in self._headers:  # making a header costs more than writing a batch
            buffer = io.BytesIO()
            np.lib.format.write_array_header_1_0(buffer, np.lib.format.header_data_from_array_1_0(records))
            self._headers[key] = buffer.getvalue()
        try:
            self._file.write(self._headers[key] + records.tobytes())
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, f"could not write the journal: {error.strerror}", str(self.path)) from error
        self._keep(records)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _join(parts: list[Evaluation]) -> Evaluation | None:
    return join_evaluations(parts) if parts else None


def join_evaluations(parts: list[Evaluation]) -> Evaluation:
    """One evaluation after the other; a column stands where all parts have it."""
    if len(parts) == 1:
        return parts[0]

    def column(name: str) -> Tensor | None:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else torch.cat(values)

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
