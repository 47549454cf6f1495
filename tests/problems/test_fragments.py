"""Fragments: moves against all trees by literal recursion, molecules against rdkit alone, the law by enumeration."""

import itertools
import pickle
import sys

import pytest
import torch

import moo
from moo.chemistry.molecules import read_vocabulary
from moo.dominance import non_dominated
from moo.gflow.trajectories import follow, take_apart, uniform_objects
from moo.metered import metered
from moo.problems import get_problem
from moo.problems.fragments import Fragments

pytest.importorskip("rdkit")
from rdkit import Chem

CARBON, OXYGEN, NITROGEN = "C([*:1])([*:2])([*:3])", "O([*:1])([*:2])", "N([*:1])([*:2])"
RING, FLUORINE, AMIDE = "c1([*:1])cc([*:2])ccc1", "F([*:1])", "C([*:1])(=O)N([*:2])([*:3])"
PYRROLE = "n1([*:1])cc([*:2])cc1"
TINY = [
    ((RING, CARBON, FLUORINE), 4),
    ((CARBON, OXYGEN, NITROGEN), 4),
    ((AMIDE, RING, OXYGEN), 3),
    ((PYRROLE, NITROGEN, CARBON, FLUORINE), 3),
    ((FLUORINE, OXYGEN), 3),
    ((OXYGEN, CARBON), 1),
]


def tiny(vocabulary, most, **options):
    return Fragments(vocabulary=list(vocabulary), max_fragments=most, **options)


def every_state(problem):
    """All states, unfinished and finished, each with how many trajectories reach it, by following all legal actions."""
    layer, unfinished, finished = {tuple(problem.start(1)[0].tolist()): 1}, {}, {}
    while layer:
        unfinished |= layer
        state, before = torch.tensor(list(layer)), list(layer.values())
        rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
        moved, done = problem.step(state[rows], actions)
        layer = {}
        for row, after, end in zip(rows.tolist(), moved.tolist(), done.tolist(), strict=True):
            into = finished if end else layer
            into[tuple(after)] = into.get(tuple(after), 0) + before[row]
    return unfinished, finished


def every_molecule(vocabulary, most):
    """SMILES of all molecules of at most `most` fragments, bound in any order by any points, by rdkit alone."""
    parts = []
    for smiles in vocabulary:
        part = Chem.MolFromSmiles(smiles)
        for atom in part.GetAtoms():
            atom.SetAtomMapNum(0)
        parts.append(part)
    level = {Chem.MolToSmiles(part) for part in parts}
    found = set(level)
    for _ in range(most - 1):
        level = {joined for smiles in level for part in parts for joined in joins(Chem.MolFromSmiles(smiles), part)}
        found |= level
    return {capped(smiles) for smiles in found}


def joins(whole, part):
    """Both bound to each other in every way, as SMILES with the points that are left."""
    both = Chem.CombineMols(whole, part)
    ends = [atom for atom in both.GetAtoms() if atom.GetAtomicNum() == 0]
    for one, other in itertools.combinations(ends, 2):
        if one.GetIdx() < whole.GetNumAtoms() <= other.GetIdx():
            a, b = one.GetNeighbors()[0], other.GetNeighbors()[0]
            if a.GetAtomicNum() == 6 or b.GetAtomicNum() == 6:
                bound = Chem.RWMol(both)
                bound.AddBond(a.GetIdx(), b.GetIdx(), Chem.BondType.SINGLE)
                bound.RemoveAtom(other.GetIdx())
                bound.RemoveAtom(one.GetIdx())
                Chem.SanitizeMol(bound)
                yield Chem.MolToSmiles(bound)


def capped(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    for atom in molecule.GetAtoms():
        if atom.GetAtomicNum() == 0:
            atom.SetAtomicNum(1)
    return Chem.MolToSmiles(Chem.RemoveHs(molecule))


def every_tree(vocabulary, most):
    """All trees that the rules leave, as nested tuples: (fragment, entry, what is bound to each point or None)."""
    fragments = read_vocabulary(list(vocabulary))

    def grown(lowest, number, entry, room):
        fragment = fragments[number]
        points = [point for point in range(fragment.points) if point != entry]

        def filled(left, room):
            if not left:
                yield ()
                return
            point, rest = left[0], left[1:]
            empty = [other for other in rest if fragment.atoms[other] == fragment.atoms[point]]
            for children in filled([other for other in rest if other not in empty], room):
                yield ((point, None), *((other, None) for other in empty), *children)
            for child in children_of(lowest, fragment.hetero[point], room):
                for children in filled(rest, room - size(child)):
                    yield ((point, child), *children)

        if room >= 1:
            for children in filled(points, room - 1):
                yield (number, entry, tuple(sorted(children, key=lambda pair: pair[0])))

    def children_of(lowest, hetero, room):
        for number in range(lowest, len(fragments)):
            for entry in fragments[number].entries:
                if not (hetero and fragments[number].hetero[entry]):
                    yield from grown(lowest, number, entry, room)

    return [tree for number in range(len(fragments)) for tree in grown(number, number, -1, most)]


def size(tree):
    return 1 + sum(size(child) for _, child in tree[2] if child is not None)


def nested(problem, state, slot=0):
    """A finished state as such a tree."""
    most, per_slot = problem.max_fragments, problem._per_slot
    fragment, entry = problem._kinds[state[slot]]
    bound = {point: child for child, point in enumerate(state[most : 2 * most]) if point >= 0}
    points = [point for point in range(problem.vocabulary[fragment].points) if point != entry]
    children = [(point, bound.get(slot * per_slot + point)) for point in points]
    return (fragment, entry, tuple((p, None if c is None else nested(problem, state, c)) for p, c in children))


# --------------------------------------------------------------------------------------------------- moves
@pytest.mark.parametrize("case", TINY, ids=str)
def test_every_tree_is_built_in_one_way(case):
    problem = tiny(*case)
    _, finished = every_state(problem)
    assert set(finished.values()) == {1}
    found = [nested(problem, state) for state in finished]
    assert len(set(found)) == len(found)
    assert set(found) == set(every_tree(*case))


@pytest.mark.parametrize("case", TINY, ids=str)
def test_the_molecules_are_all_that_rdkit_builds_of_the_fragments(case):
    problem = tiny(*case)
    _, finished = every_state(problem)
    assert set(problem.decode(torch.tensor(list(finished)))) == every_molecule(*case)


@pytest.mark.parametrize("case", TINY, ids=str)
def test_the_last_action_can_be_undone(case):
    problem = tiny(*case)
    unfinished, finished = every_state(problem)
    state = torch.tensor(list(unfinished))
    rows, actions = torch.nonzero(problem.action_mask(state), as_tuple=True)
    moved, done = problem.step(state[rows], actions)
    assert torch.equal(problem.undo(moved, actions), state[rows])
    expected = torch.nn.functional.one_hot(actions, problem.num_actions).bool()
    assert torch.equal(problem.backward_mask(moved), expected)
    assert not problem.backward_mask(problem.start(1)).any()
    assert {tuple(row) for row in moved[done].tolist()} == set(finished)


@pytest.mark.parametrize("case", TINY, ids=str)
def test_finished_molecules_stay_as_they_are(case):
    problem = tiny(*case)
    unfinished, finished = every_state(problem)
    assert problem.action_mask(torch.tensor(list(unfinished))).any(dim=1).all()
    ended = torch.tensor(list(finished))
    assert not problem.action_mask(ended).any()
    for action in range(problem.num_actions):
        still, done = problem.step(ended, torch.full((len(ended),), action))
        assert torch.equal(still, ended)
        assert done.all()


@pytest.mark.parametrize("case", TINY, ids=str)
def test_features_tell_all_states_apart(case):
    problem = tiny(*case)
    unfinished, finished = every_state(problem)
    features = problem.features(torch.tensor([*unfinished, *finished]))
    assert features.dtype == torch.int64
    assert (features >= 0).all()
    assert (features < torch.tensor(problem.feature_sizes)).all()
    assert len(features.unique(dim=0)) == len(unfinished) + len(finished)


def test_features_say_what_is_bound_to_what():
    problem = tiny((RING, CARBON, FLUORINE), 4)
    state, seen = problem.start(1), []
    ring, fluorine = 0, problem._kinds.index((2, 0))
    for action in (ring, problem._pieces + 1, fluorine):
        state = problem.step(state, torch.tensor([action]))[0]
        seen.append(problem.features(state)[0].tolist())
    nothing = [0, 0, 0, 0]
    assert seen == [
        [1, 0, 1, 0, 0, 0, *nothing * 3],
        [1, 0, 1, 0, 0, 0, 0, 1, 2, 1, *nothing * 2],
        [2, 0, 1, 0, 0, 0, fluorine + 1, 1, 2, 1, *nothing * 2],
    ]


def test_random_trajectories_go_there_and_back():
    problem = Fragments()
    found = follow(problem, 300, None, torch.Generator().manual_seed(0))
    assert found.lengths.max() > 10
    moves = found.moves
    state, actions, after = found.states[:-1][moves], found.actions[moves], found.states[1:][moves]
    assert problem.action_mask(state).gather(1, actions[:, None]).all()
    assert torch.equal(problem.undo(after, actions), state)
    assert (problem.backward_mask(after).sum(dim=1) == 1).all()
    ways = take_apart(problem, found.objects, torch.Generator().manual_seed(1))
    assert torch.equal(ways.lengths, found.lengths)
    assert torch.equal(ways.actions[ways.moves], actions)
    assert not problem.action_mask(found.objects).any()


def test_moves_know_no_other_row():
    problem = Fragments()
    states = follow(problem, 40, None, torch.Generator().manual_seed(3)).states.flatten(0, 1)
    for of in (problem.action_mask, problem.backward_mask, problem.features):
        assert torch.equal(of(states), torch.cat([of(state[None]) for state in states]))


def test_what_is_made_of_a_state_is_on_its_device():
    problem = Fragments()
    state = problem.start(4).to("meta")  # a device without values, which no other may be mixed with
    actions = torch.zeros(4, dtype=torch.int64, device="meta")
    moved, done = problem.step(state, actions)
    made = [moved, done, problem.undo(moved, actions), problem.action_mask(state), problem.backward_mask(state)]
    assert {of.device.type for of in [*made, problem.features(state)]} == {"meta"}


# --------------------------------------------------------------------------------------------------- values
def test_what_is_said_of_it():
    problem = get_problem("fragments")
    assert (problem.kind, problem.unit, problem.stochastic) == ("construction", "evaluations", False)
    assert (problem.objective_names, problem.directions) == (("sa", "qed"), ("max", "max"))
    assert (problem.max_fragments, problem.max_steps, len(problem.vocabulary)) == (9, 18, 75)
    assert problem.unit_objectives
    assert problem.reference_point.tolist() == [0, 0]
    assert problem.oracle is None
    three = get_problem("fragments:objectives=qed+sa+mw,max_fragments=5")
    assert (three.num_objectives, three.objective_names) == (3, ("qed", "sa", "mw"))
    assert get_problem(three.spec).max_fragments == 5


def test_values_of_known_molecules():
    problem = Fragments(("qed", "sa", "mw"))
    names = ["CC(=O)Nc1ccc(O)cc1", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "c1ccccc1"]
    states = problem.encode(names)
    assert problem.decode(states) == names
    values = problem.evaluate(states).objectives
    assert values[:, 0].tolist() == pytest.approx([0.595, 0.822, 0.443], abs=5e-4)  # as published for paracetamol
    assert values[:, 1].tolist() == pytest.approx([(10 - 1.407) / 9, (10 - 2.191) / 9, 1.0], abs=1e-3)
    assert values[:, 2].tolist() == [1.0, 1.0, 1.0]


def test_heavy_molecules_are_worth_less():
    problem = Fragments(("mw", "sa"))
    states = uniform_objects(problem, 300, torch.Generator().manual_seed(0))
    from rdkit.Chem import Descriptors

    weights = [Descriptors.MolWt(Chem.MolFromSmiles(smiles)) for smiles in problem.decode(states)]
    expected = [1.0 if w <= 300 else 0.0 if w >= 1000 else 1 - (w - 300) / 700 for w in weights]
    assert max(weights) > 1000
    assert problem.evaluate(states).objectives[:, 0].tolist() == pytest.approx(expected)


def test_every_random_molecule_is_valid_and_found_again():
    problem = Fragments()
    states = uniform_objects(problem, 400, torch.Generator().manual_seed(1))
    evaluation = problem.evaluate(states)
    assert not evaluation.reasons
    assert (evaluation.objectives >= 0).all()
    assert (evaluation.objectives <= 1).all()
    some = states[:60]
    names = problem.decode(some)
    again = problem.encode(names)
    assert problem.decode(again) == names
    assert (problem._count(again) <= problem._count(some)).all()
    ways = take_apart(problem, again, torch.Generator().manual_seed(0))
    state, actions = ways.states[:-1][ways.moves], ways.actions[ways.moves]
    assert problem.action_mask(state).gather(1, actions[:, None]).all()


@pytest.mark.parametrize("case", TINY, ids=str)
def test_every_molecule_of_a_vocabulary_is_encoded(case):
    problem = tiny(*case)
    _, finished = every_state(problem)
    names = sorted(every_molecule(*case))
    states = problem.encode(names)
    assert problem.decode(states) == names
    assert {tuple(row) for row in states.tolist()} <= set(finished)


def test_processes_change_no_value():
    alone, shared = Fragments(), Fragments(workers=2)
    states = uniform_objects(alone, 70, torch.Generator().manual_seed(2))
    assert torch.equal(alone.evaluate(states).objectives, shared.evaluate(states).objectives)


def test_a_molecule_that_cannot_be_valued_is_a_failed_row(monkeypatch):
    problem = Fragments()
    states = problem.encode(["c1ccccc1", "Cc1ccccc1"])

    def qed(molecule):
        if molecule.GetNumAtoms() == 7:
            raise RuntimeError("no")
        return 0.5

    monkeypatch.setitem(moo.chemistry.molecules.OBJECTIVES, "qed", qed)
    candidates = metered(problem, 2, 0).evaluate(states)
    assert candidates.failed.tolist() == [False, True]
    assert candidates.extras["reason"].tolist() == ["", "RuntimeError: no"]


# --------------------------------------------------------------------------------------------------- law and methods
@pytest.mark.parametrize("case", TINY[:4], ids=str)
def test_the_oracle_lists_all_molecules(case):
    problem = tiny(*case)
    _, finished = every_state(problem)
    states = torch.tensor(list(finished))
    oracle, values = problem.oracle, problem.evaluate(states).objectives
    assert len(oracle.objectives) == len(finished)
    assert torch.equal(oracle.objectives[oracle.index(states)], values)
    assert sorted(oracle.front.tolist()) == sorted(map(list, set(map(tuple, values[non_dominated(values)].tolist()))))
    preferences = torch.tensor([[0.3, 0.7]], dtype=torch.float64)
    exact = ((values @ preferences[0]).log() * 5).logsumexp(dim=0)
    assert oracle.log_z(preferences, 5.0).item() == pytest.approx(exact.item())


def test_no_oracle_where_there_are_too_many_molecules(monkeypatch):
    case = ((RING, CARBON, FLUORINE), 3)
    objects = len(tiny(*case).oracle.objectives)
    monkeypatch.setattr("moo.problems.fragments.ENUMERABLE", objects)
    assert tiny(*case).oracle is not None
    monkeypatch.setattr("moo.problems.fragments.ENUMERABLE", objects - 1)
    assert tiny(*case).oracle is None


def test_mogfn_learns_the_exact_law_of_a_tiny_vocabulary():
    problem = tiny((RING, AMIDE, FLUORINE), 4)
    options = {"beta": 8.0, "batch": 64, "batches": 4, "learning_rate": 0.01, "hidden": 64}
    result = moo.pareto_search(problem, "mogfn", budget=24_000, options=options, device="cpu", progress=False)
    preferences = torch.tensor([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]], dtype=torch.float64)
    law = result.generator.exact_distribution(problem, preferences)
    truth = problem.oracle.distribution(preferences, 8.0)
    assert len(problem.oracle.objectives) > 100
    assert law.sum(dim=1).tolist() == pytest.approx([1, 1, 1])
    assert (law - truth).abs().sum(dim=1).max() < 0.25
    uniform = torch.full_like(truth, 1 / truth.shape[1])
    assert (uniform - truth).abs().sum(dim=1).min() > 0.3


@pytest.mark.parametrize("method", ["mogfn", "nsga2", "random"])
def test_searches_run_and_repeat(method):
    problem = Fragments(max_fragments=3)
    runs = [moo.pareto_search(problem, method, budget=120, seed=3, progress=False, device="cpu") for _ in range(2)]
    assert torch.equal(runs[0].solutions, runs[1].solutions)
    assert torch.equal(problem.evaluate(runs[0].solutions).objectives, runs[0].objectives)
    assert runs[0].record["used"] == 120
    assert not runs[0].record["failures"]


def test_a_problem_is_stored():
    problem = Fragments(max_fragments=3, workers=2)
    states = uniform_objects(problem, 10, torch.Generator().manual_seed(0))
    expected = problem.evaluate(states).objectives
    again = pickle.loads(pickle.dumps(problem))
    assert torch.equal(again.evaluate(states).objectives, expected)


# --------------------------------------------------------------------------------------------------- faults
def test_without_rdkit_it_says_what_to_install(monkeypatch):
    for module in [name for name in sys.modules if name.partition(".")[0] == "rdkit"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"Molecules need rdkit: pip install 'moo-suite\[molecules\]'\."):
        Fragments()


def test_states_that_have_no_values():
    problem = Fragments(max_fragments=2)
    state = problem.step(problem.start(2), torch.tensor([0, 1]))[0]
    with pytest.raises(ValueError, match=r"`solutions` should be finished states\. Row 0 is \[0, -1, -1, -1, 0\]\."):
        problem.evaluate(state)
    with pytest.raises(ValueError, match=r"`solutions` should have shape \[n, 5\]\. Found \[2, 3\]\."):
        problem.evaluate(state[:, :3])
    assert problem.decode(torch.cat([problem.start(1), state])) == ["", "c1ccccc1", "NS(=O)(=O)c1ccccc1"]


def test_molecules_that_the_problem_does_not_have():
    problem = Fragments(max_fragments=2)
    with pytest.raises(ValueError, match=r"at most 2 fragments .* Molecule 1, 'CCC\(C\)CO', takes 5\."):
        problem.encode(["CC", "CCC(C)CO"])
    with pytest.raises(ValueError, match=r"Molecule 0, '\[Na\+\]', cannot be built of them\."):
        problem.encode(["[Na+]"])
    with pytest.raises(ValueError, match=r"Molecule 0, 'C\.C', cannot be built of them\."):
        problem.encode(["C.C"])
    with pytest.raises(ValueError, match=r"rdkit reads no molecule from 'c1cc'\."):
        problem.encode(["c1cc"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objectives": ("qed", "logp")}, r"Unknown objective 'logp' of fragments"),
        ({"objectives": "qed"}, r"`objectives` should be at least two different ones\. Found qed\."),
        ({"objectives": ("qed", "qed")}, r"at least two different ones\. Found qed, qed\."),
        ({"max_fragments": 0}, r"`max_fragments` should be from 1 to 90\. Found 0\."),
        ({"workers": 0}, r"`workers` should be at least 1\. Found 0\."),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        Fragments(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objectives": 3}, r"`objectives` should be names, such as \['sa', 'qed'\]\. Found 3\."),
        ({"vocabulary": 3}, r"`vocabulary` should be the path of a table, or a list of SMILES\. Found 3\."),
        ({"workers": "two"}, r"`workers` should be a whole number\. Found 'two'\."),
    ],
)
def test_options_of_the_wrong_type(options, message):
    with pytest.raises(TypeError, match=message):
        Fragments(**options)
