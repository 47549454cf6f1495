"""Policies that write: language models side by side, as a sweep has them, and the texts that they write as episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from moo.base import Candidates
from moo.metered import MeteredText
from moo.rl.episodes import Episodes
from moo.rl.language import LanguageModel
from moo.rl.policies import Law, StackedMLP

OWN = "parameters.actor."  # columns of candidates that hold a policy's weights


class Writers(nn.Module):
    """Policies that are copies or adapters of one language model, with linear value heads on what it makes of a text.

    Gradients of the value heads do not flow into the model.

    Args:
        model: The language model.
        policies: How many, p.
        values: Columns of the value heads.
        stream: Of the value heads' first weights.

    Attributes:
        actor: The trained weights by name, each `[p, ...]`.
        scale: What the value heads' outputs are multiplied by, `[p, 1, values]`.
    """

    def __init__(self, model: LanguageModel, policies: int, values: int, stream: torch.Generator) -> None:
        super().__init__()
        self.policies, self.model = policies, model
        self.actor = nn.ParameterDict({name: nn.Parameter(part) for name, part in model.first(policies).items()})
        self.critic = StackedMLP(policies, [model.features, values], 1.0, stream)
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(policies, 1, values))

    @property
    def portions(self) -> list[slice]:
        """Policies that learn at a time: one, so that memory need not hold the laws of all."""
        return [slice(i, i + 1) for i in range(self.policies)]

    def law_at(self, episodes: Episodes, weights: Mapping[str, Tensor]) -> Law:
        """The laws of policies with weights `[p, ...]` at all steps of as many policies' texts, `[p, c T, size]`."""
        return Law(self.model.read(weights, episodes.inputs, episodes.actions)[0].flatten(1, 2), None)

    @torch.no_grad()
    def seen(self, episodes: Episodes) -> Tensor:
        """What value heads read of all steps, `[p, c T, f]`: of one policy after the other, as they are now."""
        parts = []
        for which in self.portions:
            part = episodes.of(which)
            parts.append(self.model.read(self.weights(which), part.inputs, part.actions)[1].flatten(1, 2))
        return torch.cat(parts)

    def weights(self, which: slice) -> dict[str, Tensor]:
        """The trained weights of some policies."""
        return {name: part[which] for name, part in self.actor.items()}

    def values(self, seen: Tensor) -> Tensor:
        """Expected returns `[p, n, values]` from what value heads read."""
        estimates: Tensor = self.critic(seen) * self.scale
        return estimates

    def rescale(self, scale: Tensor) -> None:
        """Change the unit of the value heads' outputs, and keep what they say."""
        with torch.no_grad():
            for parameters in (self.critic.weights, self.critic.biases):
                parameters[-1].mul_(self.scale / scale)
            self.scale.copy_(scale)

    def rows(self, *, actor_alone: bool = False) -> dict[str, Tensor]:
        """Copies of what all policies consist of, by name, each `[p, ...]`."""
        kept = self.state_dict()
        return {name: part.clone() for name, part in kept.items() if not actor_alone or name.startswith("actor.")}

    # ------------------------------------------------------------------------------------------ texts
    def compose(
        self, problem: MeteredText, prompts: int, copies: int, length: int, stream: torch.Generator
    ) -> Episodes:
        """Completions of each policy, and their rewards, which are all that is paid.

        All are drawn, also where the budget affords only the first of them. Every policy completes the same prompts.

        Args:
            problem: The metered problem.
            prompts: Different ones, k.
            copies: Completions of each policy, c; c / k of each prompt, which follow each other.
            length: The most tokens of a completion.
            stream: Of the tokens.

        Raises:
            ValueError: The prompts are too long for the model.
        """
        asked = problem.prompts(prompts)
        contexts = self._contexts(asked)
        actions, before, moves = write(
            self.model, dict(self.actor), contexts.expand(self.policies, -1, -1), copies // prompts, length, stream
        )
        texts = texts_of(self.model, actions, moves)
        asked = [prompt for prompt in asked for _ in range(copies // prompts)] * self.policies
        paid = problem.affordable(len(texts))
        scores, failed = problem.score(asked[:paid], texts[:paid])
        return _rewarded(contexts.expand(self.policies, -1, -1), actions, before, moves, scores, failed, asked, texts)

    def complete(
        self, candidates: Candidates, prompts: Sequence[str], length: int, stream: torch.Generator
    ) -> list[str]:
        """One completion of each prompt by the policy of the same row, whose weights stand in `parameters.*`.

        Rows of one policy that follow each other share its weights.
        """
        _, counts = torch.unique_consecutive(candidates.solutions[:, 0], return_counts=True)
        device, texts, first = self.scale.device, [], 0
        for count in counts.tolist():
            weights = {name: part[first : first + 1].to(device) for name, part in _stored(candidates).items()}
            contexts = self._contexts(prompts[first : first + count])
            actions, _, moves = write(self.model, weights, contexts, 1, length, stream)
            texts += texts_of(self.model, actions, moves)
            first += count
        return texts

    def save(self, candidates: Candidates, row: int, folder: str | Path) -> None:
        """Write the policy of a row of candidates as its library reads it: adapters alone where there are adapters."""
        self.model.save({name: part[row].to(self.scale.device) for name, part in _stored(candidates).items()}, folder)

    def _contexts(self, prompts: Sequence[str]) -> Tensor:
        return self.model.contexts(prompts)[None].to(self.scale.device)


def _stored(candidates: Candidates) -> dict[str, Tensor]:
    """The trained weights that candidates carry, by name."""
    return {name.removeprefix(OWN): part for name, part in candidates.extras.items() if name.startswith(OWN)}


@torch.no_grad()
def write(
    model: LanguageModel,
    weights: Mapping[str, Tensor],
    contexts: Tensor,
    copies: int,
    length: int,
    stream: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw completions, all at once, each from the whole law.

    Args:
        model: What writes.
        weights: Of p policies.
        contexts: `[p, k, P]`.
        copies: Completions of each.
        length: The most tokens.
        stream: Of the tokens.

    Returns:
        Tokens `[p, c, T]`, their log-chances `[p, c, T]`, and which of them belong to the completion, bool
        `[p, c, T]`: those up to the end, its mark included.

    Raises:
        ValueError: Prompts and completions are too long for the model.
    """
    if contexts.shape[2] + length > model.longest:
        raise ValueError(
            f"The longest prompt and `length` should fit in the {model.longest} tokens that the model reads. Found "
            f"{contexts.shape[2]} and {length}: shorten one of them."
        )
    logits, memory = model.begin(weights, contexts, copies)
    moving = torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device)
    actions, before, moves = [], [], []
    for step in range(length):
        law = Law(logits, None)
        drawn = law.draw(stream)
        actions.append(drawn)
        before.append(law.log_chance(drawn))
        moves.append(moving)
        moving = moving & (drawn != model.end)
        if step == length - 1 or not moving.any():
            break
        logits, memory = model.advance(weights, memory, drawn)
    return torch.stack(actions, dim=2), torch.stack(before, dim=2), torch.stack(moves, dim=2)


def texts_of(model: LanguageModel, actions: Tensor, moves: Tensor) -> list[str]:
    """The completions as texts, without what stands behind their ends and without marks, row by row."""
    lengths = moves.sum(dim=2).flatten().tolist()
    rows = actions.flatten(0, 1).tolist()
    kept = (row[:length] for row, length in zip(rows, lengths, strict=True))
    return [model.text(row[:-1] if row[-1] == model.end else row) for row in kept]


def _rewarded(
    contexts: Tensor,
    actions: Tensor,
    before: Tensor,
    moves: Tensor,
    scores: Tensor,
    failed: Tensor,
    prompts: list[str],
    texts: list[str],
) -> Episodes:
    """Episodes whose last steps have the scores `[n, m]` of their texts; those behind the first n were cut."""
    missing = moves.shape[0] * moves.shape[1] - len(scores)
    scores = torch.where(failed[:, None], 0.0, scores)
    scores = torch.cat([scores, scores.new_zeros(missing, scores.shape[1])]).to(actions.device)
    failed = torch.cat([failed, torch.zeros(missing, dtype=torch.bool)]).to(actions.device)
    last = moves & (moves.cumsum(dim=2) == moves.sum(dim=2, keepdim=True))
    return Episodes(
        inputs=contexts,
        masks=None,
        actions=actions,
        before=before,
        moves=moves,
        rewards=last[..., None] * scores.reshape(*moves.shape[:2], 1, -1),
        failed=failed.reshape(moves.shape[:2]),
        cut=(torch.arange(len(failed), device=actions.device) >= len(failed) - missing).reshape(moves.shape[:2]),
        groups=contexts.shape[1],
        prompts=tuple(prompts),
        texts=tuple(texts),
    )
