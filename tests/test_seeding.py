import random
import subprocess
import sys

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moo.seeding import child_seed, numpy_generator, torch_generator

seeds = st.integers(0, 2**32 - 1)


def test_seeds_are_those_of_the_first_release():
    """Pinned: a change here changes every published result."""
    found = [
        child_seed(0, "noise"),
        child_seed(0, "noise", 1),
        child_seed(1, "noise"),
        child_seed(2**32 - 1, "é", 10**9),
    ]
    assert found == [8372154264372198063, 3294700403536848703, 7418465373065114929, 5800126629677116508]


def test_the_same_in_another_process():
    command = "from moo.seeding import child_seed; print(child_seed(5, 'map', 7))"
    found = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout
    assert int(found) == child_seed(5, "map", 7)


@settings(max_examples=40, deadline=None)
@given(seeds, st.text(max_size=20), st.integers(0, 2**40))
def test_seeds_fit_torch_and_numpy(seed, name, step):
    assert 0 <= child_seed(seed, name, step) < 2**63
    torch_generator(seed, name, step)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(seeds, st.sampled_from(["a", "b", "noise", "noise apart"]), st.integers(0, 9)), unique=True))
def test_every_seed_name_and_step_has_a_stream_of_its_own(places):
    assert len({child_seed(*place) for place in places}) == len(places)
    draws = {float(torch.rand(1, generator=torch_generator(*place), dtype=torch.float64)) for place in places}
    assert len(draws) == len(places)


def test_whatever_was_drawn_before_the_stream_is_the_same():
    first = torch.rand(4, generator=torch_generator(3, "x", 2)), numpy_generator(3, "x", 2).random(4)
    torch.rand(10)
    np.random.default_rng(0).random(10)
    again = torch.rand(4, generator=torch_generator(3, "x", 2)), numpy_generator(3, "x", 2).random(4)
    assert torch.equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_global_generators_are_left_alone():
    before = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().tolist()
    torch.rand(3, generator=torch_generator(0, "a"))
    numpy_generator(0, "a").random(3)
    assert (random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().tolist()) == before
