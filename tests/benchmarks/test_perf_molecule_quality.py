"""The measurement of molecules: scores against literal loops, and what the claim makes of them."""

import itertools

import pytest
import torch

from moo.benchmarks.perf import molecule_quality
from moo.benchmarks.perf.molecule_quality import BAR, evolved, learned, sampled_front, scores
from moo.indicators.volume import hypervolume
from moo.preferences import das_dennis
from moo.problems.fragments import Fragments
from moo.seeding import torch_generator

pytest.importorskip("rdkit")
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from moo.gflow.trajectories import uniform_objects


def test_scores_are_those_of_a_loop_over_preferences():
    problem, preferences = Fragments(max_fragments=4), das_dennis(2, 2)
    drawn = uniform_objects(problem, 3 * 20, torch_generator(0, "drawn"))
    found = scores(problem, drawn, preferences)
    prints = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    picked, rewards, distances, means = [], [], [], []
    for number, preference in enumerate(preferences):
        states = drawn[20 * number : 20 * (number + 1)]
        values = problem.evaluate(states).objectives
        reward = (values @ preference).tolist()
        order = sorted(range(20), key=lambda i, reward=reward: -reward[i])[:10]
        names = [problem.decode(states[i : i + 1])[0] for i in order]
        bits = [prints.GetFingerprint(Chem.MolFromSmiles(name)) for name in names]
        likeness = [DataStructs.TanimotoSimilarity(a, b) for a, b in itertools.combinations(bits, 2)]
        picked.append(values[order[0]])
        rewards += [reward[i] for i in order]
        distances.append(1 - sum(likeness) / len(likeness))
        means += reward
    whole = problem.evaluate(drawn).objectives
    assert found["pooled"] == pytest.approx(hypervolume(whole, problem.reference_point))
    assert found["picked"] == pytest.approx(hypervolume(torch.stack(picked), problem.reference_point))
    assert found["reward"] == pytest.approx(sum(rewards) / 30)
    assert found["diversity"] == pytest.approx(sum(distances) / 3)
    assert found["mean"] == pytest.approx(sum(means) / 60)
    assert found["different"] == len(set(problem.decode(drawn))) / 60


def test_a_run_is_repeated_by_its_seed(monkeypatch):
    monkeypatch.setattr(molecule_quality, "DRAWS", 12)
    options = "batch=16,batches=2,hidden=8,layers=1"
    first, again = (learned(3, 64, options) for _ in range(2))
    assert set(first) == {"seed", "budget", "minutes", "cpu_minutes", "archive", "mogfn", "uniform"}
    assert first["mogfn"] == again["mogfn"]
    assert first["uniform"] == again["uniform"]
    assert first["archive"] == again["archive"]
    assert 0 < evolved(3, 120) < 1


@pytest.mark.parametrize(("volumes", "met"), [((0.8, 0.79, 0.7), True), ((0.8, 0.78, 0.7), False)])
def test_the_bar_is_for_the_median_of_seeds(monkeypatch, volumes, met):
    def run(seed, budget):
        assert budget == 1_280_000
        return {"mogfn": {"pooled": volumes[seed - 1000]}, "uniform": {"pooled": 0.5}}

    monkeypatch.setattr(molecule_quality, "learned", run)
    monkeypatch.setattr(molecule_quality, "evolved", lambda seed, budget: 0.6)
    monkeypatch.setattr(molecule_quality, "Parallel", lambda n_jobs: lambda calls: [f(*a) for f, a, _ in calls])
    found = sampled_front(quick=False)
    assert (found.met, found.seeds) == (met, [1000, 1001, 1002])
    assert found.shortfall == ("" if met else f"{BAR - 0.78:.3f}")
    assert "without learning: 0.500" in found.median
    assert found.worst == "hypervolume 0.700"
    assert [run["nsga2_archive"] for run in found.details["runs"]] == [0.6] * 3
