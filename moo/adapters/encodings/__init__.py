"""Encodings: a problem of one kind as a problem of another, so that a method meets problems it does not take as such.

`"environment"` and `"construction"` encode vector problems, `"vector"` encodes construction problems. An encoding keeps
the objectives, their directions, the unit and the constraints; `original_solutions` turns what a method found back into
solutions of the problem inside, which stands in `encoded`.
"""

from moo.adapters.encodings.action_columns import ActionColumns, legal_actions
from moo.adapters.encodings.by_name import ENCODINGS, encode, encoding_for, misfit
from moo.adapters.encodings.lattice import LatticeConstruction
from moo.adapters.encodings.one_step import OneStepEnvironment

__all__ = [
    "ENCODINGS",
    "ActionColumns",
    "LatticeConstruction",
    "OneStepEnvironment",
    "encode",
    "encoding_for",
    "legal_actions",
    "misfit",
]
