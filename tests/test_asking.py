import subprocess
import sys

import pytest
import torch
from asserts import assert_same_candidates
from inputs import ToyConstruction, ToyVector

import moo

ASKED = ["random", "nsga2", "nsga3", "moead", "sms-emoa", "spea2", "qlognehvi", "bayesian"]
QUICK = {
    "qlognehvi": {"initial_points": 10, "restarts": 2, "raw_samples": 8, "samples": 8},
    "bayesian": {"initial_points": 10, "restarts": 2, "raw_samples": 16, "fantasies": 4},
}


def values(solutions):
    return ToyVector().evaluate(torch.as_tensor(solutions))


def opened(method="nsga2", **arguments):
    options = QUICK.get(method) or ({"batch": 8} if method == "random" else {"population": 8})
    arguments = {"directions": "min", "num_objectives": 2, "options": options, **arguments}
    return moo.optimizer([(0, 1)] * 3, method, **arguments)


def rounds(opt, count, n=8):
    for _ in range(count):
        rows = opt.ask(n)
        opt.tell(rows.extras["id"], values(rows.solutions))


@pytest.mark.parametrize("method", ASKED)
def test_every_method_is_asked_and_told(method):
    opt = opened(method)
    rounds(opt, 2, 6)
    result = opt.result()
    assert result.feasible
    assert 0 < result.record["used"] <= 12
    assert len(opt.pending()) == 0


def test_it_finds_what_the_loop_finds():
    opt = opened("nsga2", seed=3)
    rounds(opt, 10)
    loop = moo.pareto_search(ToyVector(), "nsga2", budget=80, seed=3, options={"population": 8}, progress=False)
    assert torch.equal(opt.result().objectives, loop.objectives)


def test_a_generation_advances_when_all_its_rows_are_told_in_any_order():
    opt, other = opened(), opened()
    rows, same = opt.ask(99), other.ask(99)
    assert len(rows) == 8
    assert len(opt.ask(1)) == 0
    for part in (torch.tensor([5, 1, 7]), torch.tensor([0, 2, 3, 4, 6])):
        assert len(opt.ask(1)) == 0
        opt.tell(rows.extras["id"][part], values(rows.solutions[part]))
    other.tell(same.extras["id"], values(same.solutions))
    assert_same_candidates(opt.ask(8), other.ask(8))


def test_pending_rows_are_those_not_told():
    opt = opened()
    rows = opt.ask(5)
    opt.tell(rows.extras["id"][:2], values(rows.solutions[:2]))
    assert torch.equal(opt.pending().solutions, rows.solutions[2:])
    assert opt.pending().extras["id"].tolist() == [2, 3, 4]


@pytest.mark.parametrize("method", ["nsga2", "qlognehvi", "bayesian"])
def test_own_points_enter_archive_and_surrogate_not_a_population_already_drawn(method):
    opt, other = opened(method), opened(method)
    for one in (opt, other):
        rounds(one, 1, 10)
    good = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
    opt.tell(solutions=good, objectives=values(good))
    assert (opt.result().solutions == good).all(dim=1).any()
    if method == "nsga2":
        assert_same_candidates(opt.ask(8), other.ask(8))
    else:
        assert not torch.equal(opt.ask(1).solutions, other.ask(1).solutions)


def test_directions_are_the_callers():
    opt = opened(directions=["max", "min"], num_objectives=None)
    rows = opt.ask(8)
    told = values(rows.solutions) * torch.tensor([-1.0, 1.0])
    opt.tell(rows.extras["id"], told)
    result = opt.result()
    assert all((row == told).all(dim=1).any() for row in result.objectives)


def test_failed_rows_are_recorded():
    opt = opened()
    rows = opt.ask(8)
    told = values(rows.solutions)
    told[0] = float("nan")
    opt.tell(rows.extras["id"], told, failed=[True] + [False] * 7)
    result = opt.result()
    assert result.failures.solutions.tolist() == rows.solutions[:1].tolist()
    assert list(result.failures.extras["reason"]) == ["told as failed"]
    assert len(opt.ask(8)) == 8


def test_constraints_and_standard_deviations_are_kept():
    opt = opened(num_constraints=1)
    rows = opt.ask(8)
    constraints = rows.solutions[:, :1] - 0.5
    opt.tell(rows.extras["id"], values(rows.solutions), constraints=constraints, std=torch.ones(8, 2))
    front = opt.result().front
    assert (front.extras["constraints"] <= 0).all()
    assert (front.extras["std"] == 1).all()


NEXT = """
import sys, torch, moo
opt = moo.optimizer([(0, 1)] * 3, sys.argv[2], directions="min", num_objectives=2, options=eval(sys.argv[3]))
opt.load(sys.argv[1])
print([row.hex() for row in opt.ask(3).solutions.flatten().tolist()])
"""


@pytest.mark.parametrize("method", ["nsga2", "random", "qlognehvi", "bayesian", "moead"])
def test_the_state_goes_to_another_process_and_the_next_rows_are_the_same(method, tmp_path):
    opt = opened(method)
    rounds(opt, 2, 5)
    left = opt.ask(2)
    opt.save(tmp_path / "state")
    options = repr(dict(QUICK.get(method) or ({"batch": 8} if method == "random" else {"population": 8})))
    limit = "import torch; torch.set_num_threads(1)\n"
    done = subprocess.run(
        [sys.executable, "-c", limit + NEXT, str(tmp_path / "state"), method, options], capture_output=True, text=True
    )
    assert done.stdout.strip() == str([row.hex() for row in opt.ask(3).solutions.flatten().tolist()]), done.stderr
    again = opened(method)
    again.load(tmp_path / "state")
    assert again.pending().extras["id"].tolist() == left.extras["id"].tolist()


def test_a_registered_problem_knows_its_own():
    opt = moo.optimizer("zdt1:dim=4", "nsga2", options={"population": 8})
    assert opt.ask(8).solutions.shape == (8, 4)
    with pytest.raises(ValueError, match="`num_constraints` is for spaces"):
        moo.optimizer("zdt1", "nsga2", num_constraints=1)


def told(opt, **arguments):
    rows = opt.ask(2)
    opt.tell(**{"ids": rows.extras["id"], "objectives": values(rows.solutions), **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objectives": None}, "`tell` needs `objectives`"),
        ({"ids": None}, "or `solutions` of one's own"),
        ({"ids": [0, 99]}, r"`ids` should be different ones of pending rows. Found \[99\]"),
        ({"ids": [0, 0]}, "`ids` should be different ones of pending rows"),
        ({"objectives": [[1.0], [2.0]]}, r"`objectives` should have shape \[2, 2\]"),
        ({"objectives": [[1.0, float("nan")], [2.0, 1.0]]}, "`objectives of rows that did not fail` should be finite"),
        ({"failed": [True]}, "`failed` should have one entry per row"),
        ({"solutions": [[0.1, 0.2, 0.3]]}, "`solutions` should have as many rows as `ids`"),
        ({"constraints": [[1.0], [1.0]]}, r"`constraints` should have shape \[2, 0\]"),
        ({"std": [[1.0], [1.0]]}, r"`std` should have shape \[2, 2\]"),
    ],
)
def test_what_cannot_be_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        told(opened(), **arguments)


def test_missing_constraints():
    with pytest.raises(ValueError, match="`constraints` are missing: the problem has 2"):
        told(opened(num_constraints=2))


def test_nothing_is_lost_by_a_wrong_tell():
    opt = opened()
    rows = opt.ask(8)
    with pytest.raises(ValueError, match="should have shape"):
        opt.tell(rows.extras["id"], values(rows.solutions)[:, :1])
    assert len(opt.pending()) == 8
    opt.tell(rows.extras["id"], values(rows.solutions))
    assert len(opt.ask(8)) == 8


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"directions": None}, ValueError, "`directions`"),
        ({"num_objectives": None}, ValueError, "or be a single word together with `num_objectives`"),
        ({"num_objectives": 1}, ValueError, "At least 2 are needed"),
        ({"method": "nsga"}, ValueError, "Did you mean 'nsga"),
        ({"method": "toy-conditional", "options": {}}, ValueError, "cannot be asked. Methods that can: "),
    ],
)
def test_bad_openings(arguments, error, message):
    with pytest.raises(error, match=message):
        opened(**{"method": "nsga2", **arguments})


def test_states_of_other_optimizers_are_refused(tmp_path):
    opened("nsga2").save(tmp_path / "a")
    with pytest.raises(ValueError, match="state of another optimizer: seed is 0 there, 1 here"):
        opened("nsga2", seed=1).load(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="holds no optimizer"):
        opened().load(tmp_path / "b")


def test_auto_chooses_by_the_budget():
    assert opened("auto", options=None, budget=100).result().config["method"] == "bayesian"
    assert opened("auto", options=None).result().config["method"] == "nsga2"


def test_a_construction_problem_can_be_asked_too():
    opt = moo.optimizer(ToyConstruction(), "random")
    rows = opt.ask(4)
    assert rows.solutions.dtype == torch.int64
    assert len(ToyConstruction().decode(rows.solutions)) == 4
    opt.tell(rows.extras["id"][:3], ToyConstruction().evaluate(rows.solutions[:3]))
    assert torch.equal(opt.pending().solutions, rows.solutions[3:])
    opt.tell(rows.extras["id"][3:], ToyConstruction().evaluate(rows.solutions[3:]))
    assert len(opt.pending()) == 0


def test_it_is_shown_in_one_line():
    opt = opened("random")
    rows = opt.ask(4)
    opt.tell(rows.extras["id"][:1], values(rows.solutions[:1]))
    assert repr(opt) == "Optimizer(random on laboratory: 1 told, 3 pending)"
