"""What it costs to start the command line.

`python -m moo.benchmarks.perf.startup` prints CPU seconds of `moo --help` and `moo list`.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from moo.benchmarks.claims import Measurement

LIMIT = 0.4
CODE = (
    "import sys; sys.argv = ['moo', *{arguments}]\n"
    "from moo.cli import app\n"
    "try: app()\n"
    "except SystemExit: pass\n"
    "assert 'torch' not in sys.modules, 'torch was imported'\n"
)


def cpu_seconds(arguments: list[str]) -> float:
    """User and system time of one fresh process.

    Raises:
        RuntimeError: It failed, or imported torch.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = CODE.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(*, quick: bool) -> Measurement:
    """The claim: the worse median of the two commands."""
    runs = 5 if quick else 15
    found = {" ".join(arguments): [cpu_seconds(arguments) for _ in range(runs)] for arguments in (["--help"], ["list"])}
    median = max(statistics.median(times) for times in found.values())
    return Measurement(
        met=median <= LIMIT,
        median=f"{median:.2f} s CPU",
        worst=f"{max(max(times) for times in found.values()):.2f} s",
        seeds=[],
        shortfall=f"{median - LIMIT:.2f} s",
        details={"cpu_seconds": found},
    )


if __name__ == "__main__":
    result = measure(quick=False)
    print(f"median {result.median}, worst {result.worst}: {result.verdict}")
