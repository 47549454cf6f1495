"""Where a cell ran: host, cores, threads, device, and the state of the repository that the user works in."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from pathlib import Path
from typing import Any

import torch

SECONDS = 5.0  # that git may take


def git_state(folder: str | Path = ".") -> dict[str, Any] | None:
    """The commit that a folder's repository stands at, and whether tracked files were changed since; None without one.

    What goes wrong, a missing or slow git too, counts as no repository.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return None if commit is None or changes is None else {"commit": commit, "dirty": bool(changes)}


def _git(folder: str | Path, *arguments: str) -> str | None:
    """What git says in a folder; None where it fails."""
    try:
        said = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            check=True,
            text=True,
            timeout=SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # looking changes nothing
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return said.stdout.strip()


def this_machine(device: str) -> dict[str, Any]:
    """Host, system, cores, threads of torch and of OpenMP, and the device that a search ran on, by its model's name."""
    on_gpu = device.startswith("cuda") and torch.cuda.is_available()
    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "torch_threads": 1,  # inside the loop, whatever the process has
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "device": torch.cuda.get_device_name() if on_gpu else device,
    }
