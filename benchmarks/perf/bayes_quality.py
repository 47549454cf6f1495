"""What Bayesian optimization finds in few evaluations, and what a proposal costs, against BoTorch's loop in one run.

`python -m moo.benchmarks.perf.bayes_quality branin-currin noisy` prints the figures of these tasks for seeds 0 and 1;
`TASKS` has the names. Everything is asked and told, in one thread; the hypervolume is that of all noise-free values.
"""

from __future__ import annotations

import functools
import json
import math
import statistics
import sys
import time
from typing import Any, NamedTuple

import torch
from joblib import Parallel, cpu_count, delayed, parallel_config
from torch import Tensor

from moo.asking import optimizer
from moo.base import Evaluation
from moo.benchmarks.claims import Measurement
from moo.benchmarks.suites import parse_method
from moo.indicators.volume import hypervolume
from moo.problems import get_problem
from moo.seeding import torch_generator

EACH = 10  # seeds
FEW = 3  # seeds where one takes the peer a quarter of an hour
PEER = "qlognehvi"  # BoTorch's loop, as its documentation does it, begun with the same Sobol points
PAREGO = "bayesian:acquisition=qlognparego,surrogate=botorch,restarts=10"  # BoTorch's, for many objectives


class Task(NamedTuple):
    """What is searched and how.

    Attributes:
        problem: By name, with options.
        evaluations: In all.
        first: Sobol points among them.
        batch: Points asked for at a time.
        noise: Standard deviation of the noise of each objective, added to what is told; none where empty.
        failing: The share of evaluations that fail, at random.
        reference_point: Beside the problem's own.
    """

    problem: str
    evaluations: int = 50
    first: int = 10
    batch: int = 1
    noise: tuple[float, ...] = ()
    failing: float = 0.0
    reference_point: tuple[float, ...] = ()


TASKS = {
    "branin-currin": Task("branin-currin"),
    "dtlz2": Task("dtlz2:dim=6,num_objectives=2"),
    "vehicle-safety": Task("vehicle-safety"),
    "noisy": Task("branin-currin", 86, 6, 4, (15.19, 0.63)),
    "failing": Task("vehicle-safety", failing=0.2),
    "penicillin": Task("penicillin", 76, 16),
    "car-side-impact": Task("car-side-impact", 76, 16),
    "re33": Task("re33", 70, 10),
    "re37": Task("re37", 70, 10),
    "zdt1": Task("zdt1:dim=20", 120, 20, reference_point=(1.1, 1.1)),
    "zdt2": Task("zdt2:dim=20", 120, 20, reference_point=(1.1, 1.1)),
    "zdt3": Task("zdt3:dim=20", 120, 20, reference_point=(1.1, 1.1)),
    "six objectives": Task("dtlz2:num_objectives=6", 100, 30),
}
BARS = {"branin-currin": 58.1, "dtlz2": 0.34, "vehicle-safety": 244.1}
ENGINEERING = ("penicillin", "car-side-impact", "re33", "re37")
COLUMNS = {"zdt1": -4.5, "zdt2": -4.8, "zdt3": -1.05}  # of the logarithm of what the hypervolume lacks


def figures(name: str, method: str, seed: int) -> dict[str, Any]:
    """Search once: the hypervolume, and CPU seconds of each proposal (asking and telling), the first left out.

    Args:
        name: Of a task.
        method: With options.
        seed: Which.
    """
    torch.set_num_threads(1)
    task = TASKS[name]
    problem: Any = get_problem(task.problem)
    noise, luck = torch_generator(seed, "benchmark noise"), torch_generator(seed, "benchmark failures")
    point = torch.as_tensor(task.reference_point or problem.reference_point, dtype=torch.float64)
    kind, options = parse_method(method)
    settings: dict[str, Any] = {"initial_points": task.first, **options}
    if task.noise and kind == "bayesian":
        settings["noise"] = "learned"  # the meter is not told that the problem is noisy
    asked = optimizer(task.problem, kind, seed=seed, options=settings, device="cpu", reference_point=point)
    true, seconds, used = [], [], 0
    while used < task.evaluations:
        n = task.first if not used else min(task.batch, task.evaluations - used)
        began = time.process_time()
        rows = asked.ask(n)
        asking = time.process_time() - began
        values = _objectives(problem.evaluate(rows.solutions))
        told = values + torch.randn(values.shape, generator=noise, dtype=torch.float64) * torch.tensor(
            task.noise or (0.0,)
        )
        failed = torch.rand(n, generator=luck) < task.failing
        true.append(values[~failed])
        began = time.process_time()
        asked.tell(rows.extras["id"], told, failed=failed)
        seconds.append((asking + time.process_time() - began) / n)
        used += n
    volume = hypervolume(torch.cat(true), point, directions=problem.directions)
    proposals = seconds[2:]  # neither the Sobol points nor the first call of the model
    return {"seed": seed, "hypervolume": float(volume), "seconds": sum(proposals) / len(proposals)}


def _objectives(given: Tensor | Evaluation) -> Tensor:
    return given.objectives if isinstance(given, Evaluation) else given


@functools.cache
def searched(name: str, method: str, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """The figures of each seed; seeds run side by side, one core and one thread each."""
    with parallel_config(backend="loky", inner_max_num_threads=1):
        found: list[dict[str, Any]] = Parallel(n_jobs=min(cpu_count(), len(seeds)))(
            delayed(figures)(name, method, seed) for seed in seeds
        )
    return found


# --------------------------------------------------------------------------------------------------- claims
def _seeds(quick: bool) -> tuple[int, ...]:
    return tuple(range(1000, 1000 + (1 if quick else EACH)))


def volumes(*, quick: bool) -> Measurement:
    """The hypervolume of three problems, and the difference to BoTorch's loop, seed by seed."""
    middle, worst, short, runs = [], [], [], {}
    for name, bar in BARS.items():
        ours, theirs = (searched(name, method, _seeds(quick)) for method in ("bayesian", PEER))
        found, peers = ([run["hypervolume"] for run in runs_] for runs_ in (ours, theirs))
        median = statistics.median(found)
        absolute = [a - b for a, b in zip(found, peers, strict=True)]
        relative = [100 * (a - b) / b for a, b in zip(found, peers, strict=True) if b > 0]
        paired = statistics.median(absolute) if name == "dtlz2" else statistics.median(relative)
        least, unit = (-0.01, "") if name == "dtlz2" else (-0.1, " %")
        beside = f"BoTorch {statistics.median(peers):.5g}; median paired difference {paired:+.3g}{unit}"
        middle.append(f"{name} {median:.5g} ({beside})")
        worst.append(f"{name} {min(found):.5g}")
        if median < bar:
            short.append(f"{name}: {bar - median:.3g}")
        if paired < least:
            short.append(f"{name}: paired difference {paired:.3g}{unit}")
        runs[name] = {"bayesian": ours, PEER: theirs}
    return Measurement(
        not short, "; ".join(middle), "; ".join(worst), list(_seeds(quick)), "; ".join(short), {"runs": runs}
    )


def cost(*, quick: bool) -> Measurement:
    """CPU seconds of a proposal, and BoTorch's in the same run."""
    middle, worst, short = [], [], []
    for name in BARS:
        ours, theirs = (
            [run["seconds"] for run in searched(name, method, _seeds(quick))] for method in ("bayesian", PEER)
        )
        ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
        ratio = statistics.median(ratios)
        middle.append(
            f"{name} {statistics.median(ours):.3f} s, BoTorch {statistics.median(theirs):.2f} s, {ratio:.0f}x"
        )
        worst.append(f"{name} {max(ours):.3f} s, {min(ratios):.0f}x")
        if ratio < 10:
            short.append(f"{name}: {ratio:.1f}x")
    return Measurement(not short, "; ".join(middle), "; ".join(worst), list(_seeds(quick)), "; ".join(short))


def noisy(*, quick: bool) -> Measurement:
    """Noise-free hypervolume of all points evaluated under noise, in batches of four."""
    runs = searched("noisy", "bayesian", _seeds(quick))
    found = [run["hypervolume"] for run in runs]
    median = statistics.median(found)
    return Measurement(
        median >= 57.5,
        f"{median:.2f} ({statistics.median(run['seconds'] for run in runs):.2f} CPU seconds a proposal)",
        f"{min(found):.2f}",
        list(_seeds(quick)),
        "" if median >= 57.5 else f"{57.5 - median:.2f}",
        {"runs": runs},
    )


def failing(*, quick: bool) -> Measurement:
    """A fifth of the evaluations failing, against none."""
    runs, clean = (searched(name, "bayesian", _seeds(quick)) for name in ("failing", "vehicle-safety"))
    shares = [a["hypervolume"] / b["hypervolume"] for a, b in zip(runs, clean, strict=True)]
    median = statistics.median(shares)
    return Measurement(
        median >= 0.97,
        f"{median:.3f} of the clean hypervolume",
        f"{min(shares):.3f}",
        list(_seeds(quick)),
        "" if median >= 0.97 else f"{0.97 - median:.3f}",
        {"runs": runs},
    )


def engineering(*, quick: bool) -> Measurement:  # noqa: ARG001
    """Four problems of engineering: hypervolume and cost beside BoTorch's loop."""
    seeds, middle, worst, short, runs = tuple(range(1000, 1000 + FEW)), [], [], [], {}
    for name in ENGINEERING:
        ours, theirs = (searched(name, method, seeds) for method in ("bayesian", PEER))
        found, peers = ([run["hypervolume"] for run in runs_] for runs_ in (ours, theirs))
        ratios = [b["seconds"] / a["seconds"] for a, b in zip(ours, theirs, strict=True)]
        ratio, gap = statistics.median(ratios), statistics.median(found) - statistics.median(peers)
        middle.append(
            f"{name} {statistics.median(found):.6g} (BoTorch {statistics.median(peers):.6g}), {ratio:.0f}x less CPU"
        )
        worst.append(f"{name} {min(found):.6g} (BoTorch {min(peers):.6g}), {min(ratios):.0f}x")
        short += [f"{name}: {-gap:.3g}"] * (gap < 0) + [f"{name}: {ratio:.1f}x"] * (ratio < 5)
        runs[name] = {"bayesian": ours, PEER: theirs}
    return Measurement(not short, "; ".join(middle), "; ".join(worst), list(seeds), "; ".join(short), {"runs": runs})


def twenty_columns(*, quick: bool) -> Measurement:
    """The logarithm of what the hypervolume lacks of that of pymoo's 100 points, on ZDT with twenty columns."""
    from pymoo.problems import get_problem as pymoo_problem

    middle, worst, short, runs = [], [], [], {}
    for name, bar in COLUMNS.items():
        front = torch.as_tensor(pymoo_problem(name).pareto_front())
        assert len(front) == 100
        most = float(hypervolume(front, TASKS[name].reference_point, directions="min"))
        runs[name] = searched(name, "bayesian", _seeds(quick))
        gaps = [most - run["hypervolume"] for run in runs[name]]
        logarithms = [math.log(gap) if gap > 0 else -math.inf for gap in gaps]
        median = statistics.median(logarithms)
        middle.append(f"{name} {median:.2f} ({statistics.median(run['seconds'] for run in runs[name]):.2f} s)")
        worst.append(f"{name} {max(logarithms):.2f}")
        short += [f"{name}: {median - bar:.2f}"] * (median > bar)
    return Measurement(
        not short, "; ".join(middle), "; ".join(worst), list(_seeds(quick)), "; ".join(short), {"runs": runs}
    )


def six_objectives(*, quick: bool) -> Measurement:  # noqa: ARG001
    """DTLZ2 with six objectives: hypervolume beside BoTorch's qLogNParEGO, and cost."""
    seeds = tuple(range(1000, 1000 + FEW))
    ours, theirs = (searched("six objectives", method, seeds) for method in ("bayesian", PAREGO))
    found, peers = ([run["hypervolume"] for run in runs] for runs in (ours, theirs))
    seconds, their_seconds = (statistics.median(run["seconds"] for run in runs) for runs in (ours, theirs))
    gap = statistics.median(found) - statistics.median(peers)
    short = [f"hypervolume: {-gap:.3g}"] * (gap < 0) + [f"seconds: {seconds - 1:.2f}"] * (seconds > 1)
    return Measurement(
        not short,
        f"{statistics.median(found):.4g} (qLogNParEGO {statistics.median(peers):.4g}), {seconds:.2f} s a proposal "
        f"(qLogNParEGO {their_seconds:.2f} s)",
        f"{min(found):.4g} (qLogNParEGO {min(peers):.4g}), {max(run['seconds'] for run in ours):.2f} s",
        list(seeds),
        "; ".join(short),
        {"runs": {"bayesian": ours, PAREGO: theirs}},
    )


if __name__ == "__main__":
    for task_name in sys.argv[1:] or TASKS:
        for run in searched(task_name, "bayesian", (0, 1)):
            print(task_name, json.dumps(run))
