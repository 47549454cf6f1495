"""A character model: its laws against literal loops, its cache against one pass, and nothing behind an end matters."""

import math

import numpy as np
import pytest
import torch

from moo.rl.characters import BLANK, BLOCK, NEVER, WINDOW, Alphabet, advance, begin, random_weights, read

ALPHABET = Alphabet("abcde")


def weights_of(policies=1, hidden=5, layers=2, seed=0, spread=2.0):
    """Random weights, those of the policies being different."""
    made = random_weights(policies, ALPHABET.size, hidden, layers, torch.Generator().manual_seed(seed))
    stream = torch.Generator().manual_seed(seed + 1)
    return {name: spread * part + 0.1 * torch.randn(part.shape, generator=stream) for name, part in made.items()}


def drawn(p, c, length, seed=0):
    return torch.randint(1, ALPHABET.size, (p, c, length), generator=torch.Generator().manual_seed(seed))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def law_by_hand(weights, numbers):
    """The law behind one row of numbers, the layers beginning with its first: one place after the other, in float64."""
    w = {name: part[0].double().numpy() for name, part in weights.items()}
    layers = sum(name.startswith("kernel") for name in w)
    units = w["recurrent0"].shape[0]
    hidden, cell = np.zeros((layers, units)), np.zeros((layers, units))
    features = []
    for number in numbers:
        x = w["embedding"][number]
        row = [x]
        for layer in range(layers):
            gates = x @ w[f"kernel{layer}"] + hidden[layer] @ w[f"recurrent{layer}"] + w[f"bias{layer}"][0]
            i, f, g, o = np.split(gates, 4)
            cell[layer] = sigmoid(f) * cell[layer] + sigmoid(i) * np.tanh(g)
            hidden[layer] = x = sigmoid(o) * np.tanh(cell[layer])
            row.append(x)
        features.append(np.concatenate(row))
    last = np.array(features)[-WINDOW:]
    heed = np.exp(last @ w["attention"][:, 0])
    logits = (heed / heed.sum()) @ last @ w["output"] + w["offset"][0]
    chances = np.exp(logits)
    chances[BLANK] = 0.0
    return chances / chances.sum()


# --------------------------------------------------------------------------------------------------- laws
@pytest.mark.parametrize("layers", [1, 2])
def test_laws_are_those_of_the_places_written_out(layers):
    weights, length = weights_of(layers=layers), BLOCK + 4
    actions = drawn(1, 2, length)
    contexts = ALPHABET.contexts(["abc"])[None]
    laws, _ = read(weights, contexts, actions)
    for row in range(2):
        numbers = [*contexts[0, 0].tolist(), *actions[0, row].tolist()]
        for step in range(length):
            block = step // BLOCK * BLOCK
            expected = law_by_hand(weights, numbers[block : WINDOW + step])
            assert np.allclose(laws[0, row, step].exp().numpy(), expected, rtol=0, atol=2e-6)


def test_the_first_law_rests_on_the_window_alone():
    weights = weights_of()
    long, cut = "abcde" * 12, ("abcde" * 12)[-WINDOW:]
    first, second = (begin(weights, ALPHABET.contexts([prompt])[None], 1)[0] for prompt in (long, cut))
    assert torch.equal(first, second)
    assert not torch.allclose(first, begin(weights, ALPHABET.contexts(["abcde"])[None], 1)[0])


@pytest.mark.parametrize("length", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_step_by_step_as_in_one_pass(length):
    weights = weights_of(policies=2)
    contexts = ALPHABET.contexts(["ab", "", "edcba"])[None].expand(2, -1, -1)
    actions = drawn(2, 6, length)
    expected, _ = read(weights, contexts, actions)
    law, memory = begin(weights, contexts, 2)
    for step in range(length):
        assert torch.allclose(law, expected[:, :, step], rtol=0, atol=1e-5)
        law, memory = advance(weights, memory, actions[:, :, step])


def test_policies_side_by_side_equal_policies_alone():
    weights = weights_of(policies=3)
    contexts, actions = ALPHABET.contexts(["ab"])[None].expand(3, -1, -1), drawn(3, 4, 13)
    together, seen = read(weights, contexts, actions)
    for i in range(3):
        alone = {name: part[i : i + 1] for name, part in weights.items()}
        law, features = read(alone, contexts[i : i + 1], actions[i : i + 1])
        assert torch.allclose(law, together[i : i + 1], rtol=0, atol=1e-5)
        assert torch.allclose(features, seen[i : i + 1], rtol=0, atol=1e-5)
    assert not torch.allclose(together[0], together[1])


def test_laws_are_laws_and_blanks_are_never_written():
    laws, _ = read(weights_of(), ALPHABET.contexts([""])[None], drawn(1, 3, 12))
    assert torch.allclose(laws.exp().sum(dim=3), torch.ones(1, 3, 12), rtol=0, atol=1e-5)
    assert (laws[..., BLANK] < NEVER / 2).all()


# --------------------------------------------------------------------------------------------------- nothing leaks
def test_a_law_depends_on_nothing_behind_it():
    weights = weights_of()
    contexts, actions = ALPHABET.contexts(["ab"])[None], drawn(1, 2, 2 * BLOCK + 3)
    laws, _ = read(weights, contexts, actions)
    for step in range(actions.shape[2]):
        other = actions.clone()
        other[:, :, step:] = ALPHABET.end
        assert torch.allclose(read(weights, contexts, other)[0][:, :, : step + 1], laws[:, :, : step + 1], atol=1e-6)


def test_a_law_depends_on_no_other_row():
    weights = weights_of()
    contexts, actions = ALPHABET.contexts(["ab", "c"])[None], drawn(1, 4, BLOCK + 2)
    laws, _ = read(weights, contexts, actions)
    for row in range(4):
        alone, _ = read(weights, contexts[:, row // 2 : row // 2 + 1], actions[:, row : row + 1])
        assert torch.allclose(alone[0, 0], laws[0, row], rtol=0, atol=1e-5)


def test_gradients_are_those_of_finite_differences():
    weights = {name: part.double() for name, part in weights_of(hidden=3, layers=1).items()}
    contexts, actions = ALPHABET.contexts(["ab"])[None], drawn(1, 2, BLOCK + 2)

    def chance(name, moved):
        laws, _ = read({**weights, name: moved}, contexts, actions)
        return laws.gather(3, actions[..., None]).sum()

    for name, part in weights.items():
        part.requires_grad_()
        slope = torch.autograd.grad(chance(name, part), part)[0]
        way = torch.randn(part.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
        with torch.no_grad():
            found = (chance(name, part + 1e-5 * way) - chance(name, part - 1e-5 * way)) / 2e-5
        assert float((slope * way).sum()) == pytest.approx(float(found), rel=1e-5, abs=1e-7), name


# --------------------------------------------------------------------------------------------------- characters
def test_texts_become_numbers_and_texts_again():
    actions, moves = ALPHABET.actions(["abc", "", "edde"])
    assert actions.tolist() == [[1, 2, 3, 6, 6], [6, 6, 6, 6, 6], [5, 4, 4, 5, 6]]
    assert moves.sum(dim=1).tolist() == [4, 1, 5]
    assert [ALPHABET.text(row) for row in actions.tolist()] == ["abc", "", "edde"]


def test_a_prompt_stands_behind_the_mark_of_the_beginning_and_unknown_characters_are_blanks():
    (row,) = ALPHABET.contexts(["a?b"]).tolist()
    assert row == [BLANK] * (WINDOW - 4) + [ALPHABET.end, 1, BLANK, 2]


def test_first_weights_are_alike_for_all_policies_and_laws_nearly_even():
    made = random_weights(3, ALPHABET.size, 16, 2, torch.Generator().manual_seed(0))
    assert all(torch.equal(part[0], part[2]) for part in made.values())
    laws, _ = read(made, ALPHABET.contexts([""])[None].expand(3, -1, -1), drawn(3, 2, 5))
    even = 1 / (ALPHABET.size - 1)
    assert (laws[..., 1:].exp() / even).log().abs().max() < math.log(2)
