"""The offline test bed for tests: fetched once where that is possible, else tests that need it are skipped."""

import pytest

from moo.text.fetch import SOURCES, cached, fetch


def need_bed():
    """Have the cache filled, or skip the test with the reason."""
    try:
        for source in SOURCES:
            for name in source.files:
                cached(name)
    except FileNotFoundError:
        try:
            fetch()
        except (ImportError, OSError, RuntimeError) as error:
            pytest.skip(f"the offline test bed cannot be fetched: {error}")
