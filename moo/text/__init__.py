"""Texts: rewards for them, and the offline test bed, which `python -m moo.text.fetch` fetches."""
