"""Generators: one method, one file."""

GENERATORS: dict[str, str] = {
    "nsga2": "moo.generators.evolutionary:NSGA2",
    "random": "moo.generators.random_search:RandomSearch",
}
