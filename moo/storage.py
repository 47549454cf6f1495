"""What is on disk: JSON, npz, CSV and safetensors in one directory per run; nothing is ever pickled.

Every file and folder is written under a temporary name and then renamed, so that a reader meets the old or the new
one, whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors.torch
import torch
from safetensors.torch import load_file

from moo.base import Candidates

FORMAT = 1  # of the directory; a newer one is refused
QUOTED = 100  # characters of a value that a message quotes
FREE = ("format", "budget", "choice", "reevaluations", "versions")  # may differ from one life of a run to the next


class DamagedFileError(ValueError):
    """A file of a run cannot be read.

    Attributes:
        what: Which file and why, without the advice: for who runs it again himself.
    """

    what: str = ""

    @classmethod
    def of(cls, path: Path, error: Exception) -> DamagedFileError:
        """The error for a file that could not be read because of another one."""
        what = f"{path} is damaged ({type(error).__name__}: {error})"
        made = cls(f"{what}. Delete it and run again.")
        made.what = what
        return made


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name, then rename it.

    Raises:
        OSError: It could not be written; the error names the file, and an older one stays whole.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, f"could not be written: {error.strerror}", str(path)) from error
        raise


def folder_name(problem: str, method: str, seed: int, identity: Mapping[str, Any]) -> str:
    """The name of a run's folder: a readable prefix, and a hash of all that makes the run what it is."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9.+=_-]+", "_", f"{problem}-{method}-{seed}")
    return f"{readable[:80]}-{digest}"


def file_sizes(folder: Path) -> dict[str, int]:
    """The size in bytes of each entry of a run's folder and of its `state/`, by its path there; 0 of folders."""
    sizes: dict[str, int] = {}
    for prefix, place in (("", folder), ("state/", folder / "state")):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(place) as entries:
            for entry in entries:
                about = entry.stat()
                sizes[prefix + entry.name] = about.st_size if stat.S_ISREG(about.st_mode) else 0
    return sizes


# ----------------------------------------------------------------------------------------------------------- JSON
def write_json(path: Path, value: Any) -> None:
    """Write JSON values, numbers exactly, keys in their order."""
    write_file(path, lambda file: file.write((json.dumps(value, indent=1) + "\n").encode()))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DamagedFileError: It is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise DamagedFileError.of(path, error) from error


def read_mapping(path: Path, *keys: str) -> dict[str, Any]:
    """Read a JSON file that should hold a mapping with these keys.

    Raises:
        DamagedFileError: It is missing, no JSON, or JSON of another shape.
    """
    try:
        value = read_json(path)
    except FileNotFoundError as error:
        raise DamagedFileError.of(path, error) from error
    if not isinstance(value, dict) or not set(keys) <= set(value):
        raise DamagedFileError.of(path, ValueError(f"it should hold a mapping with {', '.join(keys) or 'text keys'}"))
    return value


def refuse_other_run(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise where a folder holds the data of a run with another configuration, or a finished one of a larger budget.

    Raises:
        ValueError: It does; the message says what differs and how to go on.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"A folder is needed for the run's data. {folder} is a file.")
    if not (folder / "cell.json").exists():
        return
    old = read_mapping(folder / "cell.json")
    different = [
        f"{key}: {_shortly(old.get(key))} there, {_shortly(value)} now"
        for key, value in config.items()
        if key not in FREE and old.get(key) != value
    ]
    if different:
        raise ValueError(
            f"{folder} holds another run ({'; '.join(different)}). "
            "Choose another folder, or make the same call as before to go on with it."
        )
    if (folder / "record.json").exists() and old.get("budget", 0) > config.get("budget", math.inf):
        raise ValueError(
            f"{folder} holds this run, finished with a larger budget, {old['budget']:,}; {config['budget']:,} would "
            "replace it. Choose another folder, or at least that budget."
        )


def _shortly(value: Any) -> str:
    """A value as a message quotes it: a long one, such as a space, by its beginning."""
    text = repr(value)
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}..."


# ----------------------------------------------------------------------------------------------------------- rows
def write_candidates(path: Path, candidates: Candidates) -> None:
    """Write a record as npz: `solutions`, `objectives`, `preferences` and `extras.NAME`."""
    columns = {
        "solutions": candidates.solutions,
        "objectives": candidates.objectives,
        "preferences": candidates.preferences,
        **{f"extras.{name}": column for name, column in candidates.extras.items()},
    }
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    write_file(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def read_candidates(path: Path) -> Candidates:
    """Read what `write_candidates` wrote.

    Raises:
        DamagedFileError: It is torn or no such file.
    """
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            columns = {name: _column(file[name]) for name in file.files}
        extras = {name.removeprefix("extras."): columns.pop(name) for name in list(columns) if "extras." in name}
        return Candidates(columns["solutions"], columns["objectives"], columns["preferences"], extras)
    except FileNotFoundError:
        raise
    except Exception as error:  # zip, zlib, header and key errors alike
        raise DamagedFileError.of(path, error) from error


def _column(array: np.ndarray) -> Any:
    return array if array.dtype.kind == "U" else torch.from_numpy(array)


# ----------------------------------------------------------------------------------------------------------- state
def write_state(folder: Path, state: Any) -> None:
    """Write a tree of tensors, arrays and JSON values as a folder: `tree.json`, `arrays.npz`, `tensors.safetensors`.

    Mappings with other than text keys are stored as pairs, tuples as tuples, NaN and infinities exactly.

    Raises:
        TypeError: A leaf is something else; the message says where it stands.
        OSError: A file could not be written; an older folder stays whole.
    """
    tensors: dict[str, torch.Tensor] = {}
    arrays: dict[str, np.ndarray] = {}
    tree = _pack(state, "state", tensors, arrays)
    temporary, old = folder.with_name(f".{folder.name}.tmp"), folder.with_name(f".{folder.name}.old")
    for leftover in (temporary, old) if folder.exists() else (temporary,):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        write_json(temporary / "tree.json", {"format": FORMAT, "state": tree})
        write_file(temporary / "arrays.npz", lambda file: np.savez(file, allow_pickle=False, **arrays))
        write_file(temporary / "tensors.safetensors", lambda file: file.write(safetensors.torch.save(tensors)))
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
    except OSError as error:
        name = Path(error.filename or temporary).name
        raise OSError(error.errno, error.strerror, str(folder / name if name != temporary.name else folder)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def read_state(folder: Path) -> Any:
    """Read what `write_state` wrote; None where there is none.

    Raises:
        DamagedFileError: A file is torn or missing.
    """
    old = folder.with_name(f".{folder.name}.old")
    if not folder.exists() and old.exists():  # killed between the two renames
        old.rename(folder)
    if not folder.exists():
        return None
    try:
        packed = read_json(folder / "tree.json")
        tensors = load_file(folder / "tensors.safetensors")
        with (folder / "arrays.npz").open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return _unpack(packed["state"], tensors, arrays)
    except Exception as error:  # safetensors, zip, header and key errors alike
        raise DamagedFileError.of(folder, error) from error


def _pack(value: Any, place: str, tensors: dict[str, torch.Tensor], arrays: dict[str, np.ndarray]) -> Any:
    """JSON for `value`; tensors and arrays go aside, under the name of their place."""
    if isinstance(value, torch.Tensor):
        name = f"{len(tensors)} {place}"  # the number keeps names apart where keys hold dots
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufcSU":
        name = f"{len(arrays)} {place}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {"map": {key: _pack(item, f"{place}.{key}", tensors, arrays) for key, item in value.items()}}
        pairs = enumerate(value.items())
        return {"pairs": [[_pack(part, f"{place}.{i}", tensors, arrays) for part in pair] for i, pair in pairs]}
    if isinstance(value, list | tuple):
        items = [_pack(item, f"{place}.{i}", tensors, arrays) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"A state should hold tensors, arrays and JSON values. `{place}` is a {type(value).__name__}.")


def _unpack(value: Any, tensors: Mapping[str, torch.Tensor], arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, body),) = value.items()
    match kind:
        case "tensor":
            return tensors[body]
        case "array":
            return arrays[body]
        case "map":
            return {key: _unpack(item, tensors, arrays) for key, item in body.items()}
        case "pairs":
            return {_unpack(key, tensors, arrays): _unpack(item, tensors, arrays) for key, item in body}
        case "tuple":
            return tuple(_unpack(item, tensors, arrays) for item in body)
        case "float":
            return float(body)
    raise ValueError(f"unknown kind {kind!r}")
