"""Problems by name: every entry is made and says how to make it again; a wrong word is answered with the right ones."""

import inspect
import subprocess
import sys

import pytest
import torch

from moo.problems import PROBLEMS, get_problem
from moo.registry import resolve, summary


@pytest.mark.parametrize("name", [f"{family}{i}" for family, n in (("zdt", 6), ("dtlz", 7)) for i in range(1, n + 1)])
def test_benchmarks_are_made_and_made_again(name):
    problem = get_problem(name)
    assert problem.name == problem.spec == name
    noisy = get_problem(name, noise=0.25)
    assert noisy.spec == f"{name}:noise=0.25"
    again = get_problem(noisy.spec)
    assert (type(again), again.noise, again.spec) == (type(problem), 0.25, noisy.spec)


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_entry_stands_for_something_documented(name):
    assert callable(resolve(PROBLEMS, name, "problem"))
    assert summary(PROBLEMS[name]).endswith(".")


def test_options_in_the_name():
    problem = get_problem("dtlz2:dim=6,num_objectives=4")
    assert (problem.space.dim, problem.num_objectives) == (6, 4)
    assert problem.spec == "dtlz2:dim=6,num_objectives=4"


def test_options_in_the_name_and_as_keywords_join():
    problem = get_problem("dtlz4: num_objectives = 2", alpha=10, noise=1e-05)
    assert problem.spec == "dtlz4:num_objectives=2,alpha=10,noise=1e-05"
    again = get_problem(problem.spec)
    assert (again.num_objectives, again.alpha, again.noise) == (2, 10.0, 1e-05)


def test_none_survives_the_name():
    problem = get_problem("dtlz1", dim=None)
    assert problem.spec == "dtlz1:dim=none"
    assert get_problem(problem.spec).space.dim == 7


def test_a_made_problem_evaluates():
    rows = torch.full((3, 30), 0.5)
    assert get_problem("zdt1").evaluate(rows).shape == (3, 2)


def test_listing_imports_nothing_heavy():
    code = "import sys, moo.problems; print([m for m in ('torch', 'numpy', 'scipy', 'pymoo') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_problem():
    with pytest.raises(
        ValueError, match=r"Unknown problem 'zdt9'\. Did you mean 'zdt1', 'zdt2' or 'zdt3'\? Known: .*dtlz1, .*zdt6"
    ):
        get_problem("zdt9")


def test_unknown_option_lists_the_constructors():
    with pytest.raises(ValueError, match=r"Unknown option 'dims' of zdt1\. Did you mean 'dim'\? Known: dim, noise\."):
        get_problem("zdt1:dims=3")
    with pytest.raises(ValueError, match=r"Unknown option 'dim' of zdt5\..*Known: groups, noise\."):
        get_problem("zdt5", dim=3)
    known = list(inspect.signature(resolve(PROBLEMS, "dtlz4", "problem")).parameters)
    assert known == ["num_objectives", "dim", "noise", "alpha"]


def test_an_option_said_twice():
    message = r"The option 'dim' of zdt1 stands in the name \(4\) and among the keywords \(5\)\. Say it once\."
    with pytest.raises(ValueError, match=message):
        get_problem("zdt1:dim=4", dim=5)
    with pytest.raises(ValueError, match=r"The option 'dim' of zdt1 stands in the name"):
        get_problem("zdt1:dim=4", dim=4)
    with pytest.raises(ValueError, match=r"The option 'dim' stands twice"):
        get_problem("zdt1:dim=4,dim=5")


def test_the_name_is_text():
    with pytest.raises(TypeError, match=r"`name` should be a problem's name such as 'zdt1'\. Found 3\."):
        get_problem(3)


def test_what_the_constructor_refuses_passes_through():
    with pytest.raises(ValueError, match=r"`dim` should be at least 2\. Found 1\."):
        get_problem("zdt1:dim=1")
    with pytest.raises(TypeError, match=r"`dim` should be a whole number\. Found 'many'\."):
        get_problem("zdt1:dim=many")
