"""Tuners choose the preferences (and what else may change in a run) that a generator works for."""

TUNERS: dict[str, str] = {
    "uniform": "moo.tuners.uniform:Uniform",
    "dirichlet": "moo.tuners.dirichlet:Dirichlet",
    "corner-weights": "moo.tuners.corner_weights:CornerWeights",
    "adaptive": "moo.tuners.adaptive:Adaptive",
    "bayesian": "moo.tuners.bayesian:Bayesian",
}
