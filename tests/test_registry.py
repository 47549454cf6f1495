import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.registry import format_spec, format_value, parse_options, parse_spec, parse_value, resolve, summary

words = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True).filter(lambda word: isinstance(parse_value(word), str))
keys = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
numbers = st.integers() | st.floats(allow_nan=False)
singles = numbers | st.booleans() | st.none() | words
lists = st.lists(singles, min_size=2, max_size=4)


def same(a, b):
    """Equal, of the same type, NaN equal to NaN."""
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


# ------------------------------------------------------------------------------------------------- resolving
def test_a_name_stands_for_what_its_string_says():
    assert resolve({"pi": "math:pi"}, "pi", "constant") == math.pi


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"Unknown constant 'p'\..* Known: pi, tau\."):
        resolve({"tau": "math:tau", "pi": "math:pi"}, "p", "constant")


def test_summaries_are_read_without_importing():
    code = """if True:
        import sys
        from moo.generators import GENERATORS
        from moo.problems import PROBLEMS
        from moo.registry import summary
        from moo.tuners import TUNERS
        for registry in (GENERATORS, PROBLEMS, TUNERS):
            for name, target in registry.items():
                assert summary(target), name
        heavy = {"torch", "pymoo", "pandas", "scipy", "moo.base"} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_summary_is_the_first_line_of_the_docstring():
    assert summary("moo.registry:summary").startswith("The first line of the docstring of a registry's target")
    assert summary("moo.registry:nothing") == ""
    assert summary("moo.no_such_module:X") == ""


# ------------------------------------------------------------------------------------------------- reading
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("1e4", 1e4),
        ("TRUE", True),
        ("False", False),
        ("none", None),
        ("branin", "branin"),
        ("a+b", ["a", "b"]),
        ("1+2.5+x+true", [1, 2.5, "x", True]),
        ("1e+20", 1e20),
        ("inf", math.inf),
    ],
)
def test_values_read(text, value):
    assert same(parse_value(text), value)


def test_a_spec_is_a_name_and_options():
    assert parse_spec("zdt1") == ("zdt1", {})
    assert parse_spec(" zdt1 :") == ("zdt1", {})
    assert parse_spec("h: objectives = branin+currin , height=32,") == (
        "h",
        {"objectives": ["branin", "currin"], "height": 32},
    )
    assert parse_spec("a:path=x:y=z") == ("a", {"path": "x:y=z"})


@pytest.mark.parametrize("text", ["a", "=3", "1a=2", "a b=3", "a=1,b"])
def test_options_without_key_or_value_are_refused(text):
    with pytest.raises(ValueError, match=r"Options should read key=value,key=value\. Found "):
        parse_options(text)


def test_an_option_said_twice_is_refused():
    with pytest.raises(ValueError, match=r"The option 'a' stands twice in 'a=1, a=2'. Say it once."):
        parse_options("a=1, a=2")


# ------------------------------------------------------------------------------------------------- writing
@given(words, st.dictionaries(keys, singles | lists, max_size=4))
@settings(max_examples=200)
def test_what_is_written_reads_back(name, options):
    found, read = parse_spec(format_spec(name, options))
    assert found == name
    assert list(read) == list(options)
    assert all(same(read[key], options[key]) for key in options), read


@pytest.mark.parametrize("value", [["branin"], [3], [1e20, 2.0], (1, 2)])
def test_short_lists_large_numbers_and_tuples_read_back(value):
    assert same(parse_value(format_value(value)), list(value))


@given(st.text(max_size=6) | st.lists(st.text(max_size=3), max_size=3) | st.just([[1, 2], [3]]))
@settings(max_examples=200)
def test_what_would_not_read_back_is_refused(value):
    try:
        spec = format_spec("name", {"key": value})
    except ValueError as error:
        assert "key" in str(error)  # noqa: PT017
        return
    assert same(parse_spec(spec)[1].get("key"), value), spec
