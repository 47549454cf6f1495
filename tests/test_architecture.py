"""Who may import whom: lower layers never import upper ones, a method's file no other method's."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"moo": ROOT / "moo", "moo.plots": ROOT / "plots", "moo.benchmarks": ROOT / "benchmarks"}
MATHS = (
    *("checks", "directions", "dominance", "preferences", "scalarisations", "selection", "statistics", "seeding"),
    *("registry", "noise", "indicators", "gradients"),
)
METHODS = ("problems", "generators", "tuners")
LOOP = ("search", "choosing", "run", "asking")
ALLOWED_UPWARD = {  # each inside a method
    ("moo.result", "moo.plots"),  # SearchResult.plot
    ("moo.adapters.optuna", "moo.asking"),  # Optuna, which calls the sampler, stands above both
}


def layer(module):
    parts = module.split(".")
    if len(parts) == 1:
        return 6  # the package itself: lazy names only
    if parts[1] in ("plots", "benchmarks"):
        return 4
    if parts[1] == "cli":
        return 5
    if parts[1] in LOOP:
        return 3
    if parts[1] in METHODS:
        return 2
    return 0 if parts[1] in MATHS else 1


def modules():
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            inner = path.relative_to(folder).with_suffix("").parts
            yield ".".join((package, *(part for part in inner if part != "__init__"))), path


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "moo":
            for alias in node.names:  # a module of a package, or what stands in one
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "moo")


MODULES = dict(modules())


@pytest.mark.parametrize("module", [name for name in MODULES if name != "moo"])
def test_imports_go_down(module):
    for target in imports_of(MODULES[module]):
        if (module, target) in ALLOWED_UPWARD:
            continue
        assert layer(target) <= layer(module), f"{module} imports {target}, which stands above it"
        if layer(module) == 2 and layer(target) == 2:
            assert target == ".".join(module.split(".")[:2]) or module == target, f"{module} imports {target}"


def test_plots_rest_on_results_alone():
    for module, path in MODULES.items():
        if module.startswith("moo.plots"):
            for target in imports_of(path):
                fine = target.startswith("moo.plots") or target in ("moo.result", "moo.base") or layer(target) == 0
                assert fine, f"{module} imports {target}"


def test_there_are_no_import_cycles():
    graph = {name: {t for t in imports_of(path) if t in MODULES} for name, path in MODULES.items() if name != "moo"}
    graph["moo.result"] -= {"moo.plots"}
    graph["moo.base"] -= {"moo.options"}  # for type checkers only
    done = set()

    def visit(name, trail):
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for target in graph.get(name, ()):
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_no_module_bears_the_name_of_a_public_function_of_its_package():
    for package in ("moo.indicators", "moo.plots"):
        names = [name.split(".")[-1] for name in MODULES if name.startswith(f"{package}.")]
        public = __import__(package, fromlist=["x"]).__all__
        assert not set(names) & set(public)


@pytest.mark.parametrize(
    "folder", ["generators", "tuners", "problems", "indicators", "plots", "rl", "gflow", "adapters"]
)
def test_every_method_has_a_test_file_of_its_name(folder):
    source = ROOT / folder if folder == "plots" else ROOT / "moo" / folder
    for path in source.glob("[a-z]*.py"):
        assert (ROOT / "tests" / folder / f"test_{path.name}").exists(), path.name


def test_every_generator_has_a_docs_page():
    from moo.generators import GENERATORS

    for target in (target for target in GENERATORS.values() if target.startswith("moo.")):
        page = ROOT / "docs" / "methods" / f"{target.partition(':')[0].split('.')[-1]}.md"
        assert page.exists(), page
