"""Which simulator stands where."""

import numpy as np

from moo.adapters.gymnasium.places import Places, key_after, key_of


def test_keys_tell_seeds_and_actions_apart():
    keys = [key_of(seed) for seed in range(100)]
    keys += [key_after(key, bytes([action])) for key in keys for action in range(3)]
    keys.append(key_after(keys[100], b"a"))
    assert len(set(keys)) == len(keys)
    assert key_after(key_of(1), b"x") == key_after(key_of(1), b"x")
    assert {len(key) for key in keys} == {8}


def test_a_simulator_is_taken_once():
    places = Places()
    places.put(b"a", places.any(), np.ones(2))
    assert places.seen(b"a").tolist() == [1, 1]
    assert places.seen(b"b") is None
    assert places.take(b"a") == 0
    assert places.take(b"a") is None


def test_free_simulators_come_first_then_new_ones_then_those_that_stood_still_longest():
    places = Places(most=3)
    for key in (b"a", b"b", b"c"):
        places.put(key, places.any())
    places.put(b"a2", places.take(b"a"))  # a moves on, so b has stood still longest
    places.release(places.take(b"c"))
    assert places.any() == 2
    assert places.any() == 1
    assert places.take(b"b") is None
    assert places.any() == 0
    assert places.any() == 3  # all are in use: more than `most`, rather than too few
    assert len(places) == 4


def test_two_simulators_at_one_place_are_one_too_many():
    places = Places()
    first, second = places.any(), places.any()
    places.put(b"a", first)
    places.put(b"a", second)
    assert places.any() == first
    assert places.take(b"a") == second
