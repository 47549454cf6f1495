"""The gallery: each kind has a picture that is there, and the command that makes it."""

import importlib.util
from pathlib import Path

import pytest

from moo.plots import PLOTS

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"
LARGEST = 1_500_000  # bytes of all pictures


def commands():
    spec = importlib.util.spec_from_file_location("gallery_make", GALLERY / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [arguments for arguments in module.commands() if arguments[0] == "plot"]


@pytest.mark.parametrize("kind", PLOTS)
def test_each_kind_is_shown_with_its_command(kind):
    assert any(arguments[1] == kind for arguments in commands())


def test_the_pictures_are_those_of_the_commands():
    made = {Path(arguments[arguments.index("-o") + 1]).name for arguments in commands()}
    text = (GALLERY / "README.md").read_text()
    assert made == {path.name for path in GALLERY.glob("*.png")}
    assert all(f"]({name})" in text for name in made)


def test_the_pictures_are_small():
    assert sum(path.stat().st_size for path in GALLERY.glob("*.png")) < LARGEST
