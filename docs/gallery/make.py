"""Make the gallery's pictures: run every command that stands in its page, from the root of a checkout."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from moo.cli import app

HERE = Path(__file__).parent


def commands() -> list[list[str]]:
    """The commands of the page's code blocks, in their order, as arguments."""
    blocks = (HERE / "README.md").read_text(encoding="utf-8").split("```")[1::2]
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("moo ")]


if __name__ == "__main__":
    os.chdir(HERE.parent.parent)
    for arguments in commands():
        app(arguments, standalone_mode=False)
