"""Policies that write: completions follow their laws, ends are kept out of texts, only what is paid is scored."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from inputs import ToyText

from moo.base import Candidates
from moo.metered import metered
from moo.rl.language import load_model
from moo.rl.writers import Writers, texts_of, write


class Dice:
    """A model whose law is the same after everything: numbers 0 (the end), 1, 2; texts are the numbers."""

    end, features, longest = 0, 2, 100

    def __init__(self, chances=(0.25, 0.25, 0.5)):
        self.chances = torch.tensor(chances).log()

    def first(self, policies):
        return {"shift": torch.zeros(policies, 3)}

    def contexts(self, prompts):
        return torch.tensor([[len(prompt)] for prompt in prompts])

    def text(self, numbers):
        return "".join(map(str, numbers))

    def _law(self, weights):
        return (self.chances + weights["shift"]).log_softmax(dim=1)

    def read(self, weights, contexts, actions):
        p, c, length = actions.shape
        laws = self._law(weights)[:, None, None].expand(p, c, length, 3)
        return laws, laws[..., :2]

    def begin(self, weights, contexts, copies):
        return self._law(weights)[:, None].expand(-1, contexts.shape[1] * copies, -1), None

    def advance(self, weights, memory, actions):
        return self._law(weights)[:, None].expand(-1, actions.shape[1], -1), None


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def writers(model=None, policies=2, values=2):
    return Writers(model or Dice(), policies, values, stream())


# --------------------------------------------------------------------------------------------------- drawing
def test_tokens_follow_their_law_and_nothing_counts_behind_the_end():
    model = Dice()
    contexts = torch.zeros(1, 1, 1, dtype=torch.int64)
    actions, before, moves = write(model, model.first(1), contexts, 20_000, 4, stream())
    shares = torch.bincount(actions[0, :, 0], minlength=3) / 20_000
    assert torch.allclose(shares, torch.tensor([0.25, 0.25, 0.5]), rtol=0, atol=0.015)
    for row, moving in zip(actions[0, :200].tolist(), moves[0, :200].tolist(), strict=True):
        length = row.index(0) + 1 if 0 in row else 4
        assert moving == [step < length for step in range(4)]
    assert torch.equal(before, model.chances[actions])


def test_drawing_stops_when_all_have_ended():
    model = Dice((1.0, 1e-30, 1e-30))
    actions, _, moves = write(model, model.first(2), torch.zeros(2, 3, 1, dtype=torch.int64), 2, 50, stream())
    assert actions.shape == moves.shape == (2, 6, 1)


def test_texts_hold_neither_the_end_nor_what_stands_behind_it():
    actions = torch.tensor([[[1, 2, 0, 2], [1, 1, 2, 1], [0, 1, 1, 1]]])
    moves = torch.tensor([[[True, True, True, False], [True] * 4, [True, False, False, False]]])
    assert texts_of(Dice(), actions, moves) == ["12", "1121", ""]


def test_what_a_model_cannot_read_is_refused():
    with pytest.raises(ValueError, match=r"should fit in the 100 tokens that the model reads. Found 60 and 41"):
        write(Dice(), Dice().first(1), torch.zeros(1, 1, 60, dtype=torch.int64), 1, 41, stream())


def test_a_character_model_writes_what_its_chances_say():
    model = load_model("characters", hidden=8, layers=1)
    weights = model.first(2)
    contexts = model.contexts(["ab", "c"]).expand(2, -1, -1)
    actions, before, moves = write(model, weights, contexts, 3, 12, stream())
    laws, _ = model.read(weights, contexts, actions)
    found = laws.gather(3, actions[..., None]).squeeze(3)
    assert torch.allclose(found[moves], before[moves], rtol=0, atol=1e-5)
    again = write(model, weights, contexts, 3, 12, stream())
    assert all(torch.equal(a, b) for a, b in zip((actions, before, moves), again, strict=True))
    assert not torch.equal(actions, write(model, weights, contexts, 3, 12, stream(1))[0])


# --------------------------------------------------------------------------------------------------- episodes
def test_each_policy_completes_the_same_prompts_and_the_last_step_has_the_score():
    meter = metered(ToyText(), 1000, 0)
    episodes = writers().compose(meter, 2, 6, 5, stream())
    assert episodes.groups == 2
    assert episodes.inputs.shape == (2, 2, 1)
    assert meter.used == 12
    assert episodes.prompts[:6] == episodes.prompts[6:]
    assert episodes.prompts[:3] == (episodes.prompts[0],) * 3
    scores = ToyText().score(episodes.prompts, episodes.texts).reshape(2, 6, 2)
    assert torch.equal(episodes.returns, scores)
    for p, c in np.ndindex(2, 6):
        last = int(episodes.moves[p, c].sum()) - 1
        assert torch.equal(episodes.rewards[p, c, last], scores[p, c])
        assert (episodes.rewards[p, c].abs().sum(dim=1) > 0).sum() <= 1


class Counting(ToyText):
    def __init__(self, bad=""):
        super().__init__()
        self.seen, self.bad = [], bad

    def score(self, prompts, completions):
        self.seen += completions
        scores = super().score(prompts, completions)
        wrong = torch.tensor([text == self.bad for text in completions])
        return torch.where(wrong[:, None], float("nan"), scores)


def test_only_what_the_budget_affords_is_scored_and_the_rest_is_cut():
    problem = Counting()
    whole = writers().compose(metered(ToyText(), 1000, 0), 2, 6, 5, stream())
    meter = metered(problem, 7, 0)
    cut = writers().compose(meter, 2, 6, 5, stream())
    assert meter.used == 7
    assert meter.trimmed
    assert problem.seen == list(whole.texts[:7])
    assert cut.cut.flatten().tolist() == [False] * 7 + [True] * 5
    assert torch.equal(cut.actions, whole.actions)
    assert torch.equal(cut.returns.flatten(0, 1)[:7], whole.returns.flatten(0, 1)[:7])


def test_a_score_that_is_no_number_fails_its_completion_alone():
    episodes = writers().compose(metered(Counting(bad="2"), 1000, 0), 1, 40, 3, stream())
    bad = torch.tensor([text == "2" for text in episodes.texts]).reshape(2, 40)
    assert bad.any()
    assert torch.equal(episodes.failed, bad)
    assert (episodes.rewards[bad] == 0).all()
    assert not episodes.live[bad].any()


# --------------------------------------------------------------------------------------------------- candidates
def candidates_of(shifts, ids):
    none = torch.zeros(len(ids), 2, dtype=torch.float64)
    return Candidates(torch.tensor(ids)[:, None], none, none, {"parameters.actor.shift": torch.tensor(shifts)})


def test_rows_are_completed_by_their_own_policies():
    always = {1: [-50.0, 50.0, 0.0], 2: [-50.0, 0.0, 50.0]}
    rows = candidates_of([always[1], always[1], always[2], always[1]], [7, 7, 8, 9])
    net, asked = writers(), []
    net.model.contexts = lambda prompts: asked.append(list(prompts)) or torch.zeros(len(prompts), 1, dtype=torch.int64)
    assert net.complete(rows, ["", "a", "b", "c"], 3, stream()) == ["111", "111", "222", "111"]
    assert asked == [["", "a"], ["b"], ["c"]]


def test_value_heads_keep_what_they_say_when_their_unit_changes():
    net = writers()
    seen = torch.randn(2, 5, 2, generator=stream())
    before = net.values(seen)
    net.rescale(torch.tensor([[[3.0, 0.5]], [[10.0, 1.0]]]))
    assert torch.allclose(net.values(seen), before, rtol=0, atol=1e-5)


def test_value_heads_read_each_policys_own_features():
    net = writers(load_model("characters", hidden=4, layers=1))
    with torch.no_grad():
        net.actor["embedding"][1] += 0.5
    episodes = net.compose(metered(ToyText(), 1000, 0), 1, 3, 12, stream())
    seen = net.seen(episodes)
    assert not seen.requires_grad
    for i in range(2):
        part = slice(i, i + 1)
        _, alone = net.model.read(net.weights(part), episodes.inputs[part], episodes.actions[part])
        assert torch.allclose(seen[i], alone[0].flatten(0, 1), rtol=0, atol=1e-6)
    assert not torch.allclose(seen[0], seen[1])


def test_a_row_is_saved_without_the_dimension_of_policies(tmp_path):
    saved = []
    model = Dice()
    model.save = lambda weights, folder: saved.append((weights, folder))
    writers(model).save(candidates_of([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [0, 1]), 1, tmp_path)
    assert saved[0][0]["shift"].tolist() == [4.0, 5.0, 6.0]
    assert saved[0][1] == tmp_path


def test_what_is_stored_holds_no_weights_that_do_not_learn():
    net = writers(SimpleNamespace(features=2, first=Dice().first, end=0))
    assert set(net.state_dict()) == {"actor.shift", "scale", "critic.weights.0", "critic.biases.0"}
    assert set(net.rows(actor_alone=True)) == {"actor.shift"}


@pytest.mark.parametrize("policies", [1, 3])
def test_policies_learn_one_at_a_time(policies):
    assert writers(policies=policies).portions == [slice(i, i + 1) for i in range(policies)]
