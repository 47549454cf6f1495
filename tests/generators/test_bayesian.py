import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from asserts import assert_same_candidates, assert_same_results
from inputs import ToyVector

import moo
from moo.base import VectorProblem
from moo.bayes.feasibility import SuccessModel
from moo.space import Space, integer, real

QUICK = {"raw_samples": 64, "restarts": 2, "fantasies": 8}
NAN = float("nan")


def values(solutions, m=2):
    return ToyVector(m).evaluate(torch.as_tensor(solutions))


def opened(space=3, **arguments):
    options = {**QUICK, "noise": "none", **arguments.pop("options", {})}  # a space alone is taken for noisy
    space = [(0, 1)] * space if isinstance(space, int) else space
    arguments = {"directions": "min", "num_objectives": 2, "reference_point": [4, 4], "options": options, **arguments}
    return moo.optimizer(space, "bayesian", **arguments)


def begun(n=10, change=None, **arguments):
    """An optimizer that was told `n` rows, their values changed by `change`."""
    opt = opened(**arguments)
    rows = opt.ask(n)
    told = values(rows.solutions)
    opt.tell(rows.extras["id"], told if change is None else change(told))
    return opt


def search(problem=None, budget=16, options=None, method="bayesian", **arguments):
    options = {**QUICK, **(options or {})} if method == "bayesian" else options
    return moo.pareto_search(
        ToyVector() if problem is None else problem, method, budget=budget, options=options, progress=False, **arguments
    )


def apart(solutions):
    """The least distance between two of the rows."""
    return torch.pdist(solutions).min().item()


# --- the first rows ---------------------------------------------------------------------------------------------------


def test_it_begins_with_the_sobol_points_of_the_baseline():
    baseline = moo.optimizer([(0, 1)] * 3, "qlognehvi", directions="min", num_objectives=2, seed=4)
    assert torch.equal(opened(seed=4).ask(8).solutions, baseline.ask(8).solutions)
    assert torch.isnan(opened().ask(8).extras["gain"]).all()


@pytest.mark.parametrize(("dim", "first", "expected"), [(3, 0, 10), (6, 0, 14), (3, 4, 4)])
def test_the_model_chooses_after_the_first_rows(dim, first, expected):
    opt = opened(dim, options={"initial_points": first})
    for _ in range(expected):
        row = opt.ask(1)
        opt.tell(row.extras["id"], values(row.solutions[:, :3]))
        assert torch.isnan(row.extras["gain"]).all()
    assert opt.ask(1).extras["gain"].item() > 0


@pytest.mark.parametrize("count", [0, 1])
def test_one_value_is_too_few_for_a_model(count):
    opt = opened(options={"initial_points": 2})
    rows = opt.ask(2)
    opt.tell(rows.extras["id"][:count], values(rows.solutions[:count]))
    assert torch.isnan(opt.ask(1).extras["gain"]).all()
    opt.tell(rows.extras["id"][count:], values(rows.solutions[count:]))
    assert opt.ask(1).extras["gain"].item() > 0


def test_the_centre_can_be_the_first_row():
    space = Space((real(-1, 3), integer(0, 5)))
    plain, centred = (opened(space, options={"centre": centre}).ask(4).solutions for centre in (False, True))
    assert centred[0].tolist() in ([1.0, 2.0], [1.0, 3.0])
    assert torch.equal(centred[1:], plain[1:])
    assert not torch.equal(centred[0], plain[0])


def test_known_points_count_as_first_rows():
    rows = torch.rand(10, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert opened(initial=(rows, values(rows))).ask(1).extras["gain"].item() > 0


# --- proposals --------------------------------------------------------------------------------------------------------


def test_rows_asked_for_without_telling_are_apart():
    opt = begun()
    assert apart(torch.cat([opt.ask(1).solutions for _ in range(5)])) > 0.02


def test_rows_that_were_told_are_pending_no_more():
    opt = begun()
    asked = opt.ask(2).extras["id"].tolist()
    opt.tell(asked[:1], [[1.0, 1.0]])
    assert list(opt.state_dict()["run"]["generator"]["pending"]) == asked[1:]


def test_asking_for_three_rows_is_asking_three_times():
    opt, other = begun(), begun()
    three = opt.ask(3)
    for i in range(3):
        assert_same_candidates(three.rows(slice(i, i + 1)), other.ask(1))


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_no_row_is_proposed_twice(noise):
    result = search(ToyVector(noise=noise), budget=24, reevaluations=0)
    assert apart(result.additions.solutions) > 1e-6


def test_a_space_of_whole_numbers_is_searched_without_repetition():
    opt, seen = opened(Space((integer(0, 3), integer(0, 3)))), []
    for _ in range(16):
        row = opt.ask(1)
        seen.append(tuple(row.solutions[0].tolist()))
        centres = torch.tensor([[0.0, 0.0], [3.0, 3.0]], dtype=torch.float64)
        opt.tell(row.extras["id"], torch.cdist(row.solutions, centres).square())
    assert len(set(seen)) == 16
    assert len(opt.ask(1)) == 0  # all are known


def test_the_gain_is_about_what_follows():
    expected, found = 0.0, 0.0
    for seed in range(2):
        opt = begun(seed=seed)
        for _ in range(8):
            row, before = opt.ask(1), opt.result().hypervolume
            opt.tell(row.extras["id"], values(row.solutions))
            gain, spread = row.extras["gain"].item(), row.extras["gain_std"].item()
            assert 0 < gain < 5
            assert 0 < spread < 5
            assert abs(opt.result().hypervolume - before - gain) < 6 * spread + 0.2 * gain
            expected, found = expected + gain, found + opt.result().hypervolume - before
    assert 0.7 < found / expected < 1.4


@pytest.mark.parametrize("seed", range(3))
def test_thirty_evaluations_beat_many_more_random_ones(seed):
    ours = search("branin-currin", budget=30, seed=seed)
    assert ours.hypervolume > search("branin-currin", budget=300, seed=seed, method="random").hypervolume + 3


def test_objectives_can_be_maximised():
    opt = opened(directions=["max", "min"], num_objectives=None, reference_point=[-4, 4])
    rows, plain = opt.ask(10), begun()
    opt.tell(rows.extras["id"], values(rows.solutions) * torch.tensor([-1.0, 1.0]))
    assert torch.equal(opt.ask(2).solutions, plain.ask(2).solutions)


@pytest.mark.parametrize("m", [3, 4])
def test_more_objectives(m):
    assert search(ToyVector(m), budget=14).hypervolume > 3.5**m


# --- what it is told --------------------------------------------------------------------------------------------------


def test_told_in_any_order_the_next_row_is_the_same():
    asked = []
    for order in (torch.arange(12), torch.arange(12).flip(0), torch.randperm(12, generator=torch.Generator())):
        opt = opened()
        rows = opt.ask(12)
        for part in order.split(5):
            opt.tell(rows.extras["id"][part], values(rows.solutions[part]))
        asked.append(opt.ask(1))
    assert_same_candidates(asked[0], asked[1])
    assert_same_candidates(asked[0], asked[2])


def test_rows_that_fail_are_avoided(monkeypatch):
    """Half of the space always fails, half of the front in it: without the model of success that draws proposals on."""

    def failures_and_volume():
        runs = [search(ToyVector(dim=2, fails="nan"), budget=25, seed=seed) for seed in range(2)]
        late = sum(int((run.failures.extras["used"] > 15).sum()) for run in runs)
        return late, sum(run.hypervolume for run in runs)

    failures, volume = failures_and_volume()
    monkeypatch.setattr(SuccessModel, "log_probability", lambda self, rows: torch.zeros(len(rows), dtype=rows.dtype))
    heedless, less = failures_and_volume()
    assert failures <= 0.75 * heedless
    assert volume > less + 0.5


def test_failures_at_random_do_not_stop_it():
    opt, chance = opened(), random.Random(1)
    for _ in range(25):
        row = opt.ask(1)
        opt.tell(row.extras["id"], values(row.solutions), failed=[chance.random() < 0.2])
    result = opt.result()
    assert 2 <= len(result.failures) <= 9
    assert result.hypervolume > search(budget=100, method="random").hypervolume


@pytest.mark.parametrize("fails", ["nan", "raise", "flag"])
def test_however_a_problem_fails_the_search_goes_on(fails):
    result = search(ToyVector(fails=fails, fails_below=0.3))
    assert result.record["used"] == 16
    assert len(result.failures) > 0
    assert (result.solutions[:, 0] >= 0.3).all()


def lacking(told):
    told[::3, 0], told[1::3, 1] = NAN, NAN
    return told


def test_rows_that_lack_an_objective_are_in_no_archive_and_inform_the_model():
    opt = begun(12, lacking)
    kept = opt.result().additions
    assert torch.isfinite(kept.objectives).all()
    assert 0 < len(kept) <= 4
    assert not len(opt.result().failures)

    def differently(told):
        told[0, 1] += 3  # of a row whose first objective is missing
        return lacking(told)

    row = opt.ask(1)
    assert row.extras["gain"].item() > 0
    assert not torch.equal(row.solutions, begun(12, differently).ask(1).solutions)


def test_with_many_values_missing_it_beats_random_rows_that_lack_none():
    opt = begun(10, lacking)
    for i in range(16):
        row = opt.ask(1)
        told = values(row.solutions)
        told[0, i % 3 : i % 3 + 1] = NAN  # the first, the second or none
        opt.tell(row.extras["id"], told)
    assert opt.result().hypervolume > search(budget=26, method="random").hypervolume


@pytest.mark.parametrize("given", [True, False], ids=["with a reference point", "without"])
def test_no_row_need_be_complete(given):
    def alternate(told):
        told[::2, 0], told[1::2, 1] = NAN, NAN
        return told

    assert len(begun(10, alternate, reference_point=[4, 4] if given else None).ask(1)) == 1


def test_an_objective_need_not_have_been_seen_yet():
    def first(told):
        told[:, 1] = NAN
        return told

    assert len(begun(10, first).ask(1)) == 1


@pytest.mark.parametrize("row", [[NAN, NAN], [NAN, float("inf")]])
def test_rows_without_a_number_are_refused(row):
    opt = opened()
    asked = opt.ask(2)
    with pytest.raises(ValueError, match=r"`objectives of rows that did not fail` should be finite. Row 1 is"):
        opt.tell(asked.extras["id"], [[1.0, NAN], row])
    assert len(opt.pending()) == 2


@pytest.mark.parametrize("method", ["nsga2", "random", "qlognehvi"])
def test_other_methods_take_no_rows_that_lack_an_objective(method):
    opt = moo.optimizer([(0, 1)] * 3, method, directions="min", num_objectives=2)
    asked = opt.ask(2)
    with pytest.raises(ValueError, match=r"`objectives of rows that did not fail` should be finite. Row 1 is"):
        opt.tell(asked.extras["id"], [[1.0, 2.0], [1.0, NAN]])


def test_a_lucky_value_is_not_believed_where_its_standard_deviation_is_large():
    gains = []
    for std in (1e-3, 100.0):
        opt = opened()
        rows = opt.ask(10)
        told, spread = values(rows.solutions), torch.full((10, 2), 1e-3)
        told[0], spread[0] = -9.0, std  # it would dominate all there is
        opt.tell(rows.extras["id"], told, std=spread)
        gains.append(opt.ask(1).extras["gain"].item())
    assert 0.3 < gains[1] < 3  # what rows are worth beside the others, not beside the lucky one
    assert gains[0] > 5 * gains[1]
    more = opt.ask(1)
    opt.tell(more.extras["id"], values(more.solutions))  # told without: its noise is learned
    assert opt.ask(1).extras["gain"].item() > 0


@pytest.mark.parametrize("which", [[0], [0, 1]])
def test_constant_objectives_stop_nothing(which):
    def constant(told):
        told[:, which] = 1.5
        return told

    rows = begun(10, constant).ask(3)
    assert torch.isfinite(rows.extras["gain"]).all()
    assert apart(rows.solutions) > 1e-6


@pytest.mark.parametrize("difference", [0.0, 0.4])
def test_own_points_inform_the_model_even_where_they_repeat(difference):
    opt, other = begun(), begun()
    own = opt.result().solutions[:2]
    for _ in range(2):
        opt.tell(solutions=own, objectives=values(own) + difference)
    row = opt.ask(1)
    assert row.extras["gain"].item() > 0
    opt.tell(solutions=row.solutions + 1e-3, objectives=values(row.solutions + 1e-3), ids=row.extras["id"])
    assert not torch.equal(opt.ask(1).solutions, other.ask(2).solutions[1:])


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"noise": "learned"}, {"noise": "none"}, {"kernel": "rbf"}, {"output_scale": False}, {"fantasies": 1}],
    ids=str,
)
def test_options_of_the_model(options):
    def noisy(told):
        return told + 0.1 * torch.randn(told.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    rows, plain = begun(12, noisy, options=options).ask(2), begun(12, noisy).ask(2)
    assert (rows.extras["gain"] > 0).all()
    same = torch.equal(rows.solutions, plain.solutions)
    assert same == (options == {"noise": "none"})


def test_a_space_alone_is_taken_for_noisy_and_a_problem_for_what_it_says():
    rows = {noise: begun(12, options={"noise": noise}).ask(1).solutions for noise in ("auto", "learned", "none")}
    assert torch.equal(rows["auto"], rows["learned"])
    assert not torch.equal(rows["auto"], rows["none"])
    auto, none = (search(options={"noise": noise}).front.solutions for noise in ("auto", "none"))
    assert torch.equal(auto, none)


@pytest.mark.parametrize("options", [{"restarts": 1}, {"raw_samples": 16, "restarts": 1000}, {"batch": 3}])
def test_extreme_options_of_the_search(options):
    assert search(budget=14, options=options).record["used"] == 14


def test_a_noisy_problem_is_searched():
    result = search(ToyVector(noise=0.1), budget=20)
    assert result.record["used"] == 20
    assert result.hypervolume > 14


def test_botorchs_own_processes_can_be_the_surrogate():
    state = torch.get_rng_state()
    rows = begun(12, lacking, options={"surrogate": "botorch"}).ask(2)
    assert (rows.extras["gain"] > 0).all()
    assert apart(rows.solutions) > 1e-3
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"options": {"surrogate": "forest"}}, "Unknown surrogate 'forest'. Known: batched, botorch"),
        ({"num_objectives": 1, "reference_point": [4]}, "has 1 objective. At least 2 are needed"),
        ({"num_objectives": 11, "reference_point": None}, "it takes at most 10 objectives, this problem has 11"),
    ],
)
def test_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        opened(**arguments)


# --- the same again ---------------------------------------------------------------------------------------------------

NEXT = """
import sys, torch
torch.set_num_threads(1)
from test_bayesian import opened
for folder in sys.argv[1:]:
    opt = opened()
    opt.load(folder)
    row = opt.ask(2)
    print([number.hex() for number in row.solutions.flatten().tolist() + row.extras["gain"].tolist()])
"""


def test_saved_and_loaded_anywhere_the_next_rows_are_the_same(tmp_path):
    opt, expected, folders = begun(12, lacking), [], [tmp_path / str(i) for i in range(4)]
    for folder in folders:
        opt.save(folder)
        again, pending = opened(), opt.pending()
        again.load(folder)
        assert_same_candidates(again.pending(), pending)
        rows, same = opt.ask(2), again.ask(2)
        assert_same_candidates(rows, same)
        expected.append(str([x.hex() for x in rows.solutions.flatten().tolist() + rows.extras["gain"].tolist()]))
        opt.tell(rows.extras["id"][:1], values(rows.solutions[:1]))  # the other one stays pending
        opt.tell(solutions=rows.solutions[1:], objectives=[[NAN, 1.0]])
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, [here, here.parent, *filter(None, sys.path)]))
    done = subprocess.run(
        [sys.executable, "-c", NEXT, *map(str, folders)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.stdout.splitlines() == expected, done.stderr


class SwitchedOff(BaseException):
    """No error that a search survives."""


class Mortal(VectorProblem):
    """Lives for so many calls."""

    def __init__(self, calls):
        self.__dict__.update(ToyVector().__dict__, left=calls)

    def evaluate(self, solutions, generator=None):
        self.left -= 1
        if self.left < 0:
            raise SwitchedOff
        return ToyVector().evaluate(solutions)


def test_a_search_that_was_broken_off_ends_as_if_it_had_not_been(tmp_path):
    with pytest.raises(SwitchedOff):
        search(Mortal(4), checkpoint=tmp_path)
    assert_same_results(search(checkpoint=tmp_path), search())


def test_global_random_streams_and_threads_are_left_alone():
    opt = begun()
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        opt.tell(solutions=[[0.5, 0.5, 0.5]], objectives=[[1.0, 1.0]])
        opt.ask(2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    assert before[2] == random.getstate()
