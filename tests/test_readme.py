"""The examples of the README and the docs run as they stand."""

import re
from pathlib import Path

import pytest
from offline_bed import need_bed

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL))
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_example_runs(code, tmp_path, monkeypatch):
    if '"text:' in code:
        need_bed()
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "example", "exec"), {"__name__": "example"})


def test_the_first_example_draws_a_front(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(EXAMPLES[0].values[0], "example", "exec"), space := {"__name__": "example"})
    assert (tmp_path / "front.pdf").read_bytes().startswith(b"%PDF")
    assert space["stiff"].shape == (1, 2)
    assert space["result"].hypervolume > 0


def test_every_command_the_readme_shows_exists():
    from typer.main import get_command

    from moo.cli import app

    known = get_command(app).commands
    shown = set(re.findall(r"^moo (\w+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
    assert shown <= set(known)
