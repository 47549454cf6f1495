"""Which engine a name stands for, and what is said where it stands for none."""

import importlib.util

import pytest

from moo.benchmarks import run
from moo.benchmarks.engines import ENGINES, make_engine
from moo.registry import resolve


@pytest.mark.parametrize(
    ("backend", "workers", "name"),
    [
        ("auto", None, "Serial"),
        ("auto", 1, "Serial"),
        ("auto", 2, "Loky"),
        ("serial", None, "Serial"),
        ("loky", 1, "Loky"),
        ("loky", None, "Loky"),
    ],
)
def test_what_backend_and_workers_stand_for(backend, workers, name):
    assert type(make_engine(backend, workers)).__name__ == name


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_declares_what_it_needs_and_takes(name):
    kind = resolve(ENGINES, name, "backend")
    assert all(isinstance(module, str) for module in kind.needs)
    assert all(isinstance(text, str) for text in kind.options.values())


@pytest.mark.parametrize(
    ("backend", "workers", "message"),
    [
        ("locky", None, "Unknown backend 'locky'. Did you mean 'loky'"),
        ("dask:adress=x", None, "Unknown option 'adress' of backend 'dask'. Did you mean 'address'"),
        ("loky:address=x", None, "Unknown option 'address' of backend 'loky'"),
        ("serial", 2, '`workers` should be 1 with backend "serial". Found 2'),
        ("loky", 0, "`workers` should be at least 1"),
        ("slurm:cluster=lokal", None, "Unknown cluster 'lokal'. Did you mean 'local'"),
        ("slurm:minutes=0", None, "`minutes` should be at least 1"),
    ],
)
def test_what_is_no_engine_is_refused_before_anything_is_written(tmp_path, backend, workers, message):
    pytest.importorskip("submitit", reason="the extra slurm is not installed")
    with pytest.raises(ValueError, match=message):
        run("smoke", tmp_path / "out", backend=backend, workers=workers)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["dask", "ray", "slurm"])
def test_a_missing_extra_is_named(monkeypatch, name):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(ImportError, match=rf'Backend \'{name}\' needs \w+: pip install "moo-suite\[{name}\]"'):
        make_engine(name)
