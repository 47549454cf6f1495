"""What can be bound to what: the tables against literal loops over the vocabulary."""

import pytest

from moo.chemistry.attachments import Rules, pieces_of
from moo.chemistry.molecules import read_vocabulary

VOCABULARIES = [
    None,
    ("c1([*:1])cc([*:2])ccc1", "C([*:1])(=O)N([*:2])([*:3])", "F([*:1])"),
    ("O([*:1])([*:2])", "F([*:1])"),
]


@pytest.mark.parametrize("given", VOCABULARIES, ids=["shipped", "carbon", "none of carbon"])
def test_tables_are_loops_over_the_vocabulary(given):
    vocabulary = read_vocabulary(given)
    kinds = pieces_of(vocabulary)
    rules = Rules.of(vocabulary, kinds)
    assert kinds[: len(vocabulary)] == [(number, -1) for number in range(len(vocabulary))]
    assert rules.fragment.tolist() == [number for number, _ in kinds]
    for piece, (number, entry) in enumerate(kinds):
        fragment = vocabulary[number]
        for point in range(rules.open.shape[1]):
            there = point < fragment.points
            assert rules.open[piece, point] == (there and point != entry)
            if there:
                assert rules.hetero_points[piece, point] == fragment.hetero[point]
                earlier = [p for p in range(point) if fragment.atoms[p] == fragment.atoms[point] and p != entry]
                expected = max(earlier, default=-1) if fragment.before[point] != entry else -1
                assert rules.before[piece, point] == expected
        for root in range(-1, len(vocabulary)):
            for hetero in (False, True):
                if root < 0:
                    expected = entry < 0
                else:
                    expected = entry >= 0 and number >= root and not (hetero and fragment.hetero[entry])
                assert rules.allowed[root + 1, int(hetero), piece] == expected
    assert rules.partner.equal(rules.allowed.any(dim=2))


def test_what_can_be_bound_to_nothing_has_no_partner():
    vocabulary = read_vocabulary(VOCABULARIES[2])
    rules = Rules.of(vocabulary, pieces_of(vocabulary))
    assert rules.partner.tolist() == [[True, True], [True, False], [True, False]]
