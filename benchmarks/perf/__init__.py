"""Side-by-side measurements: each a module with one command, `python -m moo.benchmarks.perf.NAME`."""
