"""Trees of fragments: their molecules built bond by bond by rdkit, and found again."""

import random

import pytest

from moo.chemistry.molecules import read_molecule, read_vocabulary
from moo.chemistry.trees import Node, smiles_of, tree_of

pytest.importorskip("rdkit")
from rdkit import Chem

SHIPPED = read_vocabulary(None)


def random_tree(rng, most):
    """Fragments bound to free points at random, whatever the rules."""
    tree, free = [Node(rng.randrange(len(SHIPPED)), -1)], []
    free = [(0, point) for point in range(SHIPPED[tree[0].fragment].points)]
    for _ in range(rng.randrange(most)):
        if not free:
            break
        parent, point = free.pop(rng.randrange(len(free)))
        number = rng.randrange(len(SHIPPED))
        entry = rng.randrange(SHIPPED[number].points)
        if SHIPPED[tree[parent].fragment].hetero[point] and SHIPPED[number].hetero[entry]:
            continue
        tree.append(Node(number, entry, parent, point))
        free += [(len(tree) - 1, p) for p in range(SHIPPED[number].points) if p != entry]
    return tree


def built(tree):
    """The molecule of a tree, bond by bond: points are atoms with a number of their own until they are bound."""
    whole = Chem.RWMol()
    for slot, node in enumerate(tree):
        part = Chem.MolFromSmiles(SHIPPED[node.fragment].smiles)
        for atom in part.GetAtoms():
            if atom.GetAtomicNum() == 0:
                atom.SetAtomMapNum(100 * slot + atom.GetAtomMapNum())
        whole = Chem.RWMol(Chem.CombineMols(whole, part))
    for slot, node in enumerate(tree[1:], start=1):
        marks = (100 * node.parent + node.point + 1, 100 * slot + node.entry + 1)
        ends = [next(a for a in whole.GetAtoms() if a.GetAtomMapNum() == mark) for mark in marks]
        whole.AddBond(*(end.GetNeighbors()[0].GetIdx() for end in ends), Chem.BondType.SINGLE)
        for index in sorted((end.GetIdx() for end in ends), reverse=True):
            whole.RemoveAtom(index)
    for atom in whole.GetAtoms():
        if atom.GetAtomicNum() == 0:
            atom.SetAtomicNum(1)
            atom.SetAtomMapNum(0)
    molecule = whole.GetMol()
    Chem.SanitizeMol(molecule)
    return Chem.MolToSmiles(Chem.RemoveHs(molecule))


def test_a_tree_is_the_molecule_built_bond_by_bond():
    rng = random.Random(0)
    for _ in range(150):
        tree = random_tree(rng, 9)
        assert Chem.MolToSmiles(read_molecule(smiles_of(SHIPPED, tree))) == built(tree)


def test_molecules_are_found_again_in_no_more_fragments():
    rng = random.Random(1)
    for _ in range(40):
        tree = random_tree(rng, 6)
        name = built(tree)
        found = tree_of(SHIPPED, name)
        assert built(found) == name
        assert len(found) <= len(tree)
        assert all(node.fragment >= found[0].fragment for node in found)
        assert all(node.entry in SHIPPED[node.fragment].entries for node in found[1:])


@pytest.mark.parametrize(("smiles", "fragments"), [("CC", 1), ("CCO", 2), ("Cc1ccccc1", 2), ("CC(C)(C)c1ccccc1", 2)])
def test_the_tree_of_fewest_fragments_is_found(smiles, fragments):
    assert len(tree_of(SHIPPED, smiles)) == fragments


@pytest.mark.parametrize(
    "smiles", ["[Na+]", "[CH2]C", "[NH2+]C", "C.C", "NN", "c1ccc2c(c1)ccc1ccccc12", "C1CCCCCCC1", "C[N+](C)(C)C"]
)
def test_molecules_outside_the_vocabulary_have_no_tree(smiles):
    assert tree_of(SHIPPED, smiles) is None
