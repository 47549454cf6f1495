import pytest
from encoded_toys import Grid, Mixed

from moo.adapters.encodings import ENCODINGS, encode
from moo.metered import metered


@pytest.mark.parametrize(
    ("encoding", "problem"), [("environment", Mixed()), ("construction", Mixed()), ("vector", Grid())]
)
def test_what_is_said_of_the_problem_inside_stays_true(encoding, problem):
    wrapped = encode(problem, encoding)
    assert isinstance(wrapped, ENCODINGS[encoding])
    assert wrapped.encoded is problem
    assert wrapped.kind == encoding
    assert wrapped.name == f"{problem.name}-as-{encoding}"
    for name in ("num_objectives", "objective_names", "directions", "unit", "stochastic", "num_constraints"):
        assert getattr(wrapped, name) == getattr(problem, name), name
    assert wrapped.reference_point == problem.reference_point
    assert (wrapped.reference_front is None) == (problem.reference_front is None)
    assert metered(wrapped, 10, 0).remaining == 10
    again = encode(wrapped.encoded, wrapped.kind, **wrapped.encoding_options)
    assert (type(again), again.encoding_options) == (type(wrapped), wrapped.encoding_options)


def test_what_was_chosen_is_kept():
    assert encode(Mixed(), "construction", levels=7).encoding_options == {"levels": 7}
    assert encode(Mixed(), "construction").encoding_options == {"levels": 32}
    assert encode(Mixed(), "environment").encoding_options == {}


@pytest.mark.parametrize("encoding", ["environment", "construction"])
def test_an_encoding_hides_the_columns_of_the_problem_inside(encoding):
    assert not hasattr(encode(Mixed(), encoding), "space")


def test_an_unknown_encoding_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"Unknown encoding 'constructions'. Did you mean 'construction'\? Known: con"):
        encode(Mixed(), "constructions")


def test_a_problem_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"'vector' takes construction problems. 'mixed' is a vector problem"):
        encode(Mixed(), "vector")
    with pytest.raises(ValueError, match=r"'environment' takes vector problems. 'grid' is a construction problem"):
        encode(Grid(), "environment")


def test_a_name_is_no_problem():
    with pytest.raises(TypeError, match=r"`problem` should be a problem object, .*get_problem.* Found 'zdt1'"):
        encode("zdt1", "construction")


def test_options_are_checked():
    with pytest.raises(ValueError, match=r"Unknown option 'level' of encoding 'construction'. Did you mean 'levels'"):
        encode(Mixed(), "construction", level=3)
    with pytest.raises(ValueError, match=r"Option `levels` should be from 2 to 65536. Found 1"):
        encode(Mixed(), "construction", levels=1)
    with pytest.raises(ValueError, match=r"Unknown option 'levels' of encoding 'environment'"):
        encode(Mixed(), "environment", levels=3)
