"""Environments of Gymnasium and MO-Gymnasium: simulators in this process or in several, behind the house's contract.

Names load where they are first used: a worker process imports neither torch nor the rest of the library.
"""

from moo.registry import lazy

__getattr__ = lazy(__name__, {"FromGymnasium": "moo.adapters.gymnasium.problem"})
