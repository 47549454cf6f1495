"""How a strand of DNA folds, by ViennaRNA, which comes with the extra `dna`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple


class Fold(NamedTuple):
    """The structure of least free energy.

    Attributes:
        structure: One character a letter: brackets for pairs, dots for letters without one.
        energy: In kcal/mol, at most 0.
    """

    structure: str
    energy: float


def vienna() -> Any:
    """ViennaRNA's module.

    Raises:
        ImportError: ViennaRNA is not installed.
    """
    try:
        import RNA
    except ImportError as error:
        raise ImportError("Folding needs ViennaRNA: pip install 'moo-suite[dna]'.") from error
    return RNA


@cache
def _energies() -> Any:
    """The energies of DNA at 37 degrees and 1.021 M sodium: Mathews et al. 2004.

    ViennaRNA keeps the set in force in a global place; it is put back to its default, the energies of RNA, at once.
    """
    library = vienna()
    library.params_load_DNA_Mathews2004()
    try:
        return library.param(library.md())
    finally:
        library.params_load_RNA_Turner2004()


def fold(letters: str) -> Fold:
    """The fold of a strand of A, C, G and T.

    Source: Lorenz et al. 2011, ViennaRNA Package 2.0.
    """
    compound = vienna().fold_compound(letters)
    compound.params_subst(_energies())
    structure, energy = compound.mfe()
    return Fold(structure, float(energy))


def stability(found: Fold) -> float:
    """Free energy that folding sets free, in kcal/mol for each letter: from 0 to about 1."""
    return abs(found.energy) / len(found.structure)  # an energy is at most 0, and -0 is no value to report


def pins(found: Fold) -> float:
    """Hairpin loops, over the most that fit: one for every five letters."""
    structure = found.structure.replace(".", "")
    return structure.count("()") / (len(found.structure) // 5)


def pairs(found: Fold) -> float:
    """Pairs, over the most that fit around one loop of three letters."""
    return found.structure.count("(") / ((len(found.structure) - 3) // 2)


OBJECTIVES: dict[str, Callable[[Fold], float]] = {"energy": stability, "pins": pins, "pairs": pairs}


def fold_values(names: Sequence[str], letters: str) -> list[float]:
    """The objectives of these names for a strand of at least five letters."""
    found = fold(letters)
    return [OBJECTIVES[name](found) for name in names]
