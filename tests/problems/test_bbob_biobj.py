"""COCO's bi-objective suite: every number is COCO's own, and its logs are those of its own experiment."""

import filecmp
import pickle
import sys

import moocore
import numpy as np
import pytest
import torch

import moo
from moo.problems import bbob_biobj, get_problem

cocoex = pytest.importorskip("cocoex")
from moo.problems.bbob_biobj import BBOBBiobj, CocoLog  # noqa: E402

SPHERES = "bbob-biobj:function=1,dim=2,instance=1"


def theirs(function, dim, instance):
    chosen = f"dimensions: {dim} function_indices: {function}"
    suite = cocoex.Suite("bbob-biobj", "", chosen)
    return suite.get_problem_by_function_dimension_instance(function, dim, instance)


@pytest.mark.parametrize(
    ("function", "dim", "instance"), [(1, 2, 1), (28, 5, 3), (46, 10, 15), (55, 40, 2), (13, 3, 7)]
)
def test_every_value_is_that_of_cocos_own_call(function, dim, instance):
    ours, coco = BBOBBiobj(function, dim, instance), theirs(function, dim, instance)
    rows = np.random.default_rng(0).uniform(-100, 100, (20, dim))
    rows[0] = coco.initial_solution
    assert ours.evaluate(torch.from_numpy(rows)).tolist() == [list(coco(row)) for row in rows]
    assert ours.space.lower.tolist() == coco.lower_bounds.tolist()
    assert ours.space.upper.tolist() == coco.upper_bounds.tolist()
    assert ours.reference_point.tolist() == coco.largest_fvalues_of_interest.tolist()
    assert ours.index == coco.index


def optimum(problem, objective):
    """Of a sphere `|x - c|^2 + f`, by its values at 0 and at the unit vectors."""
    values = problem.evaluate(torch.cat([torch.zeros(1, 2), torch.eye(2)]).double())[:, objective]
    return (values[0] - values[1:] + 1) / 2


def spheres():
    """The problem of two spheres, its ideal point and its nadir point."""
    problem = get_problem(SPHERES)
    best = problem.evaluate(torch.stack([optimum(problem, 0), optimum(problem, 1)]))
    return problem, best.diagonal(), best.flip(0).diagonal()


def test_the_reference_point_is_the_nadir_point():
    problem, _, nadir = spheres()
    assert torch.allclose(problem.reference_point, nadir, atol=1e-9)


def test_the_hypervolume_is_cocos_in_other_units(tmp_path):
    _, ideal, nadir = spheres()
    with CocoLog(tmp_path / "log").observe(SPHERES) as observed:
        result = moo.pareto_search(observed, "nsga2", budget=300, options={"population": 20}, progress=False)
    area = float((nadir - ideal).prod())
    lines = (tmp_path / "log" / "1-separable_1-separable" / "bbob-biobj_f01_d02_hyp.dat").read_text().splitlines()
    reference = float(next(line for line in lines if "reference value" in line).split("= ")[2])
    evaluation, shortfall = (float(part) for part in lines[-1].split()[:2])
    assert evaluation == 300
    assert result.hypervolume / area == pytest.approx(reference - shortfall, abs=1e-9)
    points = moocore.hypervolume(result.objectives.numpy(), ref=nadir.numpy())
    assert result.hypervolume == pytest.approx(points)


def test_a_log_is_that_of_cocos_own_experiment(tmp_path):
    """The same solutions, evaluated in the same order by COCO's loop: the same files, byte for byte."""
    seen = {}

    class Recorded(BBOBBiobj):
        def evaluate(self, solutions, generator=None):
            seen.setdefault(self.spec, []).append(solutions.numpy().copy())
            return super().evaluate(solutions)

    specs = [f"bbob-biobj:function={f},dim=2,instance={i}" for f in (1, 2) for i in (1, 2)]
    log = CocoLog(tmp_path / "ours" / "nsga2", about="x")
    for spec in specs:
        options = {"budget": 130, "options": {"population": 20}, "progress": False}
        with log.observe(spec) as observed:
            logged = moo.pareto_search(observed, "nsga2", **options)
        recorder = Recorded(**moo.registry.parse_spec(spec)[1])
        recorder.spec = spec
        assert moo.pareto_search(recorder, "nsga2", **options).objectives.tolist() == logged.objectives.tolist()
    suite = cocoex.Suite("bbob-biobj", "", "dimensions: 2 function_indices: 1,2 instance_indices: 1,2")
    text = f'outer_folder: "{tmp_path}/theirs" result_folder: nsga2 algorithm_name: nsga2 algorithm_info: x '
    observer = cocoex.Observer("bbob-biobj", text + bbob_biobj.EXACT)
    for spec, problem in zip(specs, suite, strict=True):
        problem.observe_with(observer)
        for row in np.concatenate(seen[spec]):
            problem(row)
        problem.free()
    files = sorted(path.relative_to(tmp_path / "ours") for path in (tmp_path / "ours").rglob("*") if path.is_file())
    assert len(files) == 4 + 1 + 2 * 4
    _, different, missing = filecmp.cmpfiles(tmp_path / "ours", tmp_path / "theirs", files, shallow=False)
    assert (different, missing) == ([], [])


def test_an_observed_search_is_one_of_the_registered_problem(tmp_path):
    with CocoLog(tmp_path / "log").observe("bbob-biobj:dim=3,function=2") as problem:
        result = moo.pareto_search(problem, "random", budget=30, progress=False)
    plain = moo.pareto_search("bbob-biobj:dim=3,function=2", "random", budget=30, progress=False)
    assert result.config == plain.config
    assert result.objectives.tolist() == plain.objectives.tolist()


def test_a_log_takes_each_problem_once_and_one_at_a_time(tmp_path):
    log = CocoLog(tmp_path / "log")
    with log.observe(SPHERES) as problem:
        problem.evaluate(torch.zeros(1, 2, dtype=torch.float64))
        with pytest.raises(RuntimeError, match="one problem at a time"), log.observe("bbob-biobj:function=2"):
            pass
    with pytest.raises(ValueError, match=r"holds bbob-biobj:.* already. Take another folder for another seed"):
        log.observe(SPHERES).__enter__()
    with log.observe("bbob-biobj:function=2"):
        pass
    with pytest.raises(FileExistsError, match="choose another place"):
        CocoLog(tmp_path / "log")


@pytest.mark.parametrize("problem", ["zdt1", object(), BBOBBiobj()])
def test_only_problems_of_the_suite_are_logged(tmp_path, problem):
    with pytest.raises(ValueError, match="Only problems of bbob-biobj are observed"):
        CocoLog(tmp_path / "log").observe(problem).__enter__()


def test_what_cocos_options_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`about` should hold no colons"):
        CocoLog(tmp_path / "log", about="a:b")
    with pytest.raises(ValueError, match="`folder` should hold no colons"):
        CocoLog(tmp_path / 'a"b')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"function": 56}, "`function` should be from 1 to 55. Found 56"),
        ({"instance": 16}, "`instance` should be from 1 to 15. Found 16"),
        ({"dim": 4}, "`dim` should be one of 2, 3, 5, 10, 20, 40. Found 4"),
    ],
)
def test_what_is_not_in_the_suite_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        BBOBBiobj(**options)


def test_another_process_can_have_the_problem():
    problem = get_problem(SPHERES)
    again = pickle.loads(pickle.dumps(problem))
    rows = torch.rand(3, 2, dtype=torch.float64)
    assert torch.equal(problem.evaluate(rows), again.evaluate(rows))
    assert (again.spec, again.space) == (problem.spec, problem.space)


def test_no_rows_have_no_values():
    assert BBOBBiobj().evaluate(torch.empty(0, 2, dtype=torch.float64)).shape == (0, 2)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cocoex", None)
    with pytest.raises(ImportError, match=r"pip install 'moo-suite\[coco\]'"):
        bbob_biobj.cocoex()
