"""Functions of a person's own files as problems.

`FileFunction` is the function of `my_file.py:function`; `CallableSpec` is all that is said of one on the command line
or in a suite: data from which any process makes the problem again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from moo.adapters.callables import CallableProblem, check_names
from moo.checks import check_count, check_vector, unknown_name


# ------------------------------------------------------------------------------------------ a function of a file
def names_function(text: str) -> bool:
    """Whether a text means a function of a file, well written or not, rather than a registered problem."""
    return text.endswith(".py") or ".py:" in text


def load_callable(target: str, folder: str | Path = "") -> FileFunction:
    """The function of `my_file.py:function`, a relative path being relative to `folder`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The target is written otherwise, or the file cannot be imported or has no such function.
    """
    return FileFunction(target, folder).load()


class FileFunction:
    """The function of `my_file.py:function`. Copied into another process, it is loaded there from the file.

    While file and function run, the file's folder stands on `sys.path`, as that of a script does.

    Args:
        target: Which.
        folder: What a relative path is relative to; by default where this process works.

    Raises:
        ValueError: The target is written otherwise.
    """

    def __init__(self, target: str, folder: str | Path = "") -> None:
        self._path, self.__name__ = split_target(target)
        self.__qualname__ = self.__name__
        self._folder = Path(folder).absolute()
        self._file = self._folder / self._path
        self._function: Callable[..., Any] | None = None

    def load(self) -> FileFunction:
        """Execute the file, also where it was executed before, and find the function in it.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be imported, or has no such function.
        """
        self._function = self._find(self._execute())
        return self

    def __call__(self, *arguments: Any) -> Any:
        if self._function is None:  # a copy: the file is executed once in each process
            self._function = self._find(sys.modules.get(self._module) or self._execute())
        with _on_path(self._file.parent):
            try:
                return self._function(*arguments)
            except SystemExit as error:
                raise RuntimeError(f"it called sys.exit({error.code!r})") from error

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_function": None}

    @property
    def _module(self) -> str:
        """The module's name: readable, and another one for every file."""
        digest = hashlib.sha256(str(self._file).encode()).hexdigest()[:8]
        return f"moo_user_{re.sub(r'[^A-Za-z0-9]', '_', self._file.stem)}_{digest}"

    def _execute(self) -> ModuleType:
        """The file as a module, which stands in `sys.modules`: dataclasses and pickle look for it there."""
        if not self._file.exists():
            where = "" if Path(self._path).is_absolute() else f" in {self._folder}"
            raise FileNotFoundError(f"There is no file {self._path!r}{where}.")
        spec: Any = importlib.util.spec_from_file_location(self._module, self._file)
        module = importlib.util.module_from_spec(spec)
        before = sys.modules.get(self._module)
        sys.modules[self._module] = module
        try:
            with _on_path(self._file.parent):
                spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[self._module]
            if before is not None:
                sys.modules[self._module] = before
            why = f"{type(error).__name__}: {error}"
            if isinstance(error, SystemExit):
                why = 'it calls sys.exit. What it does as a script belongs under `if __name__ == "__main__":`.'
            raise ValueError(f"{self._path} cannot be imported: {why}") from error
        return module

    def _find(self, module: ModuleType) -> Callable[..., Any]:
        function = getattr(module, self.__name__, None)
        if callable(function):
            found: Callable[..., Any] = function
            return found
        known = [
            name
            for name, value in vars(module).items()
            if callable(value) and not isinstance(value, type) and getattr(value, "__module__", "") == self._module
        ]
        raise ValueError(unknown_name(f"function of {self._path}", self.__name__, known))


def split_target(target: Any) -> tuple[str, str]:
    """Split `my_file.py:function`.

    Raises:
        ValueError: It is written otherwise.
    """
    path, _, name = str(target).rpartition(":")
    if str(target).endswith(".py"):
        raise ValueError(f"Which function of {target}? Say it after a colon, as in {target}:function.")
    if not path.endswith(".py") or not name.isidentifier():
        raise ValueError(f"A function in a file should be written my_file.py:function. Found {target!r}.")
    return path, name


@contextlib.contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    """Let a folder stand first on `sys.path` for a while."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # it took itself away
            sys.path.remove(str(folder))


# ------------------------------------------------------------------------------------------ what is said of it
@dataclass(frozen=True)
class CallableSpec:
    """A function of a file with all it takes to be a problem, as data: any process makes the problem from it.

    Made by `read`. Two are equal where they mean the same problem, wherever the files lie and however many processes
    share the rows. As text it is the problem's name.

    Attributes:
        callable: `my_file.py:function`, as it was written.
        bounds: `(low, high)` of each column.
        directions: `"min"` or `"max"` of each objective.
        name: What the problem is called; by default what `callable` says.
        stochastic, vectorized, workers: As of `CallableProblem`.
        reference_point: For the hypervolume; none: it is inferred.
        objectives: What tables and axes call the objectives; none: f1, f2, ...
        folder: What a relative path is relative to.
    """

    callable: str
    bounds: tuple[tuple[float, float], ...]
    directions: tuple[str, ...]
    name: str = ""
    stochastic: bool = False
    vectorized: bool | str = "auto"
    reference_point: tuple[float, ...] = ()
    objectives: tuple[str, ...] = ()
    workers: int = field(default=1, compare=False)
    folder: str = field(default="", compare=False)

    @classmethod
    def read(cls, said: Mapping[str, Any], folder: str | Path = "", *, flag: str = "") -> CallableSpec:
        """Read what a person said of a function, and check all but the function itself.

        Args:
            said: The attributes by name, `bounds`, `directions`, `reference_point`, `objectives` as lists or as text.
            folder: What a relative path is relative to; by default where this process works.
            flag: What a person writes before a name: `"--"` on the command line.

        Raises:
            TypeError, ValueError: A key is unknown or missing, or a value breaks a rule.
        """
        known = [key.name for key in fields(cls) if key.name != "folder"]
        for key in said:
            if key not in known:
                advice = " A value with commas needs quotes in YAML." if said[key] is None else ""
                raise ValueError(unknown_name("key of a function", key, known) + advice)
        if "callable" not in said:
            raise ValueError('`callable` is missing: say which function, as in "my_file.py:function".')
        split_target(said["callable"])
        for key in ("bounds", "directions"):
            if key not in said:
                raise ValueError(
                    f"`{flag}{key}` is missing: a function needs its bounds and directions, as in "
                    f'{flag}bounds "0:1,0:5" and {flag}directions "min,max".'
                )
        directions = parse_directions(said["directions"], f"{flag}directions")
        bounds = parse_bounds(said["bounds"], f"{flag}bounds")
        names = said.get("objectives") or None
        listed = names.split(",") if isinstance(names, str) else names
        stochastic = said.get("stochastic", False)
        if not isinstance(stochastic, bool):
            raise TypeError(f"`stochastic` should be true or false. Found {stochastic!r}.")
        spec = cls(
            callable=said["callable"],
            bounds=bounds,
            directions=directions,
            name=str(said.get("name") or "").strip(),
            stochastic=stochastic,
            vectorized=said.get("vectorized", "auto"),
            reference_point=parse_point(said.get("reference_point"), len(directions)),
            objectives=check_names(
                listed, len(directions), [f"x{i + 1}" for i in range(len(bounds))], f"{flag}objectives"
            ),
            workers=check_count("workers", said.get("workers", 1)),
            folder=str(Path(folder).absolute()),
        )
        spec.problem(loaded=False)  # for its checks
        return spec

    def problem(self, *, loaded: bool = True) -> CallableProblem:
        """The problem; its function is loaded now, or where nobody is to call it, not.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file cannot be imported or has no such function, or an attribute breaks a rule.
        """
        function = FileFunction(self.callable, self.folder)
        return CallableProblem(
            function.load() if loaded else function,
            self.bounds,
            self.directions,
            objective_names=self.objectives or None,
            vectorized=self.vectorized,
            workers=self.workers,
            stochastic=self.stochastic,
            name=str(self),
        )

    def __str__(self) -> str:
        return self.name or self.callable

    def to_json(self) -> dict[str, Any]:
        """What `read` reads, the folder and what is as by default left out."""
        said = {key.name: (getattr(self, key.name), key.default) for key in fields(self) if key.name != "folder"}
        return {name: value for name, (value, default) in said.items() if value != default}

    def identity(self) -> dict[str, Any]:
        """The same without `workers`, which change nothing about what the problem is."""
        return {name: value for name, value in self.to_json().items() if name != "workers"}


def parse_bounds(bounds: Any, name: str = "bounds") -> tuple[tuple[float, float], ...]:
    """Read `low:high` pairs separated by commas, or a list of pairs.

    Raises:
        ValueError: It is neither; `name` stands in the message.
    """
    try:
        entries = bounds.split(",") if isinstance(bounds, str) else bounds
        pairs = [entry.split(":") if isinstance(entry, str) else entry for entry in entries]
        return tuple((float(low), float(high)) for low, high in pairs)
    except (TypeError, ValueError):
        raise ValueError(
            f'`{name}` should be low:high pairs separated by commas, as in "0:1,0:5", or a list of [low, high] pairs. '
            f"Found {bounds!r}."
        ) from None


def parse_directions(directions: Any, name: str = "directions") -> tuple[str, ...]:
    """Read words separated by commas, or a list of words.

    Raises:
        ValueError: It is neither; `name` stands in the message.
    """
    words = directions.split(",") if isinstance(directions, str) else directions
    if not isinstance(words, list | tuple) or len(words) < 2 or not all(isinstance(word, str) for word in words):
        raise ValueError(
            f'`{name}` should be min or max for each objective, of which at least 2 are needed, as in "min,max". '
            f"Found {directions!r}."
        )
    return tuple(word.strip() for word in words)


def parse_point(point: Any, num_objectives: int) -> tuple[float, ...]:
    """Read a reference point, numbers separated by commas or a list of numbers; None gives none.

    Raises:
        TypeError, ValueError: It is no such thing, or has another number of objectives.
    """
    if point is None:
        return ()
    with contextlib.suppress(ValueError):  # else `check_vector` says what is wrong
        point = [float(part) for part in point.split(",")] if isinstance(point, str) else point
    return tuple(check_vector("reference_point", point, num_objectives).tolist())
