import copy
import os
import pickle
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import moo
from moo.adapters.file_functions import CallableSpec, load_callable, parse_bounds

BOUNDS = [(0.0, 1.0), (0.0, 2.0)]


def search(function, budget=60, method="random", **arguments):
    arguments = {"space": BOUNDS, "directions": ["min", "min"], "progress": False, **arguments}
    return moo.pareto_search(function, method, budget=budget, **arguments)


# --------------------------------------------------------------------------------------------------- of a file
LIBRARY = """
from __future__ import annotations
from dataclasses import dataclass, field
import os
from neighbour import SCALE

with open("imports", "a") as file:
    file.write(f"{os.getpid()}\\n")

@dataclass
class Beam:
    width: float
    height: float = field(default=1.0)

def beam(x):
    made = Beam(*x)
    return [SCALE * made.width, 1 - made.width * made.height]

def late(x):
    import latecomer
    return latecomer.double(x)

def leaving(x):
    raise SystemExit(3)

def _hidden(x):
    return x

bow = lambda x: x
number = 3
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """The path of a file with functions, beside two files that it imports."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "neighbour.py").write_text("SCALE = 2.0\n")
    (folder / "latecomer.py").write_text("def double(x):\n    return [2 * x[0], 1 - x[0]]\n")
    (folder / "my-library.v1.py").write_text(LIBRARY)
    yield folder / "my-library.v1.py"
    for name in [name for name in sys.modules if name in ("neighbour", "latecomer") or name.startswith("moo_user_")]:
        del sys.modules[name]


def test_a_function_in_a_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def f(x):\n    return [x[0], 1 - x[0]]\n")
    assert load_callable(f"{file}:f")(np.array([0.25])) == [0.25, 0.75]
    assert load_callable("mine.py:f", tmp_path)(np.array([0.25])) == [0.25, 0.75]
    file.write_text("def f(x):\n    return 'edited'\n")
    assert load_callable(f"{file}:f")(np.array([0.25])) == "edited"
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_callable(f"{tmp_path}/none.py:f")
    with pytest.raises(FileNotFoundError, match=rf"^There is no file 'none\.py' in {tmp_path}\.$"):
        load_callable("none.py:f", tmp_path)


def test_a_file_may_import_its_neighbours_and_sys_path_is_as_before(library):
    before = list(sys.path)
    assert load_callable(f"{library}:beam")(np.array([0.25, 2.0])) == [0.5, 0.5]
    assert load_callable(f"{library}:late")(np.array([0.25])) == [0.5, 0.75]  # while it runs, too
    assert sys.path == before
    library.write_text("import no_such_module\n")
    with pytest.raises(ValueError, match="cannot be imported: ModuleNotFoundError"):
        load_callable(f"{library}:beam")
    assert sys.path == before


def test_what_a_file_defines_can_be_pickled(library):
    load_callable(f"{library}:beam")
    (module,) = (module for name, module in sys.modules.items() if name.startswith("moo_user_my_library_v1_"))
    made = module.Beam(1.0, 2.0)
    assert pickle.loads(pickle.dumps(made)) == made


def test_files_of_one_name_in_two_folders_are_two_modules(tmp_path):
    functions = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "twin.py").write_text(f"class Thing: pass\ndef f(x):\n    return Thing, {folder!r}\n")
        functions.append(load_callable("twin.py:f", tmp_path / folder))
    (first, a), (second, b) = (function(None) for function in functions)
    assert (a, b) == ("a", "b")
    assert first.__module__ != second.__module__
    assert sys.modules[first.__module__].Thing is first
    assert sys.modules[second.__module__].Thing is second


def test_a_file_that_fails_leaves_the_module_that_was_there(library):
    load_callable(f"{library}:beam")
    (name,) = (name for name in sys.modules if name.startswith("moo_user_my_library_v1_"))
    before = sys.modules[name]
    library.write_text("1 / 0\n")
    with pytest.raises(ValueError, match=r"cannot be imported: ZeroDivisionError"):
        load_callable(f"{library}:beam")
    assert sys.modules[name] is before
    other = library.with_name("other.py")
    other.write_text("1 / 0\n")
    with pytest.raises(ValueError, match="cannot be imported"):
        load_callable(f"{other}:beam")
    assert not [name for name in sys.modules if name.startswith("moo_user_other_")]


def test_a_file_that_ends_the_program_is_an_error(library):
    for line in ("import sys; sys.exit()", "raise SystemExit(2)", "exit()"):
        library.write_text(f"{line}\ndef f(x): pass\n")
        with pytest.raises(
            ValueError, match=r"it calls sys\.exit\. What it does as a script belongs under `if __name__"
        ):
            load_callable(f"{library}:f")


def test_a_missing_function_lists_those_there_are(library):
    with pytest.raises(
        ValueError, match=r"^Unknown function 'baem' of \S+\. Did you mean 'beam'\? Known: .*beam, bow, l"
    ):
        load_callable(f"{library}:baem")
    for name in ("number", "SCALE", "nothing"):
        with pytest.raises(
            ValueError, match=rf"Unknown function '{name}' of \S+.* Known: _hidden, beam, bow, late, leaving\.$"
        ):
            load_callable(f"{library}:{name}")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("my_file.py", r"Which function of my_file\.py\? Say it after a colon, as in my_file\.py:function\."),
        ("my_file.py:", r"should be written my_file\.py:function\. Found 'my_file\.py:'\."),
        ("data.txt:f", r"should be written my_file\.py:function"),
        ("zdt1", r"should be written my_file\.py:function"),
        ("my_file.py:f(x)", r"should be written my_file\.py:function"),
        (3, r"should be written my_file\.py:function\. Found 3\."),
    ],
)
def test_a_function_of_a_file_is_written_in_one_way(target, message):
    with pytest.raises(ValueError, match=message):
        load_callable(target)


def test_a_function_of_a_file_is_shared_by_processes_each_of_which_executes_the_file_once(library, tmp_path):
    function = load_callable(f"{library}:beam")
    own = len((tmp_path / "imports").read_text().split())
    one, two = search(function, vectorized=False), search(function, workers=2)
    assert torch.equal(one.objectives, two.objectives)
    assert len(two.failures) == 0
    imports = (tmp_path / "imports").read_text().split()[own:]
    assert 1 <= len(imports) == len(set(imports)) <= 2
    assert str(os.getpid()) not in imports


def test_copies_of_a_function_give_the_same(library):
    function = load_callable(f"{library}:beam")
    for other in (copy.deepcopy(function), pickle.loads(pickle.dumps(function))):
        assert other(np.array([0.25, 2.0])) == [0.5, 0.5]
        assert other.__name__ == "beam"


def test_a_function_that_ends_the_program_is_a_failed_row(library):
    with pytest.raises(RuntimeError, match=r"it called sys\.exit\(3\)"):
        search(load_callable(f"{library}:leaving"))


# --------------------------------------------------------------------------------------------------- as data
SAID = {"callable": "my_file.py:f", "bounds": "0:1,0:5", "directions": "min,max"}


def spec(**changes):
    return CallableSpec.read({key: value for key, value in {**SAID, **changes}.items() if value is not None})


def test_a_function_is_data_until_it_is_needed(tmp_path):
    said = CallableSpec.read(SAID, tmp_path)  # there is no such file
    problem = said.problem(loaded=False)
    assert (problem.name, problem.directions, problem.space.dim) == ("my_file.py:f", ("min", "max"), 2)
    with pytest.raises(FileNotFoundError, match=r"There is no file 'my_file\.py' in "):
        said.problem()
    (tmp_path / "my_file.py").write_text("def f(x):\n    return [x[0], x[1]]\n")
    values = said.problem().evaluate(torch.tensor([[0.5, 2.0]], dtype=torch.float64)).objectives
    assert values.tolist() == [[0.5, 2.0]]


@pytest.mark.parametrize(
    "changes",
    [
        {"bounds": [[0, 1], [0, 5]], "directions": ["min", "max"]},
        {"bounds": ["0:1", " 0 : 5"], "directions": " min , max "},
        {"bounds": [(0.0, 1e0), [0, 5.0]]},
        {"workers": 4},
        {"stochastic": False, "vectorized": "auto", "name": ""},
    ],
)
def test_what_means_the_same_is_the_same(changes):
    assert spec(**changes) == spec()
    assert hash(spec(**changes)) == hash(spec())
    assert spec(**changes).identity() == spec().identity()


@pytest.mark.parametrize(
    "changes",
    [
        {"callable": "my_file.py:g"},
        {"callable": "./my_file.py:f"},
        {"bounds": "0:1,0:6"},
        {"directions": "max,max"},
        {"name": "beam"},
        {"stochastic": True},
        {"vectorized": True},
        {"reference_point": [1, 2]},
        {"objectives": "weight,cost"},
    ],
)
def test_what_means_something_else_is_another(changes):
    assert spec(**changes) != spec()
    assert spec(**changes).identity() != spec().identity()


bounds = st.tuples(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300)).filter(lambda pair: pair[0] < pair[1])


@given(
    said=st.fixed_dictionaries(
        {"bounds": st.lists(bounds, min_size=1), "directions": st.lists(st.sampled_from(["min", "max"]), min_size=2)},
        optional={
            "name": st.sampled_from(["", "beam", " beam of steel, long ", "\N{GREEK SMALL LETTER BETA}"]),
            "stochastic": st.booleans(),
            "vectorized": st.sampled_from([True, False, "auto"]),
            "workers": st.just(1),
            "objectives": st.none(),
        },
    )
)
def test_it_is_read_back_as_it_was_written(said):
    made = CallableSpec.read({"callable": "my_file.py:f", **said})
    again = CallableSpec.read(made.to_json())
    assert again == made
    assert again.to_json() == made.to_json()
    assert str(made) == (said.get("name", "").strip() or "my_file.py:f")
    text = ",".join(f"{low}:{high}" for low, high in said["bounds"])
    assert parse_bounds(text) == parse_bounds(said["bounds"]) == made.bounds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bound": "0:1"}, "Unknown key 'bound' of a function. Did you mean 'bounds'? Known: bounds, callable, dir"),
        ({"folder": "/"}, "Unknown key 'folder' of a function"),
        ({"callable": None}, '`callable` is missing: say which function, as in "my_file.py:function"'),
        ({"bounds": None}, "`bounds` is missing: a function needs its bounds and directions, as in bounds"),
        ({"directions": None}, "`directions` is missing: a function needs"),
        ({"bounds": 65}, '`bounds` should be low:high pairs separated by commas, as in "0:1,0:5", or a list of'),
        ({"bounds": [0, 1]}, "`bounds` should be low:high pairs"),
        ({"bounds": [[0, 1, 2]]}, "`bounds` should be low:high pairs"),
        ({"bounds": []}, "at least one column"),
        ({"bounds": "1:0,0:5"}, "swapped?"),
        ({"bounds": [[0, float("inf")]]}, "should be finite"),
        ({"directions": "min,mox"}, "Found 'mox'"),
        ({"directions": "min"}, "`directions` should be min or max for each objective, of which at least 2 are needed"),
        ({"directions": ["min", 3]}, "`directions` should be min or max for each objective"),
        ({"directions": 3}, "`directions` should be min or max for each objective"),
        ({"stochastic": "perhaps"}, "`stochastic` should be true or false. Found 'perhaps'"),
        ({"vectorized": "perhaps"}, "`vectorized` should be True, False or"),
        ({"workers": 0}, "`workers` should be at least 1. Found 0"),
        ({"workers": 2, "vectorized": True}, "`workers` share out single rows"),
        ({"reference_point": "1"}, "`reference_point` should be a list of 2 numbers"),
        ({"reference_point": "1,x"}, "`reference_point` should be a list of 2 numbers. Found '1,x'"),
    ],
)
def test_what_is_said_wrongly_of_a_function_is_refused(changes, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        spec(**changes)
    assert message in str(caught.value)


def test_a_value_that_yaml_took_apart_is_recognised():
    # {bounds: 0:1,0:5} without quotes are two keys, the second without a value.
    with pytest.raises(
        ValueError, match=r"Unknown key '0:5' of a function\..* A value with commas needs quotes in YAML\.$"
    ):
        CallableSpec.read({**SAID, "bounds": "0:1", "0:5": None})


@pytest.mark.parametrize("said", ["weight, cost per year", ["weight", "cost per year"]])
def test_objectives_have_names(said):
    named = spec(objectives=said)
    assert named.problem(loaded=False).objective_names == named.objectives == ("weight", "cost per year")
    assert CallableSpec.read(named.to_json()) == named
    assert "objectives" not in spec().to_json()  # as before they could be named


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ("weight", ValueError, r"`--objectives` should name each of the 2 objectives\. Found \['weight'\]\."),
        ("weight,weight", ValueError, r"`--objectives` should differ from each other, .*Found 'weight'"),
        ("weight,", ValueError, r"should differ .* Found ''"),
        ("x1,weight", ValueError, r"should differ .* from the columns of the space .*Found 'x1'"),
        (["a", 3], TypeError, r"`--objectives` should be a list of texts.* Found \['a', 3\]"),
    ],
)
def test_names_of_objectives_that_cannot_be_told_apart_are_refused(said, error, message):
    given = {"callable": "my_file.py:f", "bounds": "0:1,0:5", "directions": "min,max", "objectives": said}
    with pytest.raises(error, match=message):
        CallableSpec.read(given, flag="--")
