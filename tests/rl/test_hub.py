"""Models of the transformers library as policies: laws against the model called alone, caches, adapters, files."""

import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("peft")

from tiny_hub import LETTERS, a_model

from moo.rl.hub import BLANK, HubModel, load


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return a_model(tmp_path_factory.mktemp("gpt2"))


def moved(weights, seed=1, spread=0.05):
    """The same weights, each policy's changed in its own way."""
    stream = torch.Generator().manual_seed(seed)
    return {name: part + spread * torch.randn(part.shape, generator=stream) for name, part in weights.items()}


def drawn(p, c, length, seed=0):
    return torch.randint(2, len(LETTERS) + 2, (p, c, length), generator=torch.Generator().manual_seed(seed))


def by_itself(folder, weights, policy, numbers):
    """Log-chances behind one row of numbers without anything before it, by a model of its own."""
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name.replace(".", "/")][policy])
        return model(torch.tensor([numbers])).logits[0].log_softmax(dim=1)


# --------------------------------------------------------------------------------------------------- laws
def test_laws_are_the_models_without_padding(folder):
    model = HubModel(folder)
    weights = moved(model.first(2))
    contexts = model.contexts(["abc", "", "defgh"])
    actions = drawn(2, 6, 7)
    with torch.no_grad():
        laws, seen = model.read(weights, contexts.expand(2, -1, -1), actions)
    assert seen.shape == (2, 6, 7, model.features)
    for policy in range(2):
        for row in range(6):
            context = [number for number in contexts[row // 2].tolist() if number != BLANK]
            expected = by_itself(folder, weights, policy, context + actions[policy, row, :-1].tolist())
            assert torch.allclose(laws[policy, row], expected[len(context) - 1 :], rtol=0, atol=2e-5)


def test_step_by_step_with_a_cache_as_in_one_pass(folder):
    model = HubModel(folder)
    weights, contexts, actions = moved(model.first(2)), model.contexts(["abc", "d"]).expand(2, -1, -1), drawn(2, 4, 6)
    with torch.no_grad():
        expected, _ = model.read(weights, contexts, actions)
        law, memory = model.begin(weights, contexts, 2)
        for step in range(6):
            assert torch.allclose(law, expected[:, :, step], rtol=0, atol=2e-5)
            law, memory = model.advance(weights, memory, actions[:, :, step])


def test_a_law_depends_on_nothing_behind_it_and_no_other_row(folder):
    model = HubModel(folder)
    weights, contexts, actions = model.first(1), model.contexts(["abc", "d"])[None], drawn(1, 2, 5)
    with torch.no_grad():
        laws, _ = model.read(weights, contexts, actions)
        other = actions.clone()
        other[0, 0, 2:], other[0, 1] = model.end, 3
        again, _ = model.read(weights, contexts, other)
        short, _ = model.read(weights, model.contexts(["d"])[None], actions[:, 1:])
    assert torch.allclose(again[0, 0, :3], laws[0, 0, :3], rtol=0, atol=1e-6)
    assert torch.allclose(short[0, 0], laws[0, 1], rtol=0, atol=1e-5)


def test_gradients_reach_the_policys_own_weights_alone(folder):
    model = HubModel(folder)
    weights = {name: part.requires_grad_() for name, part in model.first(2).items()}
    laws, _ = model.read(weights, model.contexts(["ab"]).expand(2, -1, -1), drawn(2, 3, 4))
    laws[1, ..., 3].sum().backward()
    touched = [part.grad.flatten(1).abs().amax(dim=1) for part in weights.values() if part.grad is not None]
    assert all(float(rows[0]) == 0 for rows in touched)
    assert sum(float(rows[1]) > 0 for rows in touched) > 10
    assert all(parameter.grad is None for parameter in model.model.parameters())


# --------------------------------------------------------------------------------------------------- adapters
def test_adapters_are_few_and_begin_without_effect(folder):
    plain, adapted = HubModel(folder), HubModel(folder, lora=2, seed=3)
    first = adapted.first(1)
    count = sum(part.numel() for part in first.values())
    assert 0 < count < 0.2 * sum(part.numel() for part in plain.first(1).values())
    contexts, actions = plain.contexts(["ab"])[None], drawn(1, 2, 4)
    with torch.no_grad():
        expected, _ = plain.read(plain.first(1), contexts, actions)
        assert torch.allclose(adapted.read(first, contexts, actions)[0], expected, rtol=0, atol=1e-5)
        away, _ = adapted.read(moved(first, spread=0.5), contexts, actions)
    assert not torch.allclose(away, expected, rtol=0, atol=1e-2)


def test_adapters_come_from_the_seed_and_leave_the_global_stream_alone(folder):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (HubModel(folder, lora=2, seed=seed).first(1) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(part, again[name]) for name, part in first.items())
    assert any(not torch.equal(part, other[name]) for name, part in first.items())


@pytest.mark.parametrize("lora", [0, 2])
def test_a_saved_policy_is_read_by_its_library(folder, lora, tmp_path):
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = HubModel(folder, lora=lora)
    before, weights = model.first(1), moved(model.first(1))
    contexts, actions = model.contexts(["abc"])[None], drawn(1, 1, 5)
    with torch.no_grad():
        expected, _ = model.read(weights, contexts, actions)
    model.save({name: part[0] for name, part in weights.items()}, tmp_path)
    assert all(torch.equal(part, before[name]) for name, part in model.first(1).items())
    loaded = (AutoPeftModelForCausalLM if lora else AutoModelForCausalLM).from_pretrained(tmp_path)
    numbers = AutoTokenizer.from_pretrained(tmp_path)("abc")["input_ids"] + actions[0, 0, :-1].tolist()
    with torch.no_grad():
        found = loaded(torch.tensor([numbers])).logits[0].log_softmax(dim=1)[2:]
    assert torch.allclose(found, expected[0, 0], rtol=0, atol=2e-5)
    assert (tmp_path / "adapter_model.safetensors").exists() == bool(lora)
    assert (tmp_path / "model.safetensors").exists() != bool(lora)


# --------------------------------------------------------------------------------------------------- texts and faults
def test_prompts_are_padded_on_the_left_and_an_empty_one_is_the_mark(folder):
    model = HubModel(folder)
    assert model.contexts(["ab", ""]).tolist() == [[2, 3], [BLANK, 0]]
    assert model.text([2, 3, 0]) == "ab"
    assert model.longest == 64


def test_an_unknown_model_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        ValueError, match=r"`model` should be the folder of a model, or the id .*nowhere' could not be loa"
    ):
        load("model", str(tmp_path / "nowhere"), "AutoModelForCausalLM")


def test_a_tokenizer_without_an_end_is_refused(tmp_path):
    folder = a_model(tmp_path)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(ValueError, match=r"should have a tokenizer with a mark for the end of a text. It has none"):
        HubModel(folder)
