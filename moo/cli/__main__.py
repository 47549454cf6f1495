"""`python -m moo.cli`."""

from moo.cli import app

app()
