"""Transitions per second of a GFlowNet on the hypergrid beside torchgfn 2.4.1: the same grid, network and policy.

`python -m moo.benchmarks.perf.gflownet` prints ours, torchgfn's and the ratio of every size; `--device cuda` runs both
on a GPU. torchgfn needs numpy < 2, so the first run makes it an environment of its own in the cache folder (`--peer`
names an interpreter that has it).

A transition is one action, stopping included. torchgfn's grid ends an object only by that and forbids steps off the
grid, ours also ends it at the border: so ours gets torchgfn's rules here. Both take one fixed policy, a perceptron of
3 x 64 on one-hot coordinates, which ours reads as a sum of vectors and torchgfn in the faster of both ways; ours reads
a condition too, always the same, for sampling once. Learning is at a rate of 0, so that the policy stays fixed. That
both say the same of every state, and sample the same objects, is checked first.

torchgfn runs as fast as it goes: no checks, nothing saved beside, sampling in torch's inference mode (for learning,
without gradients), which it does not do by itself. Compiling its module (`try_compile_gflownet`) makes it slower.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from moo.benchmarks.claims import Measurement, machine
from moo.benchmarks.perf.gflownet_peer import rate
from moo.gflow.batches import Batch, flow_loss
from moo.gflow.policies import ConditionalPolicy, Conditions, encode_conditions, logits_for
from moo.gflow.rewards import log_reward
from moo.gflow.trajectories import Logits, Trajectories, follow
from moo.networks import SummedEmbeddings
from moo.problems.hypergrid import HyperGrid
from moo.search import one_thread

TORCHGFN = "2.4.1"
BAR, STRETCH = 4.0, 6.0
SEED = 1000
ROUNDS, SECONDS = 7, 0.6
HIDDEN, LAYERS = 64, 3
CHECKED, DRAWN = 20_000, 20_000  # states and objects that are compared


@dataclass(frozen=True)
class Case:
    """One size.

    Attributes:
        dim, height, batch: Axes, cells along each, trajectories at once.
        lowered: Taken off the logit of stopping: an untrained policy stops after three steps, a trained one after
            dozens.
    """

    dim: int
    height: int
    batch: int
    lowered: float = 0.0

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.dim}D H={self.height}, batch {self.batch}{', long' if self.lowered else ''}"


CASES = (Case(2, 32, 128), Case(2, 32, 128, lowered=3.0), Case(2, 8, 512), Case(4, 32, 512))


class OpenGrid(HyperGrid):
    """The hypergrid by torchgfn's rules: stopping alone ends an object, and steps off the grid are not legal."""

    name = "open-hypergrid"

    def __init__(self, height: int, dim: int) -> None:
        super().__init__(height=height, dim=dim)
        self.max_steps = dim * (height - 1) + 1

    def step(self, state: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        return state.scatter(1, actions[:, None], 1, reduce="add"), actions == self.dim

    def action_mask(self, state: Tensor) -> Tensor:
        return state < self._ends.to(state.device)

    def backward_mask(self, state: Tensor) -> Tensor:
        finished = state[:, -1:] > 0
        return torch.cat([(state[:, :-1] > 0) & ~finished, finished], dim=1)


class Ours:
    """Sampling and learning with the parts that `mogfn` consists of.

    Args:
        case: The size.
        device: Of states and network.
        problem: Another construction problem than the open grid of the case.
    """

    def __init__(self, case: Case, device: str = "cpu", problem: HyperGrid | None = None) -> None:
        self.batch, self.device = case.batch, device
        self.problem = OpenGrid(case.height, case.dim) if problem is None else problem
        stream = torch.Generator().manual_seed(SEED)
        preferences = torch.full((case.batch, 2), 0.5, dtype=torch.float64, device=device)
        beta = torch.ones(case.batch, dtype=torch.float64, device=device)
        self.conditions = Conditions(preferences, beta)
        self.encoded = encode_conditions(self.conditions, 32.0, "scalar", 1)
        self.policy = ConditionalPolicy(
            self.problem.feature_sizes,
            self.problem.num_actions,
            self.encoded.shape[1],
            hidden=HIDDEN,
            layers=LAYERS,
            flow=False,
            backward=False,
            generator=stream,
        )
        self.policy.features = SummedEmbeddings(self.problem.feature_sizes, HIDDEN, stream)  # one-hot and nothing else
        self.policy.to(device)
        with torch.no_grad():
            self._linear()[-1].bias[case.dim] -= case.lowered
        self.adam = torch.optim.Adam(self.policy.parameters(), lr=0.0, fused=True)  # the policy stays what it is
        self.stream = torch.Generator(device=device).manual_seed(SEED)
        self.fixed = logits_for(self.policy, self.problem, self.encoded)

    def _linear(self) -> list[nn.Linear]:
        return [layer for layer in self.policy.body.modules() if isinstance(layer, nn.Linear)]

    def trajectories(self, logits: Logits | None = None) -> Trajectories:
        """A batch of them."""
        return follow(self.problem, self.batch, logits or self.fixed, self.stream, device=self.device)

    def sample(self) -> int:
        """Transitions of one batch."""
        return int(self.trajectories().lengths.sum())

    def train(self) -> int:
        """Transitions of one iteration: a batch, its trajectory balance, a step of Adam."""
        found = self.trajectories(logits_for(self.policy, self.problem, self.encoded))
        objectives = self.problem.evaluate(found.objects.cpu()).to(self.device)
        preferences, beta = self.conditions
        reward = beta * log_reward(objectives, preferences, scalarisation="weighted-sum", floor=1e-4)
        batch = Batch(found, self.conditions, objectives)
        loss = flow_loss("tb", self.policy, self.problem, batch, self.encoded, reward.float(), None).mean()
        self.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        return int(found.lengths.sum())

    def weights(self) -> dict[str, Tensor]:
        """Of the network at the constant condition, as `gflownet_peer.Torchgfn` takes them."""
        with torch.no_grad():
            found = {"table": self.policy.features.table, "bias": self.policy.condition(self.encoded[:1])[0]}
            for number, layer in enumerate(self._linear()):
                found |= {f"weight{number}": layer.weight, f"bias{number}": layer.bias}
            return {name: values.detach().cpu() for name, values in found.items()}

    @torch.no_grad()
    def logits(self, states: Tensor) -> Tensor:
        """What the network says of states `[n, dim]`, and minus infinity where an action is not legal."""
        whole = torch.cat([states, torch.zeros_like(states[:, :1])], dim=1).to(self.device)
        embedded = self.policy.condition(self.encoded[:1]).expand(len(states), -1)
        found = self.policy.outputs(self.problem.features(whole), embedded).logits
        return found.masked_fill(~self.problem.action_mask(whole), -torch.inf).cpu()

    def drawn(self, batches: int) -> tuple[Tensor, Tensor]:
        """Objects `[n, dim]` of so many batches, and the transitions of each."""
        found = [self.trajectories() for _ in range(batches)]
        objects = torch.cat([one.objects[:, :-1] for one in found])
        return objects.cpu(), torch.cat([one.lengths for one in found]).cpu()


# ---------------------------------------------------------------------------------------------------------- the peer
class Peer(AbstractContextManager["Peer"]):
    """torchgfn in a process of its own, with the weights of ours.

    Args:
        python: An interpreter that has torchgfn.
        case, device: The size, and where.
        weights: Of ours.
    """

    def __init__(self, python: Path, case: Case, device: str, weights: Mapping[str, Tensor]) -> None:
        self.device = device
        self._folder = tempfile.TemporaryDirectory()
        self._errors = self._path("errors").open("w+")
        program = Path(__file__).with_name("gflownet_peer.py")
        self._process = subprocess.Popen(
            [str(python), str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        arrays: dict[str, Any] = {name: values.numpy() for name, values in weights.items()}
        np.savez(self._path("weights.npz"), **arrays)
        size = {"dim": case.dim, "height": case.height, "batch": case.batch, "device": device}
        try:
            answer = self._ask("start", weights=str(self._path("weights.npz")), **size)
        except RuntimeError:
            self.__exit__()
            raise
        self.module, self.versions = answer["module"], answer["versions"]

    def _path(self, name: str) -> Path:
        return Path(self._folder.name) / name

    def _ask(self, do: str, **what: Any) -> dict[str, Any]:
        """One question and its answer.

        Raises:
            RuntimeError: The process has ended; with what it said.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **what}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what it said last tells more
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"torchgfn's process ended:\n{self._errors.read()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def rate(self, do: str, seconds: float) -> float:
        """Transitions per second of `"sample"` or `"train"`."""
        return float(self._ask(do, seconds=seconds, device=self.device)["rate"])

    def logits(self, states: Tensor) -> Tensor:
        """As `Ours.logits`."""
        np.save(self._path("states.npy"), states.numpy())
        self._ask("logits", states=str(self._path("states.npy")), out=str(self._path("logits.npy")))
        return torch.from_numpy(np.load(self._path("logits.npy")))

    def drawn(self, batches: int) -> tuple[Tensor, Tensor]:
        """As `Ours.drawn`."""
        self._ask("draw", batches=batches, out=str(self._path("drawn.npz")))
        with np.load(self._path("drawn.npz")) as found:
            return torch.from_numpy(found["objects"]), torch.from_numpy(found["lengths"])

    def __exit__(self, *error: object) -> None:
        self._process.communicate()  # it ends where its questions do
        self._errors.close()
        self._folder.cleanup()


def peer_python(folder: Path | None = None) -> Path:
    """The interpreter of an environment with torchgfn, made on first use, with the version of torch that ours has.

    Args:
        folder: Where environments are kept; None: the user's cache.

    Raises:
        RuntimeError: It could not be made.
    """
    torch_version = torch.__version__.partition("+")[0]
    if folder is None:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moo"
    home = folder / f"torchgfn-{TORCHGFN}-torch-{torch_version}-python-{sys.version_info[0]}.{sys.version_info[1]}"
    python, whole = home / "bin" / "python", home / "whole"
    if not whole.exists():
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(home)],
            [*pip, f"torch=={torch_version}"],
            [*pip, f"torchgfn=={TORCHGFN}", f"torch=={torch_version}", "numpy<2"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"torchgfn could not be installed: {done.stderr.strip()[-500:]}")
        whole.touch()
    return python


# -------------------------------------------------------------------------------------------------------- the figures
def states_of(case: Case) -> Tensor:
    """States `[n, dim]`: all where there are at most `CHECKED`, else so many random ones, corners among them."""
    if case.height**case.dim <= CHECKED:
        axes = [torch.arange(case.height)] * case.dim
        return torch.cartesian_prod(*axes)
    stream = torch.Generator().manual_seed(SEED)
    corners = torch.cartesian_prod(*[torch.tensor([0, case.height - 1])] * case.dim)
    inner = torch.randint(case.height, (CHECKED - len(corners), case.dim), generator=stream)
    return torch.cat([corners, inner])


def check_same(case: Case, first: Any, second: Any) -> None:
    """Whether two sides say the same of states and sample the same objects.

    Args:
        case: The size.
        first, second: With `logits` and `drawn`, as `Ours` has them.

    Raises:
        RuntimeError: Logits or legal actions differ, a side's transitions are not what its objects took, or the means
            of objects or transitions differ by more than five standard errors.
    """
    states = states_of(case)
    one, other = first.logits(states), second.logits(states)
    if not torch.allclose(one, other, rtol=1e-4, atol=1e-5):
        raise RuntimeError(f"{case.name}: the two networks differ by {(one - other).abs().nan_to_num().max():.1e}.")
    means, errors = [], []
    for objects, transitions in (side.drawn(math.ceil(DRAWN / case.batch)) for side in (first, second)):
        if not torch.equal(objects.sum(dim=1) + 1, transitions):
            raise RuntimeError(f"{case.name}: an object's coordinates and one for stopping are not its transitions.")
        figures = torch.cat([objects, transitions[:, None]], dim=1).double()
        means.append(figures.mean(dim=0))
        errors.append(figures.var(dim=0) / len(figures))
    away = (means[0] - means[1]).abs() / (errors[0] + errors[1]).sqrt().clamp(min=1e-12)
    if away.max() > 5:
        raise RuntimeError(f"{case.name}: the means of what is sampled differ by {away.max():.1f} standard errors.")


@dataclass(frozen=True)
class Compared:
    """One size, one kind of work: transitions per second, medians over rounds; `ratio` is round by round.

    Attributes:
        case, work: The size; `"sample"` or `"train"`.
        ours, peer, ratio, worst_ratio: The figures.
        module: Which of torchgfn's modules was the faster.
        device: Where.
    """

    case: str
    work: str
    ours: float
    peer: float
    ratio: float
    worst_ratio: float
    module: str
    device: str


def compare(case: Case, python: Path, device: str, *, rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Compared]:
    """Sampling and learning of one size, ours and torchgfn's in turn, after checking that both do the same."""
    found = []
    with one_thread():
        ours = Ours(case, device)
        with Peer(python, case, device, ours.weights()) as peer:
            check_same(case, ours, peer)
            for work, run in (("sample", ours.sample), ("train", ours.train)):
                pairs = [(rate(run, seconds, device), peer.rate(work, seconds)) for _ in range(rounds)]
                ratios = [own / other for own, other in pairs]
                found.append(
                    Compared(
                        case.name,
                        work,
                        ours=statistics.median(own for own, _ in pairs),
                        peer=statistics.median(other for _, other in pairs),
                        ratio=statistics.median(ratios),
                        worst_ratio=min(ratios),
                        module=peer.module,
                        device=device_name(device),
                    )
                )
    return found


def device_name(device: str) -> str:
    """As people know it."""
    return machine() + ", one thread" if device == "cpu" else torch.cuda.get_device_name(device)


def throughput(*, quick: bool) -> Measurement:
    """The claim: sampling at the first size on the CPU; the other sizes, and learning, stand beside it."""
    try:
        python = peer_python()
    except RuntimeError as error:
        return Measurement(None, "not measured", "not measured", [SEED], str(error))
    found = []
    for case in CASES[:1] if quick else CASES:
        found += compare(case, python, "cpu", rounds=3 if quick else ROUNDS)
    if torch.cuda.is_available() and not quick:
        for case in CASES:
            found += compare(case, python, "cuda")
    return verdict(found)


def verdict(found: Sequence[Compared]) -> Measurement:
    """The claim's verdict: that of the first."""
    bar = found[0]
    return Measurement(
        met=bar.ratio >= BAR,
        median="; ".join(f"{one.case}, {one.work}: {one.ours:,.0f}/s, {one.ratio:.2f}x torchgfn" for one in found),
        worst="; ".join(f"{one.worst_ratio:.2f}x" for one in found),
        seeds=[SEED],
        shortfall="" if bar.ratio >= BAR else f"{bar.ratio:.2f}x of {BAR:g}x",
        details={"cases": [asdict(one) for one in found]},
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Transitions per second beside torchgfn.")
    parser.add_argument("--device", default="cpu", help="cpu (one thread, CPU time) or cuda (the clock's)")
    parser.add_argument("--peer", type=Path, help="an interpreter with torchgfn; otherwise one is made")
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)), help="numbers of sizes, from 0")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    said = parser.parse_args(arguments)
    python = said.peer or peer_python()
    print(f"on {device_name(said.device)}; torch {torch.__version__}, torchgfn {TORCHGFN}")
    print("a transition is one action, stopping included; both by torchgfn's rules of the grid, with equal weights")
    for number in said.cases:
        for one in compare(CASES[number], python, said.device, rounds=said.rounds):
            wanted = f"   wanted {BAR:g}x, at best {STRETCH:g}x" if number == 0 and one.work == "sample" else ""
            figures = f"ours {one.ours:9,.0f}/s   torchgfn ({one.module}) {one.peer:9,.0f}/s"
            ratios = f"ratio {one.ratio:5.2f}, worst {one.worst_ratio:5.2f}"
            print(f"  {one.case:<26} {one.work:<7} {figures}   {ratios}{wanted}", flush=True)


if __name__ == "__main__":
    main()
