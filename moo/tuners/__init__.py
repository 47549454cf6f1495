"""Tuners choose the preferences (and what else may change in a run) that a generator works for."""

TUNERS: dict[str, str] = {
    "uniform": "moo.tuners.uniform:Uniform",
    "dirichlet": "moo.tuners.dirichlet:Dirichlet",
}
