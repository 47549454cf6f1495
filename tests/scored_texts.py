"""Functions of texts for the tests of scoring: a process that calls them has to import no more than this."""

import os
from pathlib import Path


def lengths(text):
    """Its length and its number of a's; it dies of "die", raises at "raise" and says too much of "much"."""
    if text == "die":
        os._exit(1)
    if text == "raise":
        raise KeyError("no such text")
    if text == "much":
        return [1, 2, 3]
    return [len(text), text.count("a")]


def noted(text):
    """`lengths`, noting the call in the file that is named before the colon."""
    file, _, text = text.partition(":")
    with Path(file).open("a") as calls:
        calls.write(f"{text}\n")
    return lengths(text)
