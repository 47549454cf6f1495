"""Peers: what others have written, run beside ours: the same metered problem, budget, seeds, archive and report.

Importing this package enrols their names where methods are looked up, so that `moo bench mobo -m ax` or a suite finds
them. No peer's own package is imported before a search with it begins, and what each one takes is declared here, so
that reports of finished runs need none of these packages.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

from moo.generators import ENROLLED

INSTALL = "pip install 'moo-suite[peers]'"

PEERS: dict[str, str] = {
    "ax": "moo.benchmarks.peers.ax:Ax",
    "optuna-tpe": "moo.benchmarks.peers.optuna:OptunaTPE",
    "optuna-gp": "moo.benchmarks.peers.optuna:OptunaGP",
    "optuna-nsga2": "moo.benchmarks.peers.optuna:OptunaNSGA2",
    "gpi-ls": "moo.benchmarks.peers.morl_baselines:GPILS",
    "envelope": "moo.benchmarks.peers.morl_baselines:Envelope",
    "capql": "moo.benchmarks.peers.morl_baselines:CAPQL",
}

ENROLLED.update(PEERS)


def lacking(method: Any) -> str:
    """What must be installed before a method's class can be used, and how; empty where nothing is missing."""
    requires: Mapping[str, str] = getattr(method, "requires", {})
    missing = [package for module, package in requires.items() if importlib.util.find_spec(module) is None]
    return f"it needs {' and '.join(missing)}, not installed here: {INSTALL}" if missing else ""


def library(module: str, peer: str) -> Any:
    """A module of a peer's package.

    Raises:
        ImportError: It is not installed; the message says how to.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"Peer {peer!r} needs {module.partition('.')[0]}: {INSTALL}. ({error})") from error
