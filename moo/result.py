"""What a search gives back: everything in the problem's own directions."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from moo.base import Candidates, Conditional
from moo.directions import turn
from moo.preferences import check_preferences
from moo.registry import resolve
from moo.scalarisations import augmented_tchebycheff
from moo.selection import closest_to_aspiration, closest_to_preferences, knee_points, pseudo_weights, trade_offs
from moo.space import Space
from moo.storage import (
    FORMAT,
    DamagedFileError,
    file_sizes,
    read_candidates,
    read_mapping,
    read_state,
    refuse_other_run,
    write_candidates,
    write_file,
    write_json,
    write_state,
)

FILES = (  # of a saved result, beside record.json
    "cell.json",
    *(f"{name}.npz" for name in ("front", "finals", "additions", "failures", "least_violating")),
    *(f"{name}.csv" for name in ("front", "failures", "history")),
    *(f"state/{name}" for name in ("tree.json", "arrays.npz", "tensors.safetensors")),
)


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult:
    """The outcome of `pareto_search`. Objectives are in the problem's own directions.

    Attributes:
        front: The non-dominated feasible rows of all that was evaluated; possibly none.
        finals: What the last population or the last policies gave, never mixed with the archive; possibly none.
        additions: Every row that entered the archive, in order, with `used`: the front at any budget is made of it.
        failures: Rows that could not be evaluated, with their `reason`.
        least_violating: While nothing is feasible, the rows that violate least.
        history: A table with one row per step: `used`, `front_size`, `hypervolume`.
        config: All it takes to run again, with versions.
        record: How it went: what was used, why it ended, the reference point, times.
    """

    front: Candidates
    finals: Candidates
    additions: Candidates
    failures: Candidates
    least_violating: Candidates
    history: pd.DataFrame
    config: Mapping[str, Any]
    record: Mapping[str, Any]
    _build: Callable[[], Any] = field(repr=False, compare=False)
    _state: Callable[[], Any] = field(default=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        config, record = self.config, self.record
        spent = f"{record.get('used', 0):,} {config['unit']}"
        found = f"{len(self.front)} in the front, hypervolume {record.get('hypervolume', math.nan):.6g}"
        return f"SearchResult({config['method']} on {config['problem']}, seed {config['seed']}: {spent}, {found})"

    # ------------------------------------------------------------------------------------------ what is asked most
    @property
    def solutions(self) -> Tensor:
        """Solutions of the front, `[n, ...]`."""
        return self.front.solutions

    @property
    def objectives(self) -> Tensor:
        """Objectives of the front `[n, m]`, in the problem's own directions."""
        return self.front.objectives

    @property
    def preferences(self) -> Tensor:
        """Preferences that the front's rows followed, `[n, m]`; NaN where there was none."""
        return self.front.preferences

    @property
    def feasible(self) -> bool:
        """Whether anything feasible was found."""
        return len(self.front) > 0

    @property
    def evaluated(self) -> bool:
        """Whether anything was evaluated: a method that learns first may have spent a small budget on that alone."""
        return any(len(rows) for rows in (self.front, self.least_violating, self.failures))

    @property
    def hypervolume(self) -> float:
        """Hypervolume of the front; NaN where it was too costly (see `History`).

        On a noisy problem the history holds what was observed, and this is what fresh evaluations gave.
        """
        return float(self.record["hypervolume"])

    @cached_property
    def generator(self) -> Any:
        """The method as it stood at the end, rebuilt when first asked for.

        Raises:
            ValueError: The result was loaded and its problem is not a registered one: `load_result(dir, problem=...)`.
        """
        return self._build()

    def sample(self, preferences: Any, seed: int = 0) -> Tensor:
        """One solution for each preference, `[k, ...]`.

        Where the method is conditional it generates them; else they are the members of the front that are best by
        augmented Tchebycheff, objectives scaled to the front's range.

        Args:
            preferences: `[k, m]` or `[m]` on the simplex.
            seed: Of a method that samples.

        Raises:
            ValueError: A preference lies off the simplex, or the front is empty.
        """
        wanted = check_preferences(preferences, len(self.config["directions"]))
        if self.config["conditional"]:
            generator: Conditional = self.generator
            sampled = generator.sample(wanted, seed=seed)
            decode = getattr(getattr(generator, "problem", None), "original_solutions", None)
            return sampled if not self.config["encoding"] or decode is None else decode(sampled)
        if not self.feasible:
            raise ValueError(self._lack("no solution fits any preference"))
        objectives = turn(self.objectives, self.config["directions"])
        best, worst = objectives.amax(dim=0), objectives.amin(dim=0)
        scaled = (objectives - worst) / torch.where(best > worst, best - worst, 1.0)
        values = augmented_tchebycheff(scaled, wanted[:, None, :], torch.ones_like(best))
        return self.solutions[values.argmax(dim=1)]

    # ------------------------------------------------------------------------------------------ decisions
    def knees(self, count: int = 1) -> Tensor:
        """Rows of the front where it bends most, `[j]`, j <= `count`: see `moo.selection.knee_points`.

        Raises:
            ValueError: Nothing feasible was found, or `count` is below 1.
        """
        return knee_points(self._to_choose_from(), directions=self.config["directions"], count=count)

    def trade_offs(self) -> Tensor:
        """What leaving each row of the front costs at least `[n]`: see `moo.selection.trade_offs`.

        Raises:
            ValueError: Nothing feasible was found.
        """
        return trade_offs(self._to_choose_from(), directions=self.config["directions"])

    def pseudo_weights(self) -> Tensor:
        """The preference that each row of the front seems to follow `[n, m]`: see `moo.selection.pseudo_weights`.

        Raises:
            ValueError: Nothing feasible was found.
        """
        return pseudo_weights(self._to_choose_from(), directions=self.config["directions"])

    def nearest(self, preferences: Any) -> Tensor:
        """For each preference `[k, m]` or `[m]` the row `[k]` of the front that is nearest to it by pseudo-weights.

        `sample` chooses otherwise: what is best for a preference by a scalarisation. See
        `moo.selection.closest_to_preferences`.

        Raises:
            ValueError: Nothing feasible was found, or a preference lies off the simplex.
        """
        return closest_to_preferences(self._to_choose_from(), preferences, directions=self.config["directions"])

    def achieve(self, aspiration: Any, *, preference: Any = None, augmentation: float = 0.05) -> int:
        """The row of the front that surpasses, or misses least, an aspiration `[m]`.

        See `moo.selection.closest_to_aspiration`.

        Raises:
            ValueError: Nothing feasible was found, or an argument breaks a rule.
        """
        words = {"directions": self.config["directions"], "preference": preference, "augmentation": augmentation}
        return closest_to_aspiration(self._to_choose_from(), aspiration, **words)

    def _to_choose_from(self) -> Tensor:
        if not self.feasible:
            raise ValueError(self._lack("there is nothing to choose from"))
        return self.objectives

    def _lack(self, so: str) -> str:
        """What is said where the front is empty, and what that means for a call."""
        if self.evaluated:
            return f"Nothing feasible was found, so {so}: see `least_violating`."
        spent = f"{self.record['used']:,} {self.config['unit']}"
        return (
            f"Nothing was evaluated, so {so}: {self.config['method']!r} learned from all {spent}. Give a larger budget."
        )

    # ------------------------------------------------------------------------------------------ tables and plots
    def to_dataframe(self, which: str = "front") -> pd.DataFrame:
        """One row per candidate: solution columns, objectives by name, then `constraint1...`, `used` and the others.

        What was constructed stands in one column, `object`, as a person reads it.

        Args:
            which: `"front"`, `"finals"`, `"additions"`, `"failures"` or `"least_violating"`.
        """
        if which not in ("front", "finals", "additions", "failures", "least_violating"):
            raise ValueError(f"`which` should name one of the result's sets of rows. Found {which!r}.")
        return self._table(getattr(self, which))

    def _table(self, candidates: Candidates) -> pd.DataFrame:
        extras = dict(candidates.without_parameters().extras)
        columns: dict[str, Any] = {"object": _printable(extras.pop("object").tolist())} if "object" in extras else {}
        if self.config["space"] is not None:
            space = Space.from_json(self.config["space"])
            rows = [space.describe(row) for row in candidates.solutions]
            columns.update({name: [row[name] for row in rows] for name in space.names})
        elif not columns:
            flat = candidates.solutions.flatten(1)
            columns.update({f"solution{i + 1}": flat[:, i].tolist() for i in range(flat.shape[1])})
        for i, name in enumerate(self.config["objective_names"]):
            columns[name] = candidates.objectives[:, i].tolist()
        if not candidates.preferences.isnan().all():
            for i, name in enumerate(self.config["objective_names"]):
                columns[f"preference.{name}"] = candidates.preferences[:, i].tolist()
        for key, value in extras.items():
            if getattr(value, "ndim", 1) == 1:
                columns[key] = _printable(value.tolist())
            else:
                columns.update({f"{key.removesuffix('s')}{i + 1}": value[:, i].tolist() for i in range(value.shape[1])})
        return pd.DataFrame(columns)

    def plot(self, path: str | Path | None = None, kind: str = "front", **options: Any) -> Any:
        """Draw the result: its front, or any other kind of plot that can be made of one result.

        Args:
            path: Where to write it; the ending (.pdf, .svg, .png) is the format. None: only draw.
            kind: A name in `moo.plots.PLOTS`: `"front"` (a scatter, projections of three objectives, parallel axes
                above), `"matrix"`, `"parallel"`, `"convergence"`, `"regret"`, `"ecdf"`, `"petal"`, `"ternary"`,
                `"sweep"`. Others compare several searches: `moo.plots.plot_attainment([result, ...])`.
            **options: Those of `moo.plots.plot_KIND`.

        Returns:
            The matplotlib figure.

        Raises:
            TypeError, ValueError: The kind is unknown or compares several searches, or as `moo.plots.plot_KIND`.
        """
        from moo.plots import PLOTS  # the one upward import: applications stand above results

        return resolve(PLOTS, kind, "plot")(self, path, **options)

    def explore(self, path: str | Path, **options: Any) -> Path:
        """Write an interactive page of the front: one file, which opens offline.

        Args:
            path: Where to write it; it should end in .html.
            **options: Those of `moo.plots.explore`, which takes several results too.

        Returns:
            The path.
        """
        from moo.plots import explore  # upward, as above

        written: Path = explore(self, path, **options)
        return written

    # ------------------------------------------------------------------------------------------ disk
    def save(self, folder: str | Path) -> Path:
        """Write the result as a directory in the storage format; `load_result` reads it.

        Raises:
            ValueError: The folder holds another run's result.
            OSError: A file could not be written; the error names it.
        """
        folder = Path(folder)
        refuse_other_run(folder, self.config)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "record.json").unlink(missing_ok=True)  # written last: a folder without it is not whole
        write_json(folder / "cell.json", {"format": FORMAT, **self.config})
        for name in ("front", "finals", "additions", "least_violating"):
            write_candidates(folder / f"{name}.npz", getattr(self, name))
        write_candidates(folder / "failures.npz", self.failures)
        write_file(folder / "failures.csv", lambda file: file.write(_csv(self._table(self.failures))))
        write_file(folder / "front.csv", lambda file: file.write(_csv(self._table(self.front))))
        write_file(folder / "history.csv", lambda file: file.write(_csv(self.history)))
        write_state(folder / "state", self._state())
        sizes = file_sizes(folder)
        files = {name: sizes[name] for name in FILES}  # so that what is torn or gone is seen without reading it
        write_json(folder / "record.json", {"format": FORMAT, **self.record, "files": files})
        return folder


def _printable(values: list[Any]) -> list[Any]:
    """Values of which no text holds half of a surrogate pair: where pyarrow is installed, pandas takes none."""
    return [value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value for value in values]


def _csv(table: pd.DataFrame) -> bytes:
    """A table as CSV with exact numbers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.astype(object).itertuples(index=False, name=None))
    return text.getvalue().encode(errors="backslashreplace")


def read_result(folder: Path, build: Callable[[Mapping[str, Any], Any], Any]) -> SearchResult:
    """Read what `SearchResult.save` wrote.

    Args:
        folder: Where.
        build: Makes the generator from configuration and state, when it is asked for.

    Raises:
        FileNotFoundError: The folder holds no finished run.
        DamagedFileError: A file cannot be read; it is named.
    """
    missing = [name for name in ("cell.json", "record.json") if not (folder / name).exists()]
    if missing:
        raise FileNotFoundError(f"{folder} holds no finished run: {missing[0]} is missing. Run the search first.")
    config, record = read_mapping(folder / "cell.json"), read_mapping(folder / "record.json")
    newer = max(config["format"], record["format"])
    if newer > FORMAT:
        raise ValueError(f"{folder} was written in format {newer}, this version reads up to {FORMAT}. Update moo.")
    record = {key: value for key, value in record.items() if key != "files"}  # of the folder, not of the result
    names = ("front", "finals", "additions", "failures", "least_violating")
    rows = {name: read_candidates(folder / f"{name}.npz") for name in names}
    try:
        history = pd.read_csv(folder / "history.csv", converters={"hypervolume": float})  # exact, unlike pandas' own
        history = history[["used", "front_size", "hypervolume"]]
    except FileNotFoundError:
        raise
    except Exception as error:
        raise DamagedFileError.of(folder / "history.csv", error) from error

    def state() -> Any:
        if "imported_from" in record:
            raise ValueError(f"{folder} was imported: its method is another program's, and cannot be rebuilt.")
        stored = read_state(folder / "state")
        if stored is None:
            raise FileNotFoundError(f"{folder / 'state'} is missing: the method of this result cannot be rebuilt.")
        return stored

    return SearchResult(
        **rows,
        history=history,
        config=config,
        record=record,
        _build=lambda: build(config, state()),
        _state=state,
    )
