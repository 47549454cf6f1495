"""The claims that the project makes about itself, as data; `moo reproduce` measures them.

A claim's required figure is copied from the issue that set it, its unit is the bar's. A function in `perf/` measures it
and says whether it is met; a peer or a device that is absent is "not measured", never "met".
"""

from moo.benchmarks.claims.claim import Claim, Measurement
from moo.benchmarks.claims.reproduction import CLAIMS, describe, exit_code, machine, reproduce

__all__ = ["CLAIMS", "Claim", "Measurement", "describe", "exit_code", "machine", "reproduce"]
