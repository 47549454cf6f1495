"""Molecules as trees of fragments: the molecule of a tree, and the smallest tree of a molecule."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from moo.chemistry.molecules import Fragment, rdkit, read_molecule


class Node(NamedTuple):
    """A fragment of a tree.

    Attributes:
        fragment: Its number in the vocabulary.
        entry: The point by which it is bound to the node before; -1: it is the root.
        parent: That node's number, -1 of the root.
        point: The point of that node, -1 of the root.
    """

    fragment: int
    entry: int
    parent: int = -1
    point: int = -1


def smiles_of(vocabulary: Sequence[Fragment], tree: Sequence[Node]) -> str:
    """The molecule of a tree, as SMILES that says its bonds between fragments as ring closures."""
    bonds: list[dict[int, str]] = [{} for _ in tree]
    for number, node in enumerate(tree[1:], start=1):
        bonds[node.parent][node.point] = bonds[number][node.entry] = f"-%{9 + number}"
    return ".".join(vocabulary[node.fragment].text(bond) for node, bond in zip(tree, bonds, strict=True))


class _Branch(NamedTuple):
    """A subtree: how many fragments it has, its own, and what is bound to each of the points in use."""

    size: int
    fragment: int
    entry: int
    children: tuple[tuple[int, _Branch], ...]


def tree_of(vocabulary: Sequence[Fragment], smiles: str) -> list[Node] | None:
    """The smallest tree whose molecule this is, level by level from its fragment that comes first in the vocabulary.

    Every way to cover the molecule by fragments is tried, from bond to bond; what lies beyond a bond does not depend
    on what lies before it. A tree can be begun at each of its fragments, so the first of the smallest trees begins at
    its first one.

    Returns:
        The tree, parents before children and points in order; None where the vocabulary does not hold the molecule.

    Raises:
        ValueError: `smiles` is no molecule.
    """
    search = _Search(vocabulary, read_molecule(smiles))
    if not search.connected:
        return None
    whole = [search.branch(number, -1, match) for number, found in search.matches.items() for match in found]
    root = min((branch for branch in whole if branch is not None), key=_size, default=None)  # of equals the first
    if root is None:
        return None
    tree, waiting = [Node(root.fragment, -1)], [root]
    for number, branch in enumerate(waiting):  # grows while it is read
        for point, child in branch.children:
            tree.append(Node(child.fragment, child.entry, number, point))
            waiting.append(child)
    return tree


def _size(branch: _Branch) -> int:
    return branch.size


class _Search:
    """What `tree_of` has found out about a molecule.

    Attributes:
        matches: By fragment: all ways to lay it onto the molecule, as the molecule's atoms.
        connected: Whether the molecule is in one piece.
    """

    def __init__(self, vocabulary: Sequence[Fragment], molecule: Any) -> None:
        self.vocabulary, self.atoms = vocabulary, list(molecule.GetAtoms())
        self.connected = len(rdkit().GetMolFrags(molecule)) == 1
        self.matches = {number: self._matches(molecule, fragment) for number, fragment in enumerate(vocabulary)}
        self._known: dict[tuple[int, int], _Branch | None] = {}

    def _matches(self, molecule: Any, fragment: Fragment) -> list[tuple[int, ...]]:
        alone = read_molecule(fragment.text({}))
        found = molecule.GetSubstructMatches(alone, uniquify=False, maxMatches=100_000)
        own = list(alone.GetAtoms())
        return [match for match in found if all(self._fits(fragment, own[i], match) for i in range(len(match)))]

    def _fits(self, fragment: Fragment, own: Any, match: tuple[int, ...]) -> bool:
        """Whether an atom of the fragment differs from that of the molecule by bonds at its points alone."""
        number = own.GetIdx()
        atom = self.atoms[match[number]]
        beyond = [bond for bond in atom.GetBonds() if bond.GetOtherAtomIdx(atom.GetIdx()) not in match]
        return (
            atom.GetDegree() - len(beyond) == fragment.degrees[number]
            and len(beyond) <= fragment.atoms.count(number)
            and all(bond.GetBondTypeAsDouble() == 1 and not bond.IsInRing() for bond in beyond)
            and atom.GetFormalCharge() == own.GetFormalCharge()
            and atom.GetTotalNumHs() + len(beyond) == own.GetTotalNumHs()
        )

    def branch(self, number: int, entry: int, match: tuple[int, ...], before: int = -1) -> _Branch | None:
        """The smallest subtree whose first fragment is laid so, if any.

        Args:
            number: The first fragment.
            entry: Its point in use; -1: the root.
            match: Its atoms.
            before: The atom before the entry.
        """
        fragment, children = self.vocabulary[number], []
        for own, place in enumerate(match):
            beyond = [atom.GetIdx() for atom in self.atoms[place].GetNeighbors()]
            beyond = [atom for atom in beyond if atom not in match and atom != before]
            free = [point for point, atom in enumerate(fragment.atoms) if atom == own and point != entry]
            for point, atom in zip(free, beyond, strict=False):  # `_fits`: there are points enough
                child = self._beyond(place, atom)
                if child is None:
                    return None
                children.append((point, child))
        children.sort(key=itemgetter(0))
        return _Branch(1 + sum(child.size for _, child in children), number, entry, tuple(children))

    def _beyond(self, place: int, atom: int) -> _Branch | None:
        """The smallest subtree beyond a bond, if any; two atoms that are none of carbon are never bound."""
        if self.atoms[place].GetAtomicNum() != 6 and self.atoms[atom].GetAtomicNum() != 6:
            return None
        if (place, atom) not in self._known:
            branches = [
                self.branch(number, entry, match, place)
                for number in range(len(self.vocabulary))
                for entry in self.vocabulary[number].entries
                for match in self.matches[number]
                if match[self.vocabulary[number].atoms[entry]] == atom and place not in match
            ]
            self._known[place, atom] = min((found for found in branches if found is not None), key=_size, default=None)
        return self._known[place, atom]
