"""A GPT-2 of a few thousand weights, and a classifier of its kind, in folders that the transformers library reads."""

import torch

from moo.seeding import quiet_fork

LETTERS = "abcdefghij "


def a_tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    numbers = {"<s>": 0, "<unk>": 1, **{letter: i + 2 for i, letter in enumerate(LETTERS)}}
    made = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    from tokenizers import decoders

    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="<s>", unk_token="<unk>", clean_up_tokenization_spaces=False
    )


def a_model(folder, *, seed=0, kind="GPT2LMHeadModel", spread=4.0, **config):
    """Random weights (larger than usual, so that laws differ), saved; the folder as a string."""
    import transformers

    sizes = {"n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 64}
    tokens = {"vocab_size": len(LETTERS) + 2, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    with quiet_fork(seed):
        model = getattr(transformers, kind)(transformers.GPT2Config(**sizes, **tokens, **config))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(spread)
    model.save_pretrained(folder)
    a_tokenizer().save_pretrained(folder)
    return str(folder)
