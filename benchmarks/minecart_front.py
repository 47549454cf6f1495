"""Make the reference front that ships with the deterministic minecart: a beam search over time, then a local search.

    python -m moo.benchmarks.minecart_front --beam 20000 --folder moo/problems/data

The beam search steps all kept carts with each of the six actions and sorts what comes out into cells of place, speed,
heading and contents. Of a cell the cart with most fuel left is kept, and of each contents a random `beam` of cells.
Carts that come home give action sequences. The local search then tries all single edits of the best sequences and their
mirror images (the map is symmetric), and random pairs of edits, for some rounds. What is best at some discount is
written, so that the stored sequences serve all discounts from .98 to 1. That takes four minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moo.dominance import non_dominated
from moo.indicators import hypervolume
from moo.problems.minecart import ACTIONS, LEFT, RIGHT, MinecartDeterministic, replay

DISCOUNTS = (0.98, 0.99, 1.0)  # with much smaller ones, waiting pays, and the front never ends
HORIZON = 40  # steps of the longest episode
CELL = 0.05  # width of a cell of the beam search: with finer ones fewer places fit into a beam
FASTEST = 0.25  # faster carts are dropped: they cross the map in an action
PAIRS = 1000  # random pairs of edits that are tried of each sequence


def beam_search(gamma: float, beam: int, seed: int) -> Tensor:
    """Action sequences `[n, t]` of the non-dominated episodes found, -1 behind their ends."""
    problem = MinecartDeterministic(gamma)
    generator = torch.Generator().manual_seed(seed)
    state, fuel = problem.reset(1), torch.zeros(1, dtype=torch.float64)
    layers: list[tuple[Tensor, Tensor]] = []  # of each kept cart: the row it came from, and the action
    ended: list[tuple[int, Tensor, Tensor]] = []
    returns: list[Tensor] = []
    for step in range(HORIZON):
        row = torch.arange(len(state)).repeat_interleave(len(ACTIONS))
        action = torch.arange(len(ACTIONS)).repeat(len(state))
        state, rewards, home, _ = problem.step(state[row], action)
        rewards *= gamma**step
        fuel = fuel[row] + rewards[:, 2]
        ended.append((step, row[home], action[home]))
        returns.append(torch.cat([rewards[home, :2], fuel[home, None]], dim=1))
        going = torch.nonzero(~home & (state[:, 2] < FASTEST)).flatten()
        kept = going[thin(state[going], fuel[going], beam, generator)]
        state, fuel = state[kept], fuel[kept]
        layers.append((row[kept], action[kept]))
    best = torch.split(non_dominated(torch.cat(returns)), [len(part) for part in returns])
    return joined([trace(layers, step, row[b], action[b]) for (step, row, action), b in zip(ended, best, strict=True)])


def thin(state: Tensor, fuel: Tensor, beam: int, generator: torch.Generator) -> Tensor:
    """The rows of the carts with most fuel of each cell, those of `beam` random cells of each contents."""
    x, y, speed, heading, ore1, ore2, phase, _ = state.T
    contents = ((20 * ore1).round() * 31 + (20 * ore2).round()).long()
    key = contents
    for column, size in ((x / CELL, 99), (y / CELL, 99), (speed / 0.0075, 99), (heading % 36, 36), (phase, 3)):
        key = key * size + column.round().long()
    order = fuel.argsort(descending=True)
    order = order[key[order].argsort(stable=True)]
    order = order[key[order].diff(prepend=torch.tensor([-1])) != 0]
    order = order[torch.randperm(len(order), generator=generator)]
    order = order[contents[order].argsort(stable=True)]
    first = torch.searchsorted(contents[order], contents[order])
    return order[torch.arange(len(order)) - first < beam]


def trace(layers: Sequence[tuple[Tensor, Tensor]], step: int, row: Tensor, action: Tensor) -> Tensor:
    """The action sequences `[n, t]` that end with an action in a step, from the row of the layer before it."""
    actions = [action]
    for rows, before in reversed(layers[:step]):
        actions.append(before[row])
        row = rows[row]
    return torch.stack(actions[::-1], dim=1)


def joined(parts: Sequence[Tensor]) -> Tensor:
    """Several sets of action sequences as one `[n, t]`, each once."""
    length = max(part.shape[1] for part in parts)
    padded = [torch.nn.functional.pad(part, (0, length - part.shape[1]), value=-1) for part in parts]
    different: Tensor = torch.unique(torch.cat(padded), dim=0)
    return different


def best_of(actions: Tensor) -> Tensor:
    """The sequences that come home and are non-dominated at some discount; of those alike at all of them, one."""
    _, ended = replay(MinecartDeterministic(), actions)
    actions = actions[ended]
    returns = [replay(MinecartDeterministic(gamma), actions)[0] for gamma in DISCOUNTS]
    kept = torch.nonzero(torch.stack([non_dominated(each) for each in returns]).any(dim=0)).flatten()
    alike = torch.cat(returns, dim=1)[kept].numpy().round(9)
    actions = actions[kept[np.sort(np.unique(alike, axis=0, return_index=True)[1])]]
    return actions[:, : int((actions >= 0).sum(dim=1).max())]


def edited(actions: Tensor, places: Tensor, edits: Tensor) -> Tensor:
    """Sequences `[n, t + 1]` after one edit each: an action replaced (0 to 5), put in (6 to 11) or left out (12)."""
    longer = torch.nn.functional.pad(actions, (0, 2), value=-1)
    number = len(ACTIONS)
    columns = torch.arange(actions.shape[1] + 1)
    inserted, removed = (edits >= number) & (edits < 2 * number), edits == 2 * number
    shift = (columns > places[:, None]) & inserted[:, None]
    ahead = (columns >= places[:, None]) & removed[:, None]
    result = longer.gather(1, columns - shift.long() + ahead.long())
    return torch.where((columns == places[:, None]) & ~removed[:, None], edits[:, None] % number, result)


def improve(actions: Tensor, generator: torch.Generator) -> Tensor:
    """One round of local search: the best of the sequences, their mirror images, and what edits make of them."""
    mirrored = torch.where(actions == LEFT, RIGHT, torch.where(actions == RIGHT, LEFT, actions))
    actions = best_of(joined([actions, mirrored]))
    kinds, length = 2 * len(ACTIONS) + 1, actions.shape[1]
    lengths = (actions >= 0).sum(dim=1)
    single = torch.cartesian_prod(torch.arange(len(actions)), torch.arange(length), torch.arange(kinds))
    single = single[single[:, 1] < lengths[single[:, 0]]]
    row, place, edit = single.T
    found = [actions, edited(actions[row], place, edit)]
    row = torch.arange(len(actions)).repeat_interleave(PAIRS)
    several = actions[row]
    for _ in range(2):
        place = (torch.rand(len(row), generator=generator) * lengths[row]).long()
        several = edited(several, place, torch.randint(kinds, (len(row),), generator=generator))
    return best_of(joined([*found, several]))


def search(beam: int, seeds: Sequence[int], rounds: int) -> Tensor:
    """The best action sequences `[n, t]` of all beam searches after `rounds` of local search."""
    parts = [beam_search(gamma, beam, seed) for seed in seeds for gamma in DISCOUNTS]
    actions, generator = best_of(joined(parts)), torch.Generator().manual_seed(seeds[0])
    for _ in range(rounds):
        report(actions)
        actions = improve(actions, generator)
    report(actions)
    return actions


def report(actions: Tensor) -> None:
    """Print how many sequences there are, and the hypervolume at each discount."""
    volumes = []
    for gamma in DISCOUNTS:
        problem = MinecartDeterministic(gamma)
        volumes.append(f"{gamma:g}: {hypervolume(replay(problem, actions)[0], problem.reference_point):.4f}")
    print(f"{len(actions)} sequences; hypervolume {', '.join(volumes)}; {time.process_time():.0f} s", flush=True)


def main() -> None:
    """Read the command line, search, and write what is found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beam", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rounds", type=int, default=20, help="of local search")
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    actions = search(arguments.beam, arguments.seeds, arguments.rounds)
    note = f"moo.benchmarks.minecart_front, beam={arguments.beam}, seeds={arguments.seeds}, rounds={arguments.rounds}"
    np.savez_compressed(
        arguments.folder / "minecart_deterministic.npz",
        actions=actions.numpy().astype(np.int8),
        returns=replay(MinecartDeterministic(), actions)[0].numpy(),
        note=np.array(note),
    )


if __name__ == "__main__":
    main()
