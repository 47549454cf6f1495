"""How fast the native environments step, beside MO-Gymnasium's own, and stacked policies train, beside a loop.

`python -m moo.benchmarks.perf.environments` prints all cases. MO-Gymnasium comes with the extra `control`; it is
stepped one copy at a time, as it offers, without rendering. `python -m moo.benchmarks.perf.environments control` prints
how fast simulated bodies are stepped through the adapter, beside a plain loop and Gymnasium's own processes.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from moo.benchmarks.claims import Measurement
from moo.problems import get_problem
from moo.rl.policies import StackedMLP, clip_each
from moo.search import one_thread
from moo.seeding import torch_generator

COPIES = 4096
ROUNDS = 5
SEED = 1000
BARS = {  # million steps per second
    "deep-sea-treasure": 5.0,
    "fruit-tree": 3.0,
    "resource-gathering": 3.0,
    "minecart": 0.3,
    "minecart-deterministic": 0.3,
    "four-room": None,
}
SHAPES = ((6, 8), (6, 64), (32, 8), (32, 64), (6, 512), (32, 512))  # policies, states of each
BARRED = (8, 64)  # states for which there is a bar


class Speed(NamedTuple):
    """Millions of steps per second, medians over rounds, and the worst round of ours."""

    name: str
    ours: float
    worst: float
    original: float | None


def ours_per_second(name: str, steps: int) -> float:
    """Steps per second of 4,096 copies with random actions; copies that have ended begin anew."""
    problem: Any = get_problem(name)
    stream = torch_generator(SEED, "actions")
    actions = torch.randint(int(problem.action_space.size), (steps, COPIES), generator=stream)
    fresh = problem.reset(COPIES, stream)
    state = fresh
    start = time.process_time()
    for row in actions:
        state, _, terminated, truncated = problem.step(state, row, stream)
        state = torch.where((terminated | truncated)[:, None], fresh, state)
    return steps * COPIES / (time.process_time() - start)


def original_per_second(name: str, steps: int) -> float | None:
    """Steps per second of one copy of MO-Gymnasium's, resets included; None where it is not installed."""
    if importlib.util.find_spec("mo_gymnasium") is None:
        return None
    module: Any = importlib.import_module("mo_gymnasium")
    env: Any = module.make(f"{name}-v0")
    env.reset(seed=SEED)
    actions = torch.randint(int(env.action_space.n), (steps,), generator=torch_generator(SEED, "actions")).tolist()
    start = time.process_time()
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    return steps / (time.process_time() - start)


def speeds(*, quick: bool) -> list[Speed]:
    """Every environment, ours and the original in turn, on one thread."""
    found = []
    with one_thread():
        for name in BARS:
            steps = 20 if "minecart" in name else 200
            ours_per_second(name, 3)
            pairs = [
                (ours_per_second(name, steps), original_per_second(name, 2_000 if quick else 10_000))
                for _ in range(2 if quick else ROUNDS)
            ]
            theirs = [other for _, other in pairs if other is not None]
            mine = [own / 1e6 for own, _ in pairs]
            original = statistics.median(theirs) / 1e6 if theirs else None
            found.append(Speed(name, statistics.median(mine), min(mine), original))
    return found


def environment_speed(*, quick: bool) -> Measurement:
    """The claim on native environments."""
    found = speeds(quick=quick)
    short = [f"{x.name}: {x.ours:.2f}M" for x in found if BARS[x.name] is not None and x.ours < (BARS[x.name] or 0)]

    def words(x: Speed) -> str:
        beside = f" ({x.ours / x.original:.0f}x MO-Gymnasium's {1e3 * x.original:.0f}k)" if x.original else ""
        return f"{x.name} {x.ours:.2f}M{beside}"

    return Measurement(
        met=not short,
        median=", ".join(words(x) for x in found),
        worst=", ".join(f"{x.name} {x.worst:.2f}M" for x in found),
        seeds=[SEED],
        shortfall="; ".join(short),
        details={"million_steps_per_second": [x._asdict() for x in found]},
    )


# --------------------------------------------------------------------------------------------------- training
class Loop:
    """The same networks apart: a module, an optimiser and a gradient step each."""

    def __init__(self, stacked: StackedMLP) -> None:
        self.nets: list[Any] = []
        self.optimisers = []
        for policy in range(len(stacked.weights[0])):
            layers: list[nn.Module] = []
            for weight, bias in zip(stacked.weights, stacked.biases, strict=True):
                layer = nn.Linear(*weight.shape[1:])
                with torch.no_grad():
                    layer.weight.copy_(weight[policy].T)
                    layer.bias.copy_(bias[policy, 0])
                layers += [layer, nn.Tanh()]
            self.nets.append(nn.Sequential(*layers[:-1]))
            self.optimisers.append(torch.optim.Adam(self.nets[-1].parameters(), lr=1e-3))

    def step(self, inputs: Tensor, targets: Tensor) -> None:
        """One gradient step of every policy."""
        for net, adam, x, y in zip(self.nets, self.optimisers, inputs, targets, strict=True):
            adam.zero_grad()
            (net(x) - y).square().mean().backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            adam.step()


class Stack:
    """All of them as one batch."""

    def __init__(self, stacked: StackedMLP) -> None:
        self.net = stacked
        self.parameters = list(stacked.parameters())
        self.adam = torch.optim.Adam(self.parameters, lr=1e-3)

    def step(self, inputs: Tensor, targets: Tensor) -> None:
        """One gradient step of every policy."""
        self.adam.zero_grad()
        (self.net(inputs) - targets).square().mean(dim=(1, 2)).sum().backward()
        clip_each(self.parameters, 0.5)
        self.adam.step()


def training_ratios(policies: int, states: int, rounds: int) -> list[float]:
    """The loop's CPU time for a gradient step over the stack's, in pairs; both must reach the same weights.

    Raises:
        RuntimeError: They do not.
    """
    stream = torch_generator(SEED, "networks")
    stacked = StackedMLP(policies, [8, 64, 64, 4], 1.0, stream)
    inputs, targets = torch.randn(policies, states, 8, generator=stream), torch.randn(policies, states, 4)
    loop, stack = Loop(stacked), Stack(stacked)
    for way in (loop, stack):
        for _ in range(3):
            way.step(inputs, targets)
    apart = torch.stack([net[0].weight.T for net in loop.nets])
    if not torch.allclose(apart, stacked.weights[0], atol=1e-4):
        raise RuntimeError(f"Trained apart, {policies} policies differ from the stack.")

    def seconds(step: Callable[[Tensor, Tensor], None], times: int) -> float:
        start = time.process_time()
        for _ in range(times):
            step(inputs, targets)
        return (time.process_time() - start) / times

    times = max(5, 4000 // (policies * states // 8))
    return [seconds(loop.step, times) / seconds(stack.step, times) for _ in range(rounds)]


def training_speed(*, quick: bool) -> Measurement:
    """The claim on stacked policies."""
    with one_thread():
        found = {shape: training_ratios(*shape, 3 if quick else ROUNDS) for shape in SHAPES}
    medians = {shape: statistics.median(ratios) for shape, ratios in found.items()}
    short = [f"{p} x {b}: {medians[p, b]:.2f}x" for p, b in SHAPES if b in BARRED and medians[p, b] < 3]
    return Measurement(
        met=not short,
        median=", ".join(f"{p} policies x {b} states {ratio:.1f}x" for (p, b), ratio in medians.items()),
        worst=", ".join(f"{p} x {b} {min(ratios):.1f}x" for (p, b), ratios in found.items()),
        seeds=[SEED],
        shortfall="; ".join(short),
        details={"ratios": [{"policies": p, "states": b, "ratios": found[p, b]} for p, b in SHAPES]},
    )


# --------------------------------------------------------------------------------------------------- simulated bodies
BODY = "mo-hopper-2obj-v5"
BODIES = 16


def adapter_per_second(workers: int, copies: int, steps: int) -> float:
    """Steps per second of wall clock through the adapter, with observations; copies that have ended begin anew."""
    problem: Any = get_problem(BODY, workers=workers)
    stream = torch_generator(SEED, "actions")
    state, low, high = problem.reset(copies, stream), problem.action_space.lower, problem.action_space.upper
    problem.observe(state)
    start = time.perf_counter()
    for _ in range(steps):
        actions = low + (high - low) * torch.rand(copies, len(low), generator=stream)
        state, _, terminated, truncated = problem.step(state, actions)
        ended = terminated | truncated
        if ended.any():
            state = torch.where(ended[:, None], problem.reset(copies, stream), state)
        problem.observe(state)
    seconds = time.perf_counter() - start
    problem.close()
    return copies * steps / seconds


def loop_per_second(copies: int, steps: int) -> float:
    """The same by a loop over MO-Gymnasium's environments."""
    module: Any = importlib.import_module("mo_gymnasium")
    envs: list[Any] = [module.make(BODY) for _ in range(copies)]
    for number, env in enumerate(envs):
        env.reset(seed=SEED + number)
        env.action_space.seed(SEED + number)
    start = time.perf_counter()
    for _ in range(steps):
        for env in envs:
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                env.reset()
    return copies * steps / (time.perf_counter() - start)


def asynchronous_per_second(copies: int, steps: int) -> float:
    """The same by Gymnasium's processes, one for each copy; rewards are weighed there, since it takes no vectors."""
    module: Any = importlib.import_module("mo_gymnasium")
    vector: Any = importlib.import_module("gymnasium").vector
    wrapped: Any = importlib.import_module("mo_gymnasium.wrappers").LinearReward
    envs = vector.AsyncVectorEnv([lambda: wrapped(module.make(BODY)) for _ in range(copies)])
    envs.reset(seed=SEED)
    envs.action_space.seed(SEED)
    envs.step(envs.action_space.sample())
    start = time.perf_counter()
    for _ in range(steps):
        envs.step(envs.action_space.sample())
    seconds = time.perf_counter() - start
    envs.close()
    return copies * steps / seconds


def control_speeds(*, quick: bool) -> dict[str, float]:
    """Steps of `BODY` per second, `BODIES` copies, by wall clock: medians over rounds, all ways in turn."""
    steps = 5 if quick else 250
    ways: dict[str, Callable[[], float]] = {
        "a loop over environments": lambda: loop_per_second(BODIES, steps),
        "Gymnasium's AsyncVectorEnv, weighed rewards": lambda: asynchronous_per_second(BODIES, steps),
        "ours, in this process": lambda: adapter_per_second(0, BODIES, steps),
        "ours, 1 process": lambda: adapter_per_second(1, BODIES, steps),
        "ours, 2 processes": lambda: adapter_per_second(2, BODIES, steps),
    }
    with one_thread():
        found = [{way: measure() for way, measure in ways.items()} for _ in range(1 if quick else ROUNDS)]
    return {way: statistics.median(each[way] for each in found) for way in ways}


if __name__ == "__main__":
    if sys.argv[1:] == ["control"]:
        for way, speed in control_speeds(quick=False).items():
            print(f"{way}: {speed:.0f} steps a second")
    else:
        for claim in (environment_speed, training_speed):
            measured = claim(quick=False)
            print(measured.median, measured.verdict, sep="\n")
