import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo.generators import GENERATORS
from moo.options import Option, check_option, resolve_options
from moo.registry import resolve

COUNT = Option(10, low=2, high=100)
RATE = Option(0.1, low=1e-6, high=1.0, log=True)
FREE = Option(1.0)
FLAG = Option(True)
WORD = Option("a")
CHOICE = Option("a", choices=("a", "b", 3))
ANY = Option(None)
MAYBE = Option(None, low=1)
MAYBE_REAL = Option(None, low=0.5)


@pytest.mark.parametrize(
    ("option", "value", "found"),
    [
        (COUNT, 2, 2),
        (COUNT, 100.0, 100),
        (COUNT, np.int64(7), 7),
        (RATE, 1, 1.0),
        (RATE, np.float64(0.5), 0.5),
        (RATE, np.float32(0.5), 0.5),
        (FLAG, False, False),
        (WORD, "", ""),
        (CHOICE, 3, 3),
        (ANY, None, None),
        (ANY, [1], [1]),
        (MAYBE, None, None),
        (MAYBE, 1.0, 1),
        (MAYBE_REAL, 2, 2.0),
    ],
)
def test_values_come_back_in_the_type_of_the_option(option, value, found):
    got = check_option("x", option, value)
    assert (type(got), got) == (type(found), found)


@pytest.mark.parametrize("option", [COUNT, RATE, FREE, FLAG, WORD, CHOICE, ANY, MAYBE, MAYBE_REAL])
def test_defaults_pass_their_own_check(option):
    assert check_option("x", option, option.default) == option.default


@pytest.mark.parametrize("value", [2.5, "3", True, None, [3], math.inf, 3j])
def test_whole_numbers_should_be_whole(value):
    with pytest.raises(TypeError, match=r"Option `x` should be a whole number. Found "):
        check_option("x", COUNT, value)


@pytest.mark.parametrize("value", ["0.5", False, None, [0.5]])
def test_numbers_should_be_numbers(value):
    with pytest.raises(TypeError, match=r"Option `x` should be a number. Found "):
        check_option("x", RATE, value)


@pytest.mark.parametrize("value", [1, 101, pytest.param(10**400, id="huge")])
def test_counts_outside_the_range_are_refused(value):
    with pytest.raises(ValueError, match=r"Option `x` should be from 2 to 100. Found "):
        check_option("x", COUNT, value)


@pytest.mark.parametrize("value", [0.0, 1.0000001, math.inf])
def test_numbers_outside_the_range_are_refused(value):
    with pytest.raises(ValueError, match=r"Option `x` should be from 1e-06 to 1.0. Found "):
        check_option("x", RATE, value)


@pytest.mark.parametrize(
    ("option", "value", "limits"),
    [(Option(1.0, low=0.5), 0.0, "at least 0.5"), (Option(1, high=5), 6, "at most 5"), (MAYBE, 0, "at least 1")],
)
def test_ranges_open_on_one_side(option, value, limits):
    with pytest.raises(ValueError, match=f"Option `x` should be {limits}. Found {value}."):
        check_option("x", option, value)


@pytest.mark.parametrize("option", [COUNT, RATE, FREE, MAYBE, MAYBE_REAL, Option(1.0, high=2.0)])
def test_nan_is_refused_with_or_without_a_range_and_the_message_makes_sense(option):
    with pytest.raises((TypeError, ValueError), match=r"Option `x` should be .*Found nan") as caught:
        check_option("x", option, math.nan)
    assert "None" not in str(caught.value)


@pytest.mark.parametrize(("option", "kind"), [(FLAG, "true or false"), (WORD, "text")])
@pytest.mark.parametrize("value", [1, None, 0.0])
def test_flags_and_texts(option, kind, value):
    with pytest.raises(TypeError, match=f"Option `x` should be {kind}. Found {value!r}."):
        check_option("x", option, value)


@pytest.mark.parametrize("value", ["c", None, 4, [1]])
def test_choices_are_listed(value):
    with pytest.raises(ValueError, match=r"Option `x` should be one of \['a', 'b', 3\]. Found "):
        check_option("x", CHOICE, value)


# ------------------------------------------------------------------------------------------------- all of them
def test_what_is_not_given_has_its_default_in_the_order_declared():
    declared = {"count": COUNT, "rate": RATE, "flag": FLAG}
    found = resolve_options(declared, {"flag": False, "count": 5.0}, "it")
    assert list(found.items()) == [("count", 5), ("rate", 0.1), ("flag", False)]
    assert resolve_options(declared, None, "it") == {"count": 10, "rate": 0.1, "flag": True}
    assert resolve_options({}, {}, "it") == {}


def test_unknown_options_name_their_owner_and_the_nearest():
    with pytest.raises(
        ValueError, match=r"Unknown option 'cuont' of method 'm'. Did you mean 'count'\? Known: count, "
    ):
        resolve_options({"count": COUNT, "rate": RATE}, {"cuont": 3}, "method 'm'")


@given(st.integers(2, 100))
def test_checking_twice_changes_nothing(value):
    once = resolve_options({"count": COUNT}, {"count": float(value)}, "it")
    assert resolve_options({"count": COUNT}, once, "it") == once


# ------------------------------------------------------------------------------------------------- what tuning varies
TUNED = [
    pytest.param(option, id=f"{method}-{name}")
    for method, target in GENERATORS.items()
    if target.startswith("moo.")
    for name, option in resolve(GENERATORS, method, "method").options.items()
    if option.tuned is not None
]


@pytest.mark.parametrize("option", TUNED)
def test_what_tuning_varies_is_allowed_and_holds_the_default(option):
    for value in option.tuned:
        assert check_option("x", option, value) == value
    numeric = option.choices is None and not isinstance(option.default, bool | str)
    if not numeric:
        assert option.default in option.tuned
        assert len(set(option.tuned)) == len(option.tuned) >= 2
        return
    low, high = option.tuned
    assert low < high
    assert low <= option.default <= high
    assert low > 0 or not option.log
    assert type(low) is type(high) is type(option.default)


@pytest.mark.parametrize(
    "method",
    ["c-morl", "mogfn", "ppo-preference", "tabular", "order-preserving", "nsga2", "nsga3", "moead", "bayesian"],
)
def test_these_methods_say_what_tuning_varies(method):
    varied = [option for option in resolve(GENERATORS, method, "method").options.values() if option.tuned is not None]
    assert 1 <= len(varied) <= 8


@pytest.mark.parametrize("given", [["count"], "count=3", 3])
def test_options_that_are_no_mapping_are_refused(given):
    with pytest.raises(
        TypeError, match=r"The options of method 'm' should be a mapping, as in \{name: value\}\. Found"
    ):
        resolve_options({"count": Option(1)}, given, "method 'm'")
