"""Pictures of molecules."""

import importlib.util
from xml.etree import ElementTree

import pytest

from moo.plots.explorer import pictures
from moo.plots.explorer.pictures import draw_molecule, picture_for

FRAGMENTS = {"problem": "fragments:max_fragments=3", "registered": True}


def test_a_molecule_is_drawn_as_svg():
    pytest.importorskip("rdkit")
    root = ElementTree.fromstring(draw_molecule("c1ccccc1O"))
    assert root.tag.endswith("svg")
    bonds = {path.get("class") for path in root.iter() if (path.get("class") or "").startswith("bond-")}
    assert len({name.split()[0] for name in bonds}) == 7  # six of the ring and one to the oxygen


def test_text_that_is_no_molecule_is_refused():
    pytest.importorskip("rdkit")
    with pytest.raises(ValueError, match=r"`smiles` should be a molecule\. Found 'no'"):
        draw_molecule("no")


def test_only_problems_of_molecules_are_drawn():
    pytest.importorskip("rdkit")
    assert picture_for(FRAGMENTS) == (draw_molecule, "")
    assert picture_for({"problem": "zdt1", "registered": True}) == (None, "")
    assert picture_for({"problem": "fragments", "registered": False}) == (None, "")  # somebody's function of that name


def test_without_rdkit_it_is_said_why_nothing_is_drawn(monkeypatch):
    monkeypatch.setattr(pictures.importlib.util, "find_spec", lambda name: None)
    draw, why = picture_for(FRAGMENTS)
    assert draw is None
    assert "pip install 'moo-suite[molecules]'" in why
    assert importlib.util.find_spec("rdkit") is None  # the same function: the patch is what was seen
