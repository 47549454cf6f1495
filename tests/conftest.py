import pytest
from inputs import TOY_GENERATORS

from moo.generators import GENERATORS


@pytest.fixture(autouse=True)
def _toy_methods(monkeypatch):
    """Register the toy methods, so that every test can name them."""
    for name, target in TOY_GENERATORS.items():
        monkeypatch.setitem(GENERATORS, name, target)
