"""The cache of the offline test bed: right archives alone, nothing twice, clear words where something is missing."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from moo.text import fetch as fetching
from moo.text.fetch import SOURCES, cache_folder, cached, fetch, main


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def an_archive(files):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def opened(content):
    return tarfile.open(fileobj=io.BytesIO(content), mode="r:gz")


@pytest.fixture
def toy_source(monkeypatch, tmp_path):
    """A source of one file in `sources`, and how often it was extracted."""
    import hashlib

    content = an_archive({"toy-1.0/data.txt": b"all of it"})
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "toy-1.0.tar.gz").write_bytes(content)
    calls = []

    def extract(archive):
        calls.append(1)
        return {"toy/data.txt": fetching._member(archive, "data.txt")}

    source = fetching.Source("toy", "1.0", hashlib.sha256(content).hexdigest(), ("toy/data.txt",), extract)
    monkeypatch.setattr(fetching, "SOURCES", (source,))
    return calls


def test_an_archive_is_extracted_once(cache, toy_source, tmp_path, capsys):
    assert fetch(tmp_path / "sources") == [cache / "toy" / "data.txt"]
    assert cached("toy/data.txt").read_bytes() == b"all of it"
    assert fetch(tmp_path / "sources") == []
    main(["--sources", str(tmp_path / "sources")])
    assert "All of it is in" in capsys.readouterr().out
    assert len(toy_source) == 1
    main(["--sources", str(tmp_path / "sources"), "--again"])
    assert "data.txt" in capsys.readouterr().out
    assert len(toy_source) == 2


def test_another_file_under_the_same_name_is_refused(cache, toy_source, tmp_path):
    (tmp_path / "sources" / "toy-1.0.tar.gz").write_bytes(an_archive({"toy-1.0/data.txt": b"something else"}))
    with pytest.raises(ValueError, match=r"toy-1.0.tar.gz should have the SHA-256 .* Found .*: it is another file"):
        fetch(tmp_path / "sources")
    assert not cache.exists()
    assert not toy_source


def test_a_folder_without_the_archive_is_refused(cache, toy_source, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`sources` should be a folder that has toy-1.0.tar.gz"):
        fetch(tmp_path)


def test_pip_is_told_the_hash_and_its_failure_is_quoted(cache, toy_source, monkeypatch):
    asked = []

    def run(command, **how):
        asked.append((command, Path(command[command.index("--requirement") + 1]).read_text()))
        return subprocess.CompletedProcess(command, 1, "", "WARNING: one\nERROR: no such thing")

    monkeypatch.setattr(fetching.subprocess, "run", run)
    with pytest.raises(
        RuntimeError, match=r"pip could not download toy 1.0: ERROR: no such thing Where there is no net"
    ):
        fetch()
    command, wanted = asked[0]
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes"} < set(command)
    assert wanted == f"toy==1.0 --hash=sha256:{fetching.SOURCES[0].sha256}\n"


def test_a_missing_file_says_how_to_fetch_it(cache):
    with pytest.raises(FileNotFoundError, match=r"x.json is missing. Fetch it once with `python -m moo.text.fetch`"):
        cached("x.json")


@pytest.mark.parametrize(
    ("platform", "variables", "ending"),
    [
        ("linux", {"XDG_CACHE_HOME": "/a/b"}, "/a/b/moo"),
        ("linux", {"XDG_CACHE_HOME": ""}, "/.cache/moo"),
        ("darwin", {}, "/Library/Caches/moo"),
        ("win32", {"LOCALAPPDATA": "/c"}, "/c/moo"),
        ("win32", {"MOO_CACHE": "/said"}, "/said"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(monkeypatch, platform, variables, ending):
    monkeypatch.delenv("MOO_CACHE", raising=False)
    monkeypatch.setattr(fetching.sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder().as_posix().endswith(ending)


# --------------------------------------------------------------------------------------------------- what is made of it
def test_weights_are_brought_from_the_layout_of_kernels(tmp_path):
    h5py = pytest.importorskip("h5py")
    stream = np.random.default_rng(0)
    inputs, units, size = 3, 2, 7
    plain = {"kernel": stream.random((2, inputs, 4 * units)), "recurrent": stream.random((2, units, 4 * units))}
    path = tmp_path / "weights.hdf5"
    with h5py.File(path, "w") as file:
        file["embedding/embedding/embeddings:0"] = stream.random((size, inputs))
        file["attention/attention/attention_W:0"] = stream.random((9, 1))
        file["output/output/kernel:0"] = stream.random((9, size))
        file["output/output/bias:0"] = stream.random(size)
        for layer in (0, 1):
            gates = plain["kernel"][layer].reshape(inputs, 4, units)
            # the layout, written out: the gate's matrix, read row by row, fills a units x inputs one row by row,
            # which is kept as if it had the other shape
            kept = [np.array(gates[:, g].T.ravel().tolist()).reshape(inputs, units) for g in range(4)]
            file[f"rnn_{layer + 1}/rnn_{layer + 1}/kernel:0"] = np.concatenate(kept, axis=1)
            recurrent = plain["recurrent"][layer].reshape(units, 4, units)
            turned = [[[recurrent[j, g, i] for j in range(units)] for i in range(units)] for g in range(4)]
            file[f"rnn_{layer + 1}/rnn_{layer + 1}/recurrent_kernel:0"] = np.concatenate(turned, axis=1)
            file[f"rnn_{layer + 1}/rnn_{layer + 1}/bias:0"] = np.arange(16.0) * (layer + 1)
    found = fetching._weights(path.read_bytes())
    for layer in (0, 1):
        assert np.allclose(found[f"kernel{layer}"], plain["kernel"][layer], rtol=0, atol=1e-6)
        assert np.allclose(found[f"recurrent{layer}"], plain["recurrent"][layer], rtol=0, atol=1e-6)
        assert found[f"bias{layer}"].tolist() == [[(2 * i + 8) * (layer + 1) for i in range(8)]]
    assert found["offset"].shape == (1, size)
    assert all(part.dtype == np.float32 for part in found.values())


def test_snippets_and_lexicon_are_read_from_the_archive_inside(monkeypatch):
    inner = an_archive(
        {"x/movieReviewSnippets_GroundTruth.txt": "1\t2.5\tFine .\n2\t-1\tCaf\xe9\tand tab\n".encode("latin-1")}
    )
    files = {
        "v/additional_resources/hutto_ICWSM_2014.tar.gz": inner,
        "v/vaderSentiment/vader_lexicon.txt": b"good\t1.9\t0.9\t[1, 2]\nbad\t-2.5\t0.6\t[1]\n",
    }
    made = fetching._of_vader(opened(an_archive(files)))
    assert json.loads(made["vader/movie_snippets.json"]) == [["Fine .", 2.5], ["Caf\xe9\tand tab", -1.0]]
    assert json.loads(made["vader/lexicon.json"]) == {"good": 1.9, "bad": -2.5}


def test_characters_stand_in_the_order_of_their_numbers(monkeypatch):
    monkeypatch.setattr(fetching, "_weights", lambda hdf5: {"output": np.ones(2, dtype=np.float32)})
    numbers = json.dumps({"b": 2, "<s>": 3, "a": 1}).encode()
    archive = an_archive({"t/textgenrnn_vocab.json": numbers, "t/textgenrnn_weights.hdf5": b""})
    made = fetching._of_textgenrnn(opened(archive))
    assert json.loads(made["textgenrnn/characters.json"]) == ["a", "b"]
    assert load(made["textgenrnn/weights.safetensors"])["output"].tolist() == [1, 1]


def test_what_is_fetched_is_declared():
    names = [name for source in SOURCES for name in source.files]
    assert len(set(names)) == 4
    assert all(len(source.sha256) == 64 for source in SOURCES)
