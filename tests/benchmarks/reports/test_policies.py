"""What reports say of policies: utilities on a stated grid, distances to a known front, and what is never ranked on."""

import math

import pytest
import torch
from searches import searches

import moo
from moo.benchmarks.reports.comparing import intervals_table, ranks_tables
from moo.benchmarks.reports.material import Material, Wish
from moo.benchmarks.reports.references import known_front, own_front_of, references
from moo.benchmarks.reports.scores import POLICIES, score, spelt_out
from moo.benchmarks.reports.summary import summary_table
from moo.indicators import INDICATORS
from moo.preferences import das_dennis

TABLE = {name: {"nsga2": [9.0] * 5, "random": [5.0] * 5} for name in ("p", "q")}
SEA = "deep-sea-treasure:variant=concave"


def material(*indicators, **wish):
    return Material.of(searches(TABLE), Wish(indicators, **wish))


def test_policies_stands_for_what_policies_are_reported_by():
    assert spelt_out(["r2", "policies"]) == ("r2", *POLICIES)
    assert set(POLICIES) <= set(INDICATORS)
    assert {"expected_utility", "maximum_utility_loss", "igd_plus", "sparsity"} < set(POLICIES)


def test_sparsity_is_reported_and_never_ranked_on():
    made = material("hypervolume", "sparsity", control="nsga2")
    (summary,) = summary_table(made)
    place = summary.header.index("sparsity")
    assert [row[place].text for row in summary.rows] == ["0 [0, 0]"] * 4
    assert [row[place + 1].text for row in summary.rows] == ["-"] * 4
    assert not any(row[place].best or row[place].sign for row in summary.rows)
    assert any(row[place - 2].best for row in summary.rows)
    assert not any("sparsity, problems with" in note for note in summary.notes)
    assert any(note.startswith("sparsity: reported, never ranked on") for note in summary.notes)
    assert not any("sparsity" in note for note in summary.notes if note.startswith(("Higher", "Lower")))
    by_volume, by_sparsity = ranks_tables(made)
    assert by_volume.rows
    assert not by_sparsity.rows
    assert by_sparsity.notes == ["sparsity is reported, never ranked on."]
    (intervals,) = intervals_table(made)
    assert not any(row[intervals.header.index("sparsity")].best for row in intervals.rows)


def test_the_best_method_is_not_chosen_by_what_is_never_ranked_on():
    with pytest.raises(ValueError, match=r"`control` can be best only by what is ranked on.*'sparsity'"):
        material("sparsity", "hypervolume", control="best")
    assert material("hypervolume", "sparsity", control="best").control == "nsga2"


def test_the_grid_of_utilities_is_stated():
    (summary,) = summary_table(material("expected_utility", "maximum_utility_loss"))
    assert (
        "expected_utility, maximum_utility_loss: utility is linear, over a lattice of 100 preferences." in summary.notes
    )
    assert len(das_dennis(2, 99)) == 100


def test_policies_are_measured_against_the_exact_front_of_their_environment():
    problem = moo.get_problem(SEA)
    result = moo.pareto_search(SEA, "tabular", budget=4000, progress=False)
    context = references([result])
    front = problem.oracle.front
    assert torch.equal(own_front_of(problem), front)
    assert torch.equal(known_front(result.config), front)
    assert context.source.endswith("reference set of the problem")
    scale = (front.amax(dim=0) - front.amin(dim=0)).clamp(min=1e-12)
    scaled, found = ((rows - front.amin(dim=0)) / scale for rows in (front, result.objectives))
    grid = das_dennis(2, 99)
    row = score([result], POLICIES).iloc[0]
    best, ours = (scaled @ grid.T).amax(dim=0), (found @ grid.T).amax(dim=0)
    assert math.isclose(row["expected_utility"], ours.mean(), rel_tol=1e-9)
    assert math.isclose(row["maximum_utility_loss"], (best - ours).max(), rel_tol=1e-9)
    gaps = (scaled[:, None] - found[None]).clamp(min=0).norm(dim=2).amin(dim=1)
    assert math.isclose(row["igd_plus"], gaps.mean(), rel_tol=1e-9)
    assert row["maximum_utility_loss"] > 0


def test_a_named_front_goes_before_that_of_an_oracle_and_other_kinds_are_left_alone():
    named = moo.get_problem("minecart-deterministic")
    assert torch.equal(own_front_of(named), named.reference_front)
    assert own_front_of(moo.get_problem("minecart")) is None
    assert own_front_of(moo.get_problem("hypergrid")) is None
