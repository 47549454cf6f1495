"""The registry: every rule by its name."""

import pytest
import torch

import moo.gradients
from moo.gradients import WEIGHT_RULES, min_norm, smooth_tchebycheff, weights
from moo.registry import resolve


def test_a_rule_by_name_is_the_function():
    gram = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    assert torch.equal(weights("min_norm", gram), min_norm(gram))
    losses, preferences = torch.tensor([0.1, 0.4]), torch.tensor([0.5, 0.5])
    found = weights("smooth_tchebycheff", losses=losses, preferences=preferences, mu=0.1)
    assert torch.equal(found, smooth_tchebycheff(losses, preferences, 0.1))


def test_every_rule_is_public_under_its_name():
    for name in WEIGHT_RULES:
        assert getattr(moo.gradients, name) is resolve(WEIGHT_RULES, name, "weight rule")
        assert name in moo.gradients.__all__
    for name in moo.gradients.__all__:
        assert getattr(moo.gradients, name) is not None


def test_what_a_rule_lacks_or_does_not_take_is_said():
    with pytest.raises(
        ValueError, match=r"Unknown weight rule 'minnorm'\. Did you mean 'min_norm'\?.*smooth_tchebycheff"
    ):
        weights("minnorm", torch.eye(2))
    with pytest.raises(
        ValueError, match=r"The rule 'smooth_tchebycheff' needs `preferences`, `mu`\. Pass them by name\."
    ):
        weights("smooth_tchebycheff", losses=torch.ones(2))
    with pytest.raises(ValueError, match=r"Unknown argument 'losses' of min_norm\. Known: gram"):
        weights("min_norm", torch.eye(2), losses=torch.ones(2))
    with pytest.raises(ValueError, match="Unknown argument 'gram' of linear"):
        weights("linear", torch.eye(2), losses=torch.ones(2), preferences=torch.ones(2))


def test_listing_the_rules_loads_none_of_them():
    import subprocess
    import sys

    code = "import sys, moo.gradients; print('torch' in sys.modules, 'numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
