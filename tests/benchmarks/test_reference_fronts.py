"""Making reference fronts: local search, thinning and comparison, on fronts that are known."""

import numpy as np
import pytest
import torch

from moo.base import Candidates
from moo.benchmarks.reference_fronts import bounded, compare, descend, main, polish, scatter, thin, volume
from moo.dominance import non_dominated
from moo.problems import get_problem


def sphere(n, m, seed=0):
    """Maximised points on the unit sphere's positive part."""
    points = torch.randn(n, m, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).abs()
    return points / points.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_thinning_keeps_extremes_and_most_of_the_hypervolume(m):
    points = sphere(400, m)
    keep = thin(points, 50)
    assert int(keep.sum()) == 50
    kept = points[keep]
    assert torch.equal(kept.amin(dim=0), points.amin(dim=0))
    assert torch.equal(kept.amax(dim=0), points.amax(dim=0))
    drawn = points[torch.randperm(400, generator=torch.Generator().manual_seed(1))[:50]]
    assert volume((1 - kept).numpy()) > volume((1 - drawn).numpy())


def test_thinning_keeps_all_of_a_few():
    assert thin(sphere(20, 3), 20).all()


def test_descending_reaches_the_least_value_of_each_objective():
    problem = get_problem("re34")
    m = problem.num_objectives
    rows = problem.space.from_unit(torch.full((m, 5), 0.5, dtype=torch.float64))
    span = problem.nadir_point - problem.ideal_point
    found = descend(problem, rows, problem.ideal_point.expand(m, -1), span, torch.eye(m, dtype=torch.float64))
    reached = problem.evaluate(found).diagonal()
    assert (reached[:2] <= problem.ideal_point[:2] + 0.01 * span[:2]).all()
    assert torch.equal(problem.space.canonical(found), found)


def test_descending_becomes_feasible():
    problem = get_problem("cre21")
    rows = problem.space.from_unit(torch.rand(20, 3, generator=torch.Generator().manual_seed(0)))
    assert (problem.evaluate(rows).constraints > 0).any(dim=1).all()
    weights = torch.ones(20, 2, dtype=torch.float64)
    span = problem.nadir_point - problem.ideal_point
    found = descend(problem, rows, problem.ideal_point.expand(20, -1), span, weights)
    assert (problem.evaluate(found).constraints <= 0).all(dim=1).float().mean() > 0.9


def test_polished_rows_dominate():
    problem = get_problem("re21")
    rows = problem.space.from_unit(torch.rand(200, 4, generator=torch.Generator().manual_seed(0)))
    objectives = problem.evaluate(rows)
    keep = non_dominated(-objectives)
    polished = polish(problem, Candidates.of(rows[keep], objectives[keep]))
    found = compare(polished.objectives, problem.reference_front, problem.directions)
    assert found["dominated"] < 0.01


def test_scattering_finds_the_piece_at_a_corner():
    """Neither NSGA-II nor NSGA-III found RE34's least intrusion, at the corner (1, 1, 3, 3, 3)."""
    problem = get_problem("re34")
    front = Candidates.of(problem.reference_solutions, problem.reference_front)
    assert abs(float(scatter(problem, front, starts=300).objectives[:, 2].min()) - 0.0394) < 1e-6


def test_comparing():
    front = 1 - sphere(200, 2)
    same = compare(front, front, ("min", "min"))
    assert same["hypervolume"] == same["hypervolume_theirs"] == 1
    assert same["igd_plus"] == same["dominated"] == 0
    better = compare(front, front - 0.05, ("min", "min"))
    assert better["dominated"] > 0.04
    assert better["hypervolume"] < better["hypervolume_theirs"] == 1
    assert better["igd_plus"] > better["igd_plus_theirs"] == 0
    assert compare(-front, -front + 0.05, ("max", "max")) == better


def test_bounds():
    front = Candidates.of(torch.zeros(2, 4), torch.tensor([[0.0, 1.0, 24.0], [0.0, 1.0, 26.0]], dtype=torch.float64))
    assert len(bounded("re33", front)) == 1
    assert len(bounded("re34", front)) == 2


def test_the_command(tmp_path, monkeypatch, capsys):
    arguments = ["x", "re25", "--evaluations", "1000", "--seeds", "0", "--folder", str(tmp_path)]
    monkeypatch.setattr("moo.benchmarks.reference_fronts.POINTS", 20)
    monkeypatch.setattr("sys.argv", arguments)
    main()
    assert "re25: 20 of" in capsys.readouterr().out
    with np.load(tmp_path / "re25.npz", allow_pickle=False) as file:
        assert file["objectives"].shape == (20, 2)
        assert file["solutions"].shape == (20, 3)
        np.savetxt(tmp_path / "front_re25.dat", file["objectives"])
    monkeypatch.setattr("sys.argv", ["x", "re25", "--against", str(tmp_path)])
    main()
    assert "hypervolume_theirs=" in capsys.readouterr().out
