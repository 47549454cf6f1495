"""Tuning: the options of a method over whole runs. `moo.benchmarks.tune` is in `study`; docs/tuning.md explains it."""
