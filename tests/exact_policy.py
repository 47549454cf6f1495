"""The policy that samples a law exactly, made from the law itself: an oracle for losses and laws."""

import torch

from moo.gflow.exact import state_graph


def skewed(state, mask):
    """A backward policy that is not uniform: actions weigh by their number and the state's sum."""
    weights = mask * (1 + torch.arange(mask.shape[1]) + state.sum(dim=1, keepdim=True) % 3)
    return weights / weights.sum(dim=1, keepdim=True)


def exact_policy(problem, log_reward, backward=None):
    """Tables of an exactly balanced flow of a problem whose features tell all states apart.

    Args:
        problem: With an enumerable oracle.
        log_reward: Of each of the oracle's cells `[cells]`.
        backward: From features of a state `[s, f]` and its backward mask `[s, a]` to probabilities `[s, a]`; None:
            uniform.

    Returns:
        flow, forward, backward: functions of states `[n, ...]`: log flow `[n]`, log P_F and log P_B `[n, a]`.
    """
    backward = backward or (lambda state, mask: mask / mask.sum(dim=1, keepdim=True))
    states = {}  # by its row: the state
    layers, state = [], problem.start(1)
    while len(state):
        layers.append(state)
        mask = problem.action_mask(state)
        row, action = torch.nonzero(mask, as_tuple=True)
        moved, done = problem.step(state[row], action)
        states |= {tuple(s): s for s in [*state.tolist(), *moved.tolist()]}
        state = moved[~done].unique(dim=0)
    assert state_graph(problem)
    log_flow, log_forward = {}, {}
    for layer in reversed(layers):
        for one in layer.tolist():
            here = torch.tensor([one])
            actions = torch.nonzero(problem.action_mask(here)[0]).flatten()
            moved, done = problem.step(here.repeat(len(actions), 1), actions)
            shares = backward(moved, problem.backward_mask(moved).double())
            values = []
            for action, to, end, share in zip(actions.tolist(), moved, done.tolist(), shares, strict=True):
                flow = log_reward[problem.oracle.index(to[None])[0]] if end else log_flow[tuple(to.tolist())]
                if end:
                    log_flow[tuple(to.tolist())] = flow
                values.append(flow + share[action].log())
            total = torch.stack(values).logsumexp(dim=0)
            log_flow[tuple(one)] = total
            row = torch.full((problem.num_actions,), -torch.inf, dtype=torch.float64)
            row[actions] = torch.stack(values) - total
            log_forward[tuple(one)] = row

    def flow(state):
        return torch.stack([log_flow[tuple(row)] for row in state.tolist()])

    def forward(state):
        return torch.stack([log_forward[tuple(row)] for row in state.tolist()])

    def back(state):
        return backward(state, problem.backward_mask(state).double()).log()

    return flow, forward, back
