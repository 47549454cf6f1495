from types import SimpleNamespace

import pytest
from encoded_toys import Grid, Mixed
from inputs import ToyVector

from moo.adapters.encodings import encoding_for, misfit
from moo.generators.random_search import RandomSearch
from moo.space import Space, integer


def method(**declared):
    base = {
        "kinds": ("construction",),
        "columns": ("real",),
        "encodings": ("vector", "environment", "construction"),
        "max_objectives": None,
        "constraints": True,
    }
    return SimpleNamespace(**{**base, **declared})


def test_the_encoding_that_makes_a_method_fit():
    assert encoding_for(Mixed(), method()) == "construction"
    assert encoding_for(Mixed(), method(kinds=("environment",))) == "environment"
    assert encoding_for(Mixed(), method(kinds=("environment", "construction"))) == "environment"  # the first declared
    assert encoding_for(Grid(), method(kinds=("vector",), columns=("integer",))) == "vector"
    assert misfit(Grid(), method(kinds=("vector",), columns=("integer",))) == ""


def test_no_encoding_where_none_is_needed():
    assert encoding_for(Grid(), method()) == ""
    assert misfit(Grid(), method()) == ""
    assert encoding_for(Mixed(), RandomSearch) == ""


def test_no_encoding_where_none_helps():
    none_declared = method(encodings=())
    assert encoding_for(Mixed(), none_declared) == ""
    assert misfit(Mixed(), none_declared) == "it takes construction problems, this one is vector"
    of_numbers = method(kinds=("vector",), columns=("real", "integer"), encodings=())
    assert encoding_for(Mixed(), of_numbers) == ""
    assert "columns, not categorical" in misfit(Mixed(), of_numbers)
    for declared, reason in (
        ({"constraints": False}, "as a construction problem: it takes no constraints, this problem has 1"),
        ({"max_objectives": 1}, "as a construction problem: it takes at most 1 objectives, this problem has 2"),
    ):
        assert encoding_for(Mixed(), method(**declared)) == ""
        assert misfit(Mixed(), method(**declared)) == reason
    real_only = method(kinds=("vector",))
    assert misfit(Grid(), real_only) == "as a vector problem: it takes real columns, not integer"


def test_an_encoding_that_cannot_be_made_says_why():
    problem = ToyVector()
    problem.space = Space((integer(0, 2**30, "huge"),))
    assert encoding_for(problem, method()) == ""
    assert "The integer column 'huge' has 1073741825" in misfit(problem, method())


def test_a_declared_encoding_that_does_not_exist():
    with pytest.raises(ValueError, match=r"Unknown encoding 'lattice'. Known: construction, environment, vector"):
        encoding_for(Mixed(), method(encodings=("lattice",)))
