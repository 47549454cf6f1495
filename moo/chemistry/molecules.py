"""Molecules: what they are worth, and the fragments that they are made of.

rdkit, which reads and values molecules, comes with the extra `molecules`.
"""

from __future__ import annotations

import csv
import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

POINT = re.compile(r"\(\[\*:(\d+)\]\)")
DATA = Path(__file__).parent.parent / "problems" / "data" / "fragments.csv"


def rdkit(module: str = "Chem") -> Any:
    """A module of rdkit.

    Raises:
        ImportError: rdkit is not installed.
    """
    try:
        return importlib.import_module(f"rdkit.{module}")
    except ImportError as error:
        raise ImportError("Molecules need rdkit: pip install 'moo-suite[molecules]'.") from error


# --------------------------------------------------------------------------------------------------- values
def qed(molecule: Any) -> float:
    """The quantitative estimate of drug-likeness of Bickerton et al. 2012, from 0 to 1."""
    return float(rdkit("Chem.QED").qed(molecule))


def synthesis(molecule: Any) -> float:
    """Ertl and Schuffenhauer's 2009 score of synthetic accessibility s, from 1 (easy) to 10, as `(10 - s) / 9`."""
    return (10 - float(_sascorer().calculateScore(molecule))) / 9


def lightness(molecule: Any) -> float:
    """1 up to a molecular weight of 300, falling to 0 at 1,000 and beyond."""
    return min(1.0, max(0.0, (1000 - float(rdkit("Chem.Descriptors").MolWt(molecule))) / 700))


OBJECTIVES: dict[str, Callable[[Any], float]] = {"qed": qed, "sa": synthesis, "mw": lightness}


@cache
def _sascorer() -> Any:
    """The scorer that rdkit ships beside its package, with its table."""
    place = Path(rdkit("RDConfig").RDContribDir) / "SA_Score" / "sascorer.py"
    spec = importlib.util.spec_from_file_location("sascorer", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def molecule_values(names: Sequence[str], smiles: str) -> list[float]:
    """The objectives of these names for a molecule.

    Raises:
        ValueError: `smiles` is no molecule.
    """
    molecule = read_molecule(smiles)
    return [OBJECTIVES[name](molecule) for name in names]


def fingerprint(smiles: str) -> list[int]:
    """The Morgan fingerprint of radius 2, 2,048 bits, by which molecules are compared.

    Raises:
        ValueError: `smiles` is no molecule.
    """
    return list(_fingerprints().GetFingerprint(read_molecule(smiles)))


@cache
def _fingerprints() -> Any:
    return rdkit("Chem.rdFingerprintGenerator").GetMorganGenerator(radius=2, fpSize=2048)


def read_molecule(smiles: str) -> Any:
    """A molecule, its hydrogens implicit.

    Raises:
        ValueError: `smiles` is no molecule.
    """
    with rdkit("rdBase").BlockLogs():
        molecule = rdkit().MolFromSmiles(smiles)
    if molecule is None:
        raise ValueError(f"rdkit reads no molecule from {smiles!r}.")
    return molecule


# --------------------------------------------------------------------------------------------------- vocabulary
@dataclass(frozen=True)
class Fragment:
    """Part of a molecule, with numbered points at which others can be bound.

    Attributes:
        smiles: As it stands in the vocabulary.
        parts: The text between the points.
        atoms: The atom of each point, by its number among the fragment's own.
        hetero: Whether that atom is none of carbon.
        entries: The lowest point of each class of points that a symmetry maps onto each other.
        before: The point before on the same atom, -1 where there is none.
        degrees: Bonds of each atom within the fragment.
    """

    smiles: str
    parts: tuple[str, ...]
    atoms: tuple[int, ...]
    hetero: tuple[bool, ...]
    entries: tuple[int, ...]
    before: tuple[int, ...]
    degrees: tuple[int, ...]

    @property
    def points(self) -> int:
        """How many there are."""
        return len(self.atoms)

    def text(self, bonds: Mapping[int, str]) -> str:
        """SMILES with these marks at its points; hydrogens at the others."""
        marks = [bonds.get(point, "([H])") for point in range(self.points)]
        return self.parts[0] + "".join(mark + part for mark, part in zip(marks, self.parts[1:], strict=True))


def read_fragment(smiles: str) -> Fragment:
    """A fragment from SMILES whose points `([*:1])`, `([*:2])`, ... each follow their atom.

    Raises:
        ValueError: It is no molecule, has no point, or its points are not written so.
    """
    numbers = [int(number) for number in POINT.findall(smiles)]
    whole = read_molecule(smiles)
    dummies = [atom for atom in whole.GetAtoms() if atom.GetAtomicNum() == 0]
    single = all(atom.GetDegree() == 1 and atom.GetBonds()[0].GetBondTypeAsDouble() == 1 for atom in dummies)
    if not numbers or numbers != list(range(1, len(numbers) + 1)) or len(dummies) != len(numbers) or not single:
        raise ValueError(
            "A fragment should have points written ([*:1]), ([*:2]) and so on, in this order, each behind the atom "
            f"that it is bound to by a single bond. Found {smiles!r}."
        )
    own = [atom.GetIdx() for atom in whole.GetAtoms() if atom.GetAtomicNum()]
    bound = [atom.GetNeighbors()[0] for atom in dummies]
    atoms = tuple(own.index(atom.GetIdx()) for atom in bound)
    for atom in dummies:
        atom.SetAtomMapNum(0)  # else no two points are alike
    ranks = list(rdkit().CanonicalRankAtoms(whole, breakTies=False))
    classes = [ranks[atom.GetIdx()] for atom in dummies]
    degrees = [whole.GetAtomWithIdx(i).GetDegree() - atoms.count(number) for number, i in enumerate(own)]
    return Fragment(
        smiles=smiles,
        parts=tuple(POINT.split(smiles)[::2]),
        atoms=atoms,
        hetero=tuple(atom.GetAtomicNum() != 6 for atom in bound),
        entries=tuple(sorted({classes.index(kind) for kind in classes})),
        before=tuple(max((q for q in range(p) if atoms[q] == atoms[p]), default=-1) for p in range(len(atoms))),
        degrees=tuple(degrees),
    )


def read_vocabulary(vocabulary: str | Sequence[str] | None) -> tuple[Fragment, ...]:
    """Fragments of a file (a table with a column `smiles`), or of SMILES; None: those that are shipped.

    Raises:
        TypeError: It is something else.
        ValueError: There is no fragment, one stands twice, or one is not written as it should be.
        FileNotFoundError: There is no such file.
    """
    if vocabulary is None or isinstance(vocabulary, str):
        with Path(DATA if vocabulary is None else vocabulary).open(encoding="utf-8", newline="") as file:
            rows = [row.get("smiles") or "" for row in csv.DictReader(file)]
    elif isinstance(vocabulary, Sequence) and all(isinstance(text, str) for text in vocabulary):
        rows = list(vocabulary)
    else:
        raise TypeError(f"`vocabulary` should be the path of a table, or a list of SMILES. Found {vocabulary!r}.")
    fragments = tuple(read_fragment(smiles) for smiles in rows)
    names = [rdkit().MolToSmiles(read_molecule(fragment.smiles)) for fragment in fragments]
    twice = [fragment.smiles for fragment, name in zip(fragments, names, strict=True) if names.count(name) > 1]
    if twice or not fragments:
        raise ValueError(f"`vocabulary` should be different fragments. Found {', '.join(twice) or 'none'}.")
    return fragments
