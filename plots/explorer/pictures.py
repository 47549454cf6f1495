"""How solutions that were constructed are drawn: `PICTURES` has a function for each problem whose solutions can be."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from moo.registry import resolve

MOST_PICTURES = 100  # members of a front whose solutions are drawn
WIDTH, HEIGHT = 264, 190  # of a picture, in pixels

PICTURES: dict[str, str] = {"fragments": "moo.plots.explorer.pictures:draw_molecule"}


def picture_for(config: Mapping[str, Any]) -> tuple[Callable[[str], str] | None, str]:
    """What draws the solutions of a run's problem, and why nothing does where something should."""
    name = str(config["problem"]).partition(":")[0]
    if name not in PICTURES or not config.get("registered"):
        return None, ""
    if importlib.util.find_spec("rdkit") is None:
        return None, "Molecules are drawn where rdkit is installed: pip install 'moo-suite[molecules]'."
    draw: Callable[[str], str] = resolve(PICTURES, name, "picture")
    return draw, ""


def draw_molecule(smiles: str) -> str:
    """The structure of a molecule as SVG.

    Raises:
        ValueError: It is no molecule.
    """
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise ValueError(f"`smiles` should be a molecule. Found {smiles!r}.")
    canvas = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    options: Any = canvas.drawOptions()
    options.clearBackground = False
    options.padding = 0.04
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    svg: str = canvas.GetDrawingText()
    return svg
