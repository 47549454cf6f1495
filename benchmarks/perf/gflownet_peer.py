"""torchgfn's side of `gflownet.py`, run by an interpreter that has torchgfn; ours cannot, for torchgfn needs numpy < 2.

A program that answers lines of JSON with lines of JSON. Nothing of `moo` is imported.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

TRIALS, TRIAL = 4, 0.2  # rounds and seconds in which the faster of two modules is found


def rate(run: Callable[[], int], seconds: float, device: str) -> float:
    """Transitions per second of `run`, which says how many it made: of CPU time, on a GPU of the clock's.

    As in `timeit`, the garbage collector waits: it costs by what else the process holds.
    """
    clock = time.process_time if device == "cpu" else time.perf_counter
    run()
    gc.collect()
    gc.disable()
    try:
        made, start = 0, clock()
        while True:
            made += run()  # a number in Python: a GPU has finished by then
            elapsed = clock() - start
            if elapsed >= seconds:
                return made / elapsed
    finally:
        gc.enable()


class Embedded(nn.Module):
    """The same perceptron with its first layer as a sum of vectors, as ours has it: no products with zeros."""

    def __init__(self, table: Tensor, bias: Tensor, height: int, dim: int, rest: nn.Module) -> None:
        super().__init__()
        self.input_dim, self.output_dim = dim, dim + 1
        self.table, self.bias, self.rest = nn.Parameter(table), nn.Parameter(bias), rest
        self.offsets: Tensor
        self.register_buffer("offsets", torch.arange(dim) * height)

    def forward(self, states: Tensor) -> Tensor:
        """Logits `[n, dim + 1]` of coordinates `[n, dim]`."""
        first = nn.functional.embedding_bag(states + self.offsets, self.table, mode="sum") + self.bias
        found: Tensor = self.rest(first)
        return found


class Torchgfn:
    """The HyperGrid of torchgfn, its sampler and its trajectory balance, without any checks, for given weights.

    Args:
        dim, height, batch, device: Of the case.
        weights: Of the perceptron: `table [dim * height, hidden]`, `bias`, then `weight0`, `bias0`, `weight1`, ...
    """

    def __init__(self, dim: int, height: int, batch: int, device: str, weights: dict[str, Tensor]) -> None:
        grids, estimators, preprocessors = gfn("gym"), gfn("estimators"), gfn("preprocessors")
        torch.distributions.Distribution.set_default_validate_args(False)
        torch.manual_seed(0)
        self.batch, self.device = batch, device
        self.env = grids.HyperGrid(
            ndim=dim, height=height, device=torch.device(device), debug=False, validate_modes=False
        )
        net, rest = perceptron(weights), perceptron(weights)
        rest = nn.Sequential(rest.trunk[1:], rest.last_layer)
        embedded = Embedded(weights["table"].clone(), weights["bias"].clone(), height, dim, rest)
        estimator, actions = estimators.DiscretePolicyEstimator, self.env.n_actions
        plain = preprocessors.IdentityPreprocessor(dim)
        self.backward = estimator.uniform(actions, preprocessor=plain)
        self.modules = {
            "one-hot": estimator(net, actions, preprocessor=preprocessors.KHotPreprocessor(height, dim)).to(device),
            "embedded": estimator(embedded, actions, preprocessor=plain).to(device),
        }
        speeds = dict.fromkeys(self.modules, 0.0)
        for _ in range(TRIALS):
            for name in self.modules:
                self.use(name)
                speeds[name] += rate(self.sample, TRIAL, device)
        self.use(max(speeds, key=lambda name: speeds[name]))

    def use(self, module: str) -> None:
        """Sample and learn with one of the modules."""
        self.module, forward = module, self.modules[module]
        self.sampler = gfn("samplers").Sampler(estimator=forward)
        self.learner = gfn("gflownet").TBGFlowNet(pf=forward, pb=self.backward, init_logZ=0.0).to(self.device)
        self.adam = torch.optim.Adam(self.learner.pf_pb_parameters(), lr=0.0, fused=True)
        self.adam.add_param_group({"params": self.learner.logz_parameters()})

    def trajectories(self) -> Any:
        """A batch of them, with nothing saved beside."""
        return self.sampler.sample_trajectories(
            self.env, n=self.batch, save_logprobs=False, save_estimator_outputs=False
        )

    def sample(self) -> int:
        """Transitions of one batch."""
        with torch.inference_mode():
            return int(self.trajectories().terminating_idx.sum())

    def train(self) -> int:
        """Transitions of one iteration: a batch, its trajectory balance, a step of Adam.

        Sampling without gradients and computing the log probabilities anew is the faster of the ways that torchgfn has.
        """
        with torch.no_grad():
            found = self.trajectories()
        self.adam.zero_grad()
        loss = self.learner.loss_from_trajectories(self.env, found, recalculate_all_logprobs=False)
        loss.backward()
        self.adam.step()
        return int(found.terminating_idx.sum())

    @torch.no_grad()
    def logits(self, states: Tensor) -> Tensor:
        """What the module in use says of states `[n, dim]`, and minus infinity where an action is not legal."""
        wrapped = self.env.states_from_tensor(states.to(self.device))
        found: Tensor = self.modules[self.module](wrapped)
        return found.masked_fill(~wrapped.forward_masks, -torch.inf).cpu()

    @torch.inference_mode()
    def drawn(self, batches: int) -> tuple[Tensor, Tensor]:
        """Objects `[n, dim]` of so many batches, and the transitions of each."""
        found = [self.trajectories() for _ in range(batches)]
        objects = torch.cat([one.terminating_states.tensor for one in found])
        return objects.cpu(), torch.cat([one.terminating_idx for one in found]).cpu()


def gfn(name: str) -> Any:
    """A module of torchgfn, which the checks of our own code do not know."""
    return importlib.import_module(f"gfn.{name}")


def perceptron(weights: dict[str, Tensor]) -> Any:
    """torchgfn's perceptron with these weights."""
    layers = sum(name.startswith("weight") for name in weights)
    table, last = weights["table"], weights[f"weight{layers - 1}"]
    size = {"hidden_dim": table.shape[1], "n_hidden_layers": layers}
    net = gfn("utils.modules").MLP(len(table), len(last), activation_fn="leaky_relu", **size)
    linear = [module for module in [*net.trunk, net.last_layer] if isinstance(module, nn.Linear)]
    with torch.no_grad():
        linear[0].weight.copy_(table.T)
        linear[0].bias.copy_(weights["bias"])
        for number, layer in enumerate(linear[1:]):
            layer.weight.copy_(weights[f"weight{number}"])
            layer.bias.copy_(weights[f"bias{number}"])
    return net


def main() -> None:
    """Answer until the other side hangs up."""
    from importlib.metadata import version

    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no answer
    torch.set_num_threads(1)
    peer: Any = None
    for line in sys.stdin:
        ask = json.loads(line)
        answer: dict[str, Any] = {}
        if ask["do"] == "start":
            weights = {name: torch.from_numpy(values) for name, values in np.load(ask["weights"]).items()}
            peer = Torchgfn(ask["dim"], ask["height"], ask["batch"], ask["device"], weights)
            versions = {name: version(name) for name in ("torchgfn", "torch", "numpy")}
            answer = {"module": peer.module, "versions": versions}
        elif ask["do"] == "logits":
            np.save(ask["out"], peer.logits(torch.from_numpy(np.load(ask["states"]))).numpy())
        elif ask["do"] == "draw":
            objects, lengths = peer.drawn(ask["batches"])
            np.savez(ask["out"], objects=objects.numpy(), lengths=lengths.numpy())
        else:
            run = {"sample": peer.sample, "train": peer.train}[ask["do"]]
            answer = {"rate": rate(run, ask["seconds"], ask["device"])}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
