"""What a tuning run varies: options to columns and back, and what `--vary` means."""

import math

import pytest
import torch

from moo.benchmarks.tuning.varying import Varied, combinations, parse_vary
from moo.options import Option

DECLARED = {
    "rate": Option(0.01, low=1e-6, high=1.0, log=True, tuned=(1e-4, 0.1)),
    "batch": Option(32, low=1, high=1000, log=True, tuned=(8, 128)),
    "layers": Option(2, low=1, high=8, tuned=(1, 4)),
    "share": Option(0.2, low=0.0, high=1.0, tuned=(0.0, 0.5)),
    "solver": Option("a", choices=("a", "b", "c"), tuned=("a", "b")),
    "greedy": Option(False, tuned=(False, True)),
    "clip": Option(1.0, low=0.0, high=10.0),
    "beta": Option(None, low=0.0, high=10.0),
}


def vary(said=None, fixed=()):
    return combinations(DECLARED, said, dict.fromkeys(fixed), "method 'm'")


def test_all_that_declares_a_range_is_varied_less_what_is_set():
    assert [option.name for option in vary().varied] == ["rate", "batch", "layers", "share", "solver", "greedy"]
    assert [option.name for option in vary(fixed=("rate", "greedy")).varied] == ["batch", "layers", "share", "solver"]


def test_names_alone_take_the_declared_ranges():
    assert vary(["share", "rate"]).varied == vary({"share": None, "rate": None}).varied
    assert vary(["rate"]).varied == (Varied("rate", 1e-4, 0.1, log=True),)


def test_a_range_and_choices_of_ones_own():
    found = vary({"rate": (1e-3, 1e-2), "batch": (1, 10), "clip": [1, 3], "solver": ["c"], "beta": (1, 2)})
    assert found.varied == (
        Varied("rate", 1e-3, 1e-2, log=True),
        Varied("batch", 1, 10, log=True, whole=True),
        Varied("clip", choices=(1.0, 3.0)),
        Varied("solver", choices=("c",)),
        Varied("beta", 1.0, 2.0),
    )


def test_ends_and_middle_of_every_kind_of_option():
    found = vary()
    low, high = found.options(found.space.lower), found.options(found.space.upper)
    assert low == {"rate": 1e-4, "batch": 8, "layers": 1, "share": 0.0, "solver": "a", "greedy": False}
    assert high == {"rate": 0.1, "batch": 128, "layers": 4, "share": 0.5, "solver": "b", "greedy": True}
    assert [type(value) for value in low.values()] == [float, int, int, float, str, bool]
    middle = found.options((found.space.lower + found.space.upper) / 2)
    assert middle["rate"] == pytest.approx(math.sqrt(1e-4 * 0.1), rel=1e-2)
    assert middle["batch"] == 32


def test_options_and_rows_are_one_to_one():
    found = vary()
    rows = found.space.from_unit(torch.rand(50, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    for row in rows:
        options = found.options(row)
        again = found.row(options)
        assert found.options(again) == options
        assert torch.allclose(again, row, atol=0.07)  # rounded to three digits, and batches to whole numbers
        assert f"{options['rate']:.3g}" == f"{options['rate']:g}"


def test_what_lies_outside_has_no_row():
    found = vary({"rate": (1e-3, 1e-2), "solver": ["a", "b"]})
    assert found.row({"rate": 0.05, "solver": "a"}) is None
    assert found.row({"rate": 0.005, "solver": "c"}) is None
    assert found.row({"rate": 0.005, "solver": "b"}) is not None


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"raet": None}, r"Unknown option 'raet' of method 'm'. Did you mean 'rate'\?"),
        ({"clip": None}, "Option `clip` declares no range to vary it in. Say one, as in clip=1:10 or clip=1[+]10."),
        ({"rate": (0.1, 1e-3)}, "The range of `rate` should be low < high. Found 0.1 to 0.001: swapped?"),
        ({"rate": (1e-3, 2.0)}, "Option `rate` should be from 1e-06 to 1.0. Found 2.0."),
        ({"solver": ["a", "z"]}, r"Option `solver` should be one of \['a', 'b', 'c'\]. Found 'z'."),
        ({"solver": ["a", "a"]}, "The choices of `solver` should be different values. Found"),
        ({}, "There is nothing to vary: method 'm' declares no ranges beside the options that are set."),
    ],
)
def test_what_cannot_be_varied_is_refused(said, why):
    with pytest.raises(ValueError, match=why):
        vary(said)


def test_a_logarithmic_range_lies_above_zero():
    declared = {"entropy": Option(0.01, low=0.0, high=1.0, log=True)}
    with pytest.raises(ValueError, match="The range of `entropy` should be above 0, its scale being logarithmic"):
        combinations(declared, {"entropy": (0.0, 0.1)}, {}, "method 'm'")


def test_an_option_cannot_be_set_and_varied():
    with pytest.raises(ValueError, match=r"Option `rate` is both set and varied. Leave it out of the method"):
        vary(["rate"], fixed=("rate",))


def test_the_command_line_says_ranges_choices_and_names():
    assert parse_vary([]) is None
    texts = ["rate=1e-4:1e-2", "batch = 8 : 64", "solver=a+b", "greedy=true", "share"]
    assert parse_vary(texts) == {
        "rate": (1e-4, 1e-2),
        "batch": (8, 64),
        "solver": ["a", "b"],
        "greedy": [True],
        "share": None,
    }


@pytest.mark.parametrize("texts", [["=1:2"], ["a b"], ["rate=1:2", "rate=2:3"], ["rate="]])
def test_vary_texts_that_cannot_be_read(texts):
    with pytest.raises(ValueError, match=r"`--vary` should read NAME, NAME=LOW:HIGH or NAME=A\+B, each once. Found"):
        parse_vary(texts)


def test_a_range_of_words_is_refused():
    with pytest.raises(ValueError, match=r"The range in `--vary rate=a:b` should be two numbers, LOW:HIGH."):
        parse_vary(["rate=a:b"])
