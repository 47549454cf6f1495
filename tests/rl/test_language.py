"""Language models by name: what is loaded, what is refused, and files that are read again."""

import json

import pytest
import torch
from safetensors.torch import load_file

from moo.rl.language import load_model


def test_characters_begin_as_the_seed_says():
    first, again, other = (load_model("characters", seed=seed, hidden=6, layers=1).first(2) for seed in (0, 0, 1))
    assert all(torch.equal(part, again[name]) for name, part in first.items())
    assert not torch.equal(first["embedding"], other["embedding"])
    assert first["recurrent0"].shape == (2, 6, 24)
    assert torch.equal(first["output"][0], first["output"][1])


def test_a_saved_character_model_is_what_it_was(tmp_path):
    model = load_model("characters", hidden=4, layers=2)
    weights = {name: part[0] for name, part in model.first(1).items()}
    model.save(weights, tmp_path / "here")
    found = load_file(tmp_path / "here" / "weights.safetensors")
    assert set(found) == set(weights)
    assert all(torch.equal(part, found[name]) for name, part in weights.items())
    assert json.loads((tmp_path / "here" / "characters.json").read_text()) == list(model.alphabet.characters)


def test_copies_are_not_the_weights_themselves():
    model = load_model("characters", hidden=4, layers=1)
    model.first(2)["embedding"].zero_()
    assert model.first(1)["embedding"].abs().sum() > 0


def test_adapters_of_a_character_model_are_refused():
    with pytest.raises(ValueError, match=r"`lora` is for models of the transformers library. Found 4 with"):
        load_model("characters", lora=4)


def test_a_model_that_was_not_fetched_is_said_to_be(monkeypatch, tmp_path):
    from moo.text import named

    monkeypatch.setenv("MOO_CACHE", str(tmp_path))
    named.pretrained.cache_clear()
    with pytest.raises(
        FileNotFoundError, match=r"characters.json is missing. Fetch it once with `python -m moo.text.fe"
    ):
        load_model("textgenrnn")


def test_a_folder_is_a_model_of_transformers(tmp_path):
    pytest.importorskip("transformers")
    from tiny_hub import a_model

    model = load_model(a_model(tmp_path))
    assert model.features == 16
    with pytest.raises(ValueError, match="could not be loaded"):
        load_model(str(tmp_path / "nothing"))
