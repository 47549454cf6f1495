import numpy as np
import pytest
import torch
from inputs import ToyVector

import moo
from moo.adapters.pymoo import ToPymoo


@pytest.mark.parametrize("name", ["zdt1", "zdt4", "dtlz2", "dtlz7:num_objectives=4"])
def test_values_are_ours_minimised(name):
    problem = moo.get_problem(name)
    x = np.random.default_rng(0).random((7, problem.space.dim))
    x = problem.space.lower.numpy() + x * (problem.space.upper - problem.space.lower).numpy()
    assert np.array_equal(ToPymoo(problem).evaluate(x), problem.evaluate(torch.from_numpy(x)).numpy())


def test_maximised_objectives_change_sign_and_constraints_do_not():
    plain, turned = ToyVector(constrained=True), ToyVector(constrained=True, directions=("max", "min"))
    x = np.random.default_rng(0).random((5, 3))
    for problem in (plain, turned):
        values = ToPymoo(problem).evaluate(x, return_as_dictionary=True)
        assert np.allclose(values["F"], plain.evaluate(torch.from_numpy(x)).objectives.numpy())
        assert np.array_equal(values["G"], plain.evaluate(torch.from_numpy(x)).constraints.numpy())
    assert (ToPymoo(plain).n_ieq_constr, ToPymoo(plain).n_var, ToPymoo(plain).n_obj) == (2, 3, 2)


def test_whole_columns_are_rounded_inside():
    wrapped = ToPymoo(ToyVector(mixed=True))
    assert np.array_equal(wrapped.evaluate(np.array([[0.1, 0.2, 1.6]])), wrapped.evaluate(np.array([[0.1, 0.2, 2.0]])))
