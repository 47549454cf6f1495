"""Fragments and what molecules are worth: symmetries by rdkit's self-matches, values by its own functions."""

import pytest

from moo.chemistry.molecules import (
    OBJECTIVES,
    fingerprint,
    molecule_values,
    read_fragment,
    read_molecule,
    read_vocabulary,
)

pytest.importorskip("rdkit")
from rdkit import Chem
from rdkit.Chem import QED, rdMolDescriptors

SHIPPED = read_vocabulary(None)
SYMMETRIC = [
    "c1([*:1])c([*:2])c([*:3])c([*:4])cc1",
    "c1([*:1])c([*:2])c([*:3])c([*:4])c([*:5])c1([*:6])",
    "C([*:1])([*:2])([*:3])([*:4])",
    "C(=O)(N([*:1])([*:2]))N([*:3])([*:4])",
    "C([*:1])(=O)N([*:2])([*:3])",
    "N1([*:1])CCN([*:2])CC1",
    "n1([*:1])nc([*:2])nc1([*:3])",
]


@pytest.mark.parametrize("smiles", SYMMETRIC)
def test_one_point_of_each_symmetry_class_is_an_entry(smiles):
    fragment = read_fragment(smiles)
    molecule = Chem.MolFromSmiles(smiles)
    number = {atom.GetIdx(): atom.GetAtomMapNum() - 1 for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0}
    for atom in molecule.GetAtoms():
        atom.SetAtomMapNum(0)
    maps = molecule.GetSubstructMatches(molecule, uniquify=False, maxMatches=10_000)
    images = {point: {number[image[index]] for image in maps} for index, point in number.items()}
    assert set(fragment.entries) == {min(points) for points in images.values()}


def test_points_on_one_atom_are_used_in_their_order():
    fragment = read_fragment("C(=O)(N([*:1])([*:2]))N([*:3])([*:4])")
    assert fragment.before == (-1, 0, -1, 2)
    assert fragment.hetero == (True,) * 4
    assert fragment.entries == (0,)
    assert fragment.degrees == (3, 1, 1, 1)
    assert (fragment.points, fragment.atoms) == (4, (2, 2, 3, 3))


def test_the_shipped_fragments_are_molecules_of_their_own():
    assert len(SHIPPED) == 75
    for fragment in SHIPPED:
        molecule = read_molecule(fragment.text({}))
        assert molecule.GetNumHeavyAtoms() >= 1
        assert all(atom.GetFormalCharge() == 0 for atom in molecule.GetAtoms())
    assert sum(fragment.points for fragment in SHIPPED) == 183


def test_a_vocabulary_of_a_file(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("name,smiles\nmethane,C([*:1])([*:2])\nwater,O([*:1])\n")
    assert [fragment.smiles for fragment in read_vocabulary(str(file))] == ["C([*:1])([*:2])", "O([*:1])"]
    file.write_text("name\nmethane\n")
    with pytest.raises(ValueError, match=r"A fragment should have points written"):
        read_vocabulary(str(file))
    with pytest.raises(FileNotFoundError):
        read_vocabulary(str(tmp_path / "none.csv"))


@pytest.mark.parametrize(
    "smiles",
    ["CC", "C[*:1]", "C([*:2])", "C([*:1])([*:1])", "C([*:2])C([*:1])", "C(*)([*:1])", "[*:1]C([*:1])", "O=([*:1])"],
)
def test_points_that_are_not_written_as_they_should_be(smiles):
    with pytest.raises(
        ValueError, match=r"A fragment should have points written \(\[\*:1\]\), .*Found|rdkit reads no mol"
    ):
        read_fragment(smiles)


def test_a_fragment_stands_once_in_a_vocabulary():
    with pytest.raises(ValueError, match=r"`vocabulary` should be different fragments\. Found C\(\[\*:1\]\)O, "):
        read_vocabulary(["C([*:1])O", "OC([*:1])"])
    with pytest.raises(ValueError, match=r"`vocabulary` should be different fragments\. Found none\."):
        read_vocabulary([])
    with pytest.raises(TypeError, match=r"`vocabulary` should be the path of a table, or a list of SMILES"):
        read_vocabulary([1])


@pytest.mark.parametrize(
    "smiles", ["CC(=O)Nc1ccc(O)cc1", "c1ccccc1", "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"]
)
def test_values_are_rdkits_on_their_scales(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    values = dict(zip(OBJECTIVES, molecule_values(tuple(OBJECTIVES), smiles), strict=True))
    weight = rdMolDescriptors._CalcMolWt(molecule)
    assert values["qed"] == QED.qed(molecule)
    assert values["mw"] == pytest.approx(min(1, (1000 - weight) / 700))
    assert 0 <= values["sa"] <= 1
    assert molecule_values(("sa", "qed"), smiles) == [values["sa"], values["qed"]]


def test_accessibility_is_one_where_the_score_is_at_its_best():
    assert OBJECTIVES["sa"](Chem.MolFromSmiles("c1ccccc1")) == 1
    hard = OBJECTIVES["sa"](Chem.MolFromSmiles("C1CC2CC1C3C2C4OC3N4"))
    assert hard < 0.6


def test_what_is_no_molecule_has_no_values():
    with pytest.raises(ValueError, match=r"rdkit reads no molecule from 'c1cc'\."):
        molecule_values(("qed",), "c1cc")


def test_fingerprints_are_bits():
    bits = fingerprint("CC(=O)Nc1ccc(O)cc1")
    assert (len(bits), set(bits)) == (2048, {0, 1})
    assert bits == fingerprint("Oc1ccc(NC(C)=O)cc1")
    assert bits != fingerprint("c1ccccc1")
