"""The claims of `moo reproduce benchmarks`."""

from moo.benchmarks.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "What the engines cost",
        "5.0 s",
        "200 cells of 50 ms on 2 workers: loky <= 5.8 s, dask <= 6.5 s, ray <= 6.5 s (ideal 5.0; start-up apart)",
        "moo.benchmarks.perf.engines:short_cells",
        quick="40 cells, a fifth of each",
    ),
    Claim(
        "What a suite survives",
        "the CSV of a run that nothing happened to",
        "SIGKILL of a worker, of the main process, of one of two concurrent runs; disk full; a corrupted record: "
        "only cells in flight are lost and they are named; the rerun's report equals the uninterrupted one, byte "
        "for byte in its CSV (times excluded)",
        "moo.benchmarks.perf.faults:survive",
        quick="the same, half as many cells",
    ),
    Claim(
        "A cell that always kills its worker",
        "the bar alone",
        "a poison cell (always kills its worker) among 40: 39 done, 1 quarantined with its reason, on loky, dask "
        "and ray",
        "moo.benchmarks.perf.engines:poison",
        quick="among 10, on loky",
    ),
    Claim(
        "Going on with ten thousand finished cells",
        "the bar alone",
        "10,000 finished cells: `moo bench` resume scan <= 5 s, memory <= 1 GB",
        "moo.benchmarks.perf.engines:scan",
        quick="1,000 cells, <= .5 s",
    ),
    Claim(
        "Starting the command line, with all that it can do now",
        "CPU seconds of `moo --help` and `moo list`",
        "`moo --help` <= .4 s CPU; no torch import",
        "moo.benchmarks.perf.startup:measure",
        quick="the same",
    ),
    Claim(
        "A report of ten thousand cells",
        "the bar alone",
        "10,000 finished cells (2 objectives, fronts of 100, final hypervolume and IGD+, cold file cache aside): "
        "`moo report` <= 20 s, memory <= 1 GB",
        "moo.benchmarks.perf.reports:large_report",
        quick="1,000 cells, <= 8 s",
    ),
    Claim(
        "Tables for LaTeX",
        "pdflatex where it is installed; a parser",
        "LaTeX tables compile with booktabs alone (tested where TeX is installable in CI, else by a parser)",
        "moo.benchmarks.perf.reports:latex_tables",
        quick="the same",
    ),
    Claim(
        "Plots for papers",
        "the bar alone",
        "every plot kind: opens, fonts embedded as type 42, same bytes twice, no text overlap at the stated widths",
        "moo.benchmarks.perf.plots:measure",
        quick="in one style",
    ),
    Claim(
        "An interactive page of a front",
        "the bar alone",
        "explorer with 5,000 points x 10 objectives x 10 variables: interactive under 2 s in headless Chromium on this "
        "class of machine; page <= 6 MB",
        "moo.benchmarks.perf.explorer:measure",
        quick="opened three times, not nine",
    ),
)
