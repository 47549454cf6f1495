import signal

import pytest
import torch
from hypothesis import HealthCheck, settings
from inputs import TOY_GENERATORS

from moo.generators import GENERATORS

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a shell's background; the programs under test inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("moo", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("moo")  # on a machine that is busy an example takes long: no fault of what is tested
torch.set_num_threads(1)  # as in the loop: the machine's cores are shared by several test processes


@pytest.fixture(autouse=True)
def _toy_methods(monkeypatch):
    """Register the toy methods, so that every test can name them."""
    for name, target in TOY_GENERATORS.items():
        monkeypatch.setitem(GENERATORS, name, target)
