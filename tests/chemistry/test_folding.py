"""Folding: against all structures of a strand and a stack; energies left in force as they were found."""

import random

import pytest

from moo.chemistry.folding import OBJECTIVES, Fold, _energies, fold, fold_values

RNA = pytest.importorskip("RNA")
BONDS = {"AT", "TA", "CG", "GC", "GT", "TG"}


def random_strands(n, length, seed=0):
    rng = random.Random(seed)
    return ["".join(rng.choices("ACGT", k=length)) for _ in range(n)]


def structures(letters):
    """All ways to pair letters without crossing, loops having three letters or more."""
    if not letters:
        yield ""
        return
    for rest in structures(letters[1:]):
        yield "." + rest
    for end in range(4, len(letters)):
        if letters[0] + letters[end] in BONDS:
            for inner in structures(letters[1:end]):
                for rest in structures(letters[end + 1 :]):
                    yield f"({inner}){rest}"


def counted(structure):
    """Pairs, and those that enclose no other, by a stack."""
    stack, paired, loops = [], 0, 0
    for mark in structure:
        if mark == "(":
            stack.append(True)
        elif mark == ")":
            paired += 1
            loops += stack.pop()
            stack = [False] * len(stack)
    return paired, loops


@pytest.mark.parametrize("letters", ["GCGCTTTTGCGC", "GGGAAACCCTTTGGG", "ACGTACGTTACG", *random_strands(8, 14)])
def test_the_fold_has_the_least_energy_of_all_structures(letters):
    RNA.params_load_DNA_Mathews2004()
    try:
        compound = RNA.fold_compound(letters)
        least = min(compound.eval_structure(structure) for structure in structures(letters))
    finally:
        RNA.params_load_RNA_Turner2004()
    assert fold(letters).energy == pytest.approx(least, abs=1e-4)


def test_objectives_are_those_of_a_stack_over_the_structure():
    for letters in random_strands(40, 40, seed=2):
        found = fold(letters)
        paired, loops = counted(found.structure)
        assert OBJECTIVES["pairs"](found) == paired / 18
        assert OBJECTIVES["pins"](found) == loops / 8
        assert OBJECTIVES["energy"](found) == -found.energy / 40
        assert len(found.structure) == 40


def test_objectives_of_known_structures():
    assert OBJECTIVES["pins"](Fold("((...))(...)..((...)(....))", -1.0)) == 4 / 5
    assert OBJECTIVES["pairs"](Fold("(((...)))", 0.0)) == 1
    assert OBJECTIVES["pins"](Fold("(...)" * 4, 0.0)) == 1
    assert OBJECTIVES["energy"](Fold("." * 10, -5.0)) == 0.5


def test_energies_of_rna_stay_in_force_for_others():
    letters = "GCGCTTTTGCGCAAGGCCTTTTGGCCTT"
    before = RNA.fold(letters)
    _energies.cache_clear()
    ours = fold(letters)
    assert RNA.fold(letters) == before
    assert ours.energy == pytest.approx(-11.0, abs=1e-4)
    assert before[1] == pytest.approx(-16.7, abs=1e-4)


def test_values_are_in_the_order_of_the_names():
    found = fold("GCGCTTTTGCGC")
    assert fold_values(("pairs", "energy"), "GCGCTTTTGCGC") == [4 / 4, -found.energy / 12]
