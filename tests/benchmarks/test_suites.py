"""Suites as data: ours name only what is registered, a user's own is read from YAML or refused with a clear reason."""

import pytest
from offline_bed import need_bed

from moo.adapters.file_functions import CallableSpec
from moo.adapters.gymnasium.known import KNOWN
from moo.benchmarks import SUITES, Suite, find_suite
from moo.benchmarks.peers import PEERS
from moo.benchmarks.suites import KEYS, Cell, cells, format_method, narrowed, parse_method, read_suite, seeds_of
from moo.generators import GENERATORS
from moo.problems import PROBLEMS, get_problem
from moo.registry import parse_spec

GOOD = {
    "name": "mine",
    "problems": '[zdt1, "dtlz2:dim=6,num_objectives=3"]',
    "methods": '[random, "nsga2:population=50"]',
    "seeds": "3",
    "budget": "200",
}


def write(path, **changes):
    """A suite's YAML file: the good one with these values, None leaving a key out."""
    lines = [f"{key}: {value}" for key, value in {**GOOD, **changes}.items() if value is not None]
    path.write_text("\n".join(lines) + "\n")
    return path


# --------------------------------------------------------------------------------------------------- good ones
def test_a_whole_suite_is_read(tmp_path):
    suite = read_suite(write(tmp_path / "mine.yaml"))
    assert suite == Suite(
        "mine", ("zdt1", "dtlz2:dim=6,num_objectives=3"), ("random", "nsga2:population=50"), (0, 1, 2), 200
    )


def test_cells_are_every_combination_seeds_innermost(tmp_path):
    suite = read_suite(write(tmp_path / "mine.yaml", problems="[zdt1, zdt2]", seeds="2"))
    assert cells(suite) == [
        Cell(problem, method, seed, 200)
        for problem in ("zdt1", "zdt2")
        for method in ("random", "nsga2:population=50")
        for seed in (0, 1)
    ]
    assert len({(cell.label, str(cell.to_json())) for cell in cells(suite)}) == 8


def test_the_files_name_stands_in_for_a_missing_one(tmp_path):
    assert read_suite(write(tmp_path / "night_run.yml", name=None)).name == "night_run"


@pytest.mark.parametrize("name", ['""', "null", "''"])
def test_an_empty_name_is_a_missing_one(tmp_path, name):
    # The suite's folder is runs/NAME: neither runs/ itself nor runs/None.
    assert read_suite(write(tmp_path / "mine.yaml", name=name)).name == "mine"


def test_a_single_name_needs_no_list(tmp_path):
    suite = read_suite(write(tmp_path / "mine.yaml", problems="zdt1", methods="nsga2"))
    assert (suite.problems, suite.methods) == (("zdt1",), ("nsga2",))


def test_blanks_around_options_do_not_make_another_cell(tmp_path):
    neat = read_suite(write(tmp_path / "a.yaml", problems='["dtlz2:dim=6,num_objectives=3"]'))
    loose = read_suite(write(tmp_path / "b.yaml", problems='[" dtlz2: dim=6,  num_objectives = 3 "]'))
    assert cells(neat) == cells(loose)


def test_seeds_are_a_count_or_a_list(tmp_path):
    assert read_suite(write(tmp_path / "a.yaml", seeds="2")).seeds == (0, 1)
    assert read_suite(write(tmp_path / "b.yaml", seeds="[7, 0, 3]")).seeds == (7, 0, 3)
    assert seeds_of(4) == (0, 1, 2, 3)
    assert seeds_of([0]) == (0,)


def test_a_budget_may_be_written_with_an_exponent(tmp_path):
    # YAML reads 1e4 as text, Python and `pareto_search` as a number.
    assert read_suite(write(tmp_path / "mine.yaml", budget="1e4")).budget == 10_000


def test_a_budget_may_go_by_method(tmp_path):
    suite = read_suite(write(tmp_path / "mine.yaml", budget="{random: 400, nsga2: 200}"))
    assert [suite.budget_of(method) for method in suite.methods] == [400, 200]
    assert {cell.method: cell.budget for cell in cells(suite)} == {"random": 400, "nsga2:population=50": 200}
    assert "by method" in str(suite)


def test_a_method_may_carry_a_tuner(tmp_path):
    suite = read_suite(write(tmp_path / "mine.yaml", methods='["toy-conditional:preferences=uniform,tries=3"]'))
    assert parse_spec(suite.methods[0]) == ("toy-conditional", {"preferences": "uniform", "tries": 3})


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{method: random, batch: 20}", "random:batch=20"),
        ("{method: random}", "random"),
        (
            "{method: a, tries: 3, width: 0.5, names: [x, y], flag: true, nothing: null, large: 1e4}",
            "a:tries=3,width=0.5,names=x+y,flag=true,nothing=none,large=1e4",
        ),
        ("{method: a, preferences: uniform, tries: 3}", "a:preferences=uniform,tries=3"),
        ('{method: a, preferences: "dirichlet:alpha=0.5", tries: 3}', "a:preferences=dirichlet(alpha=0.5),tries=3"),
        ('{method: a, preferences: "t:x=0.5,y=2"}', " a : preferences = t( x = 0.5, y=2 ) "),
        ('{method: a, preferences: "t(x=0.5,y=2)"}', "a:preferences=t(x=0.5,y=2)"),
        ('{method: a, preferences: "t:x=0.5"}', "a:preferences=t:x=0.5"),
        ("{method: a, preferences: t}", "a:preferences=t()"),
    ],
)
def test_a_method_as_a_mapping_is_the_method_as_text(tmp_path, written, said):
    mapped = read_suite(write(tmp_path / "a.yaml", methods=f"[{written}]"))
    text = read_suite(write(tmp_path / "b.yaml", methods=f"['{said}']"))
    assert mapped.methods == text.methods
    (method,) = mapped.methods
    assert format_method(*parse_method(method)) == method  # its one spelling


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("random", ("random", {})),
        ("a:preferences=uniform,tries=3", ("a", {"preferences": "uniform", "tries": 3})),
        ("a:preferences=dirichlet(alpha=0.5),tries=3", ("a", {"preferences": "dirichlet:alpha=0.5", "tries": 3})),
        ("a:tries=3,preferences=t(x=0.5,y=a+b)", ("a", {"tries": 3, "preferences": "t:x=0.5,y=a+b"})),
        ("a:num_preferences=3", ("a", {"num_preferences": 3})),
    ],
)
def test_a_tuner_among_options_is_what_pareto_search_takes(text, parts):
    assert parse_method(text) == parts
    assert format_method(*parts) == text


def test_the_order_of_options_stays(tmp_path):
    # Their text is part of what a cell is: cells on disk are found again.
    for method in ("a:preferences=uniform,tries=3", "a:tries=3,preferences=uniform"):
        assert read_suite(write(tmp_path / "a.yaml", methods=f'["{method}"]')).methods == (method,)


FUNCTION = '{callable: "my_file.py:f", bounds: "0:1,0:5", directions: "min,max"}'


def test_a_problem_may_be_a_function_of_a_file_beside_the_suite(tmp_path):
    path = write(tmp_path / "mine.yaml", problems=f"[zdt1, {FUNCTION}]")  # the function need not be there yet
    name, function = read_suite(path).problems
    assert name == "zdt1"
    assert function == CallableSpec("my_file.py:f", ((0.0, 1.0), (0.0, 5.0)), ("min", "max"))
    assert function.folder == str(tmp_path)
    assert str(read_suite(path)).startswith("zdt1, my_file.py:f x random")


def test_a_function_is_written_in_several_ways(tmp_path):
    block = "\n  callable: my_file.py:f\n  bounds: [[0, 1], [0, 5]]\n  directions: [min, max]\n  workers: 2"
    suites = [read_suite(write(tmp_path / "a.yaml", problems=text)) for text in (FUNCTION, f"[{FUNCTION}]", block)]
    assert suites[0] == suites[1] == suites[2]
    assert suites[2].problems[0].workers == 2


def test_a_function_in_a_suite_made_in_python_lies_where_we_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = {"callable": "my_file.py:f", "bounds": [(0, 1)], "directions": ("min", "min"), "name": "mine"}
    suite = Suite("s", ("zdt1", said), ("random",), (0,), 10)
    assert suite.problems[1].folder == str(tmp_path)
    assert Suite.from_json("s", suite.to_json()) == suite
    with pytest.raises(TypeError, match=r"A problem should be a name with options, or a mapping that .* Found 3\."):
        Suite("s", (3,), ("random",), (0,), 10)


def test_a_function_is_part_of_what_its_cells_are(tmp_path):
    def identity(**changes):
        fields = {"callable": "my_file.py:f", "bounds": "[[0, 1]]", "directions": "[min, max]", **changes}
        text = ", ".join(f"{key}: {value}" for key, value in fields.items())
        (cell,) = cells(read_suite(write(tmp_path / "a.yaml", problems=f"{{{text}}}", methods="random", seeds="[0]")))
        return cell.label, str(cell.to_json())

    same = {identity(), identity(bounds='"0:1"'), identity(workers="2"), identity(directions='"min,max"')}
    assert len(same) == 1
    assert same.pop()[0] == "my_file.py:f random seed 0"
    others = [{"bounds": "[[0, 2]]"}, {"directions": "[min, min]"}, {"callable": "sub/my_file.py:f"}, {"name": "new"}]
    assert len({identity()[1], *(identity(**change)[1] for change in others)}) == 5
    assert identity(name="new")[0] == "new random seed 0"


def test_a_narrowed_suite_keeps_what_is_not_said(tmp_path):
    suite = read_suite(write(tmp_path / "mine.yaml", problems=f"[zdt1, {FUNCTION}]"))
    assert narrowed(suite, problems=(), methods=(), seeds=None) == suite
    narrow = narrowed(suite, problems=("my_file.py:f", "zdt2"), methods=("random",), seeds=1)
    assert narrow.problems == (suite.problems[1], "zdt2")
    assert (narrow.methods, narrow.seeds, narrow.budget) == (("random",), (0,), suite.budget)
    with pytest.raises(ValueError, match=r"'my_file\.py:g' is a function and needs its bounds"):
        narrowed(suite, problems=("my_file.py:g",), methods=(), seeds=None)
    with pytest.raises(ValueError, match="`seeds` should be at least 1"):
        narrowed(suite, problems=(), methods=(), seeds=0)


def test_another_budget_is_that_of_every_method(tmp_path):
    suite = read_suite(write(tmp_path / "mine.yaml", budget="{random: 10, nsga2: 20}"))
    other = narrowed(suite, problems=(), methods=(), seeds=None, budget=7)
    assert {cell.budget for cell in cells(other)} == {7}
    assert narrowed(other, problems=(), methods=(), seeds=None).budget == 7
    with pytest.raises(ValueError, match=r"`budget` should be at least 1. Found 0"):
        narrowed(suite, problems=(), methods=(), seeds=None, budget=0)


def test_a_suite_is_found_by_name_by_path_and_as_itself(tmp_path):
    path = write(tmp_path / "mine.yaml")
    assert find_suite("smoke") is SUITES["smoke"]
    assert find_suite(str(path)) == read_suite(path)
    assert find_suite(SUITES["zdt"]) is SUITES["zdt"]


# --------------------------------------------------------------------------------------------------- bad ones
BAD = {
    "unknown key": ({"problem": "[zdt1]"}, "Unknown key 'problem'. Did you mean 'problems'"),
    "no problems": ({"problems": None}, "lacks problems"),
    "no methods nor seeds": ({"methods": None, "seeds": None}, "lacks methods, seeds"),
    "no budget": ({"budget": None}, "lacks budget"),
    "empty problems": ({"problems": "[]"}, "`problems` should be a list of names"),
    "empty methods": ({"methods": ""}, "`methods` should be a list of names"),
    "a number among problems": (
        {"problems": "[3]"},
        "`problems` should be a list of names with options, or of mappings, at least one",
    ),
    "a number among methods": ({"methods": "[random, 3]"}, "`methods` should be a list of names"),
    "options as a YAML mapping": ({"methods": "[nsga2: population=50]"}, "entry 1: `method` should name a method"),
    "a mapping without a method": (
        {"methods": "[random, {population: 50}]"},
        "`methods`, entry 2: `method` should name",
    ),
    "options twice": ({"methods": '[{method: "nsga2:population=5"}]'}, "`method` should name a method, as in"),
    "an option that is no value": ({"methods": "[{method: nsga2, population: {a: 1}}]"}, "cannot be written"),
    "rows of preferences": (
        {"methods": "[{method: x, preferences: [[0, 1]]}]"},
        "`preferences` should be a tuner, as in",
    ),
    "a tuner's option without =": ({"methods": '["x:preferences=dirichlet(alpha)"]'}, "key=value.* Found 'alpha'"),
    "a function without more": ({"problems": '["f.py:f"]'}, 'write {callable: "f.py:f", bounds: .*, directions:'),
    "a file without a function": ({"problems": "[f.py]"}, "'f.py' is a function and needs its bounds and directions"),
    "a function's unknown key": (
        {"problems": '[zdt1, {callable: "f.py:f", bound: "0:1", directions: "min,min"}]'},
        "`problems`, entry 2: Unknown key 'bound' of a function. Did you mean 'bounds'",
    ),
    "a function without bounds": ({"problems": '{callable: "f.py:f"}'}, "entry 1: `bounds` is missing"),
    "a function's bounds in no quotes": (
        {"problems": "{callable: f.py:f, bounds: 0:1,0:5, directions: [min, min]}"},
        "Unknown key '0:5' of a function.* A value with commas needs quotes in YAML",
    ),
    "bounds that YAML takes for a time": (
        {"problems": "{callable: f.py:f, bounds: 1:5, directions: [min, min]}"},
        '`bounds` should be low:high pairs separated by commas, as in "0:1,0:5".* Found 65',
    ),
    "swapped bounds": ({"problems": "{callable: f.py:f, bounds: [[1, 0]], directions: [min, min]}"}, "swapped"),
    "one direction": ({"problems": "{callable: f.py:f, bounds: [[0, 1]], directions: min}"}, "of which at least 2"),
    "two functions of one name": (
        {
            "problems": "[{callable: f.py:f, bounds: [[0, 1]], directions: [min, min]}, "
            + "{callable: f.py:f, bounds: [[0, 2]], directions: [min, min]}]"
        },
        "'f.py:f' stands there twice. Give each function a `name` of its own",
    ),
    "options without =": ({"methods": '["nsga2:population"]'}, "key=value"),
    "seeds zero": ({"seeds": "0"}, "`seeds` should be at least 1"),
    "seeds negative": ({"seeds": "-3"}, "`seeds` should be at least 1"),
    "seeds a word": ({"seeds": "many"}, "`seeds` should be a whole number"),
    "seeds true": ({"seeds": "true"}, "`seeds` should be a whole number"),
    "seeds empty": ({"seeds": "[]"}, "different seeds"),
    "seeds twice": ({"seeds": "[0, 1, 0]"}, "different seeds"),
    "a negative seed": ({"seeds": "[0, -1]"}, "at least 0"),
    "a seed of a half": ({"seeds": "[0.5]"}, "whole number"),
    "budget zero": ({"budget": "0"}, "`budget` should be at least 1"),
    "budget a word": ({"budget": "plenty"}, "`budget` should be a whole number"),
    "budget a list": ({"budget": "[100, 200]"}, "`budget` should be a whole number"),
    "budget of a method zero": ({"budget": "{random: 0, nsga2: 5}"}, "budget of random.* at least 1"),
    "budget of a method a word": ({"budget": "{random: few, nsga2: 5}"}, "budget of random.* whole number"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_bad_values_are_refused_with_the_rule(tmp_path, changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_suite(write(tmp_path / "mine.yaml", **changes))


def test_an_empty_file_is_said_to_hold_nothing(tmp_path):
    (tmp_path / "mine.yaml").write_text("# nothing yet\n")
    with pytest.raises(ValueError, match=r"mine.yaml: A suite should hold the keys name, .*, budget\. Found nothing\."):
        read_suite(tmp_path / "mine.yaml")


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_every_refusal_names_the_file(tmp_path, changes, message):
    with pytest.raises((ValueError, TypeError), match="faulty_suite"):
        read_suite(write(tmp_path / "faulty_suite.yaml", **changes))


def test_a_problem_or_method_listed_twice_is_refused(tmp_path):
    # Each of its cells would be run once and counted twice in every median.
    for changes in ({"problems": "[zdt1, zdt2, zdt1]"}, {"methods": '[random, "random: "]'}):
        with pytest.raises(ValueError, match=r"twice|different"):
            read_suite(write(tmp_path / "mine.yaml", **changes))


def test_a_method_without_a_budget_of_its_own_is_refused(tmp_path):
    with pytest.raises(ValueError, match="none for 'random'"):
        cells(read_suite(write(tmp_path / "mine.yaml", budget="{nsga2: 200}")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "should hold the keys name, problems, methods, seeds, budget. Found"),
        ("[zdt1, zdt2]", "should hold the keys .* Found list"),
        ("just words", "should hold the keys .* Found str"),
        ("problems: [zdt1\nmethods: x", "no YAML"),
        ("a: !!python/object/apply:os.system [exit]", "no YAML"),
        ("\ttabs: 1", "no YAML"),
    ],
)
def test_a_file_that_is_no_suite_is_refused(tmp_path, text, message):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"odd.yaml.*{message}"):
        read_suite(path)


def test_bytes_that_are_no_text_are_refused_by_name(tmp_path):
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00name: \x80")
    with pytest.raises(ValueError, match=r"binary\.yaml"):
        read_suite(path)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        find_suite("nowhere.yaml")


def test_an_unknown_name_lists_the_known_ones_and_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"'quickstat'. Did you mean 'quickstart'.* smoke.*my_suite.yaml"):
        find_suite("quickstat")


# --------------------------------------------------------------------------------------------------- ours
@pytest.mark.parametrize("name", SUITES)
def test_registered_suites_name_only_what_is_registered(name):
    suite = SUITES[name]
    assert suite.name == name
    for problem in suite.problems:
        named = parse_spec(problem)[0]
        if named in KNOWN:  # by MO-Gymnasium
            pytest.importorskip("mujoco", reason="pip install 'moo-suite[control]'")
        if named == "text":
            need_bed()
        assert named in PROBLEMS or named in KNOWN
        assert get_problem(problem).num_objectives >= 2
    assert {parse_spec(method)[0] for method in suite.methods} <= {*GENERATORS, *PEERS}
    assert all(suite.budget_of(method) > 0 for method in suite.methods)
    assert len(set(cells(suite))) == len(suite.problems) * len(suite.methods) * len(suite.seeds)


def test_registered_suites_say_what_they_run():
    for suite in SUITES.values():
        text = str(suite)
        assert all(part in text for part in (*suite.problems, *suite.methods, f"{len(suite.seeds)} seed"))


def test_keys_are_those_of_the_page():
    assert KEYS == ("name", "problems", "methods", "seeds", "budget")
