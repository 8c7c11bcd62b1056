#!/usr/bin/env python3
"""Writes tests/fixtures/tiny_models/: random Gemma 3 models of awkward shapes, with the logits transformers gives.

Each folder is a checkpoint (config.json, model.safetensors) with expected.bin beside it:
    u32 tokens, u32 vocabulary, tokens * i32 ids, tokens * vocabulary * f32 logits of every position; little-endian.
The logits are those of f32 transformers with eager attention. Prompts are longer than the window, and than a
block of the KV cache (64 positions). One model has a tokenizer, so that it can chat.
Needs tools/requirements-reference.txt. Usage: tools/make_tiny_models.py
"""

import json
import pathlib
import shutil
import struct

import safetensors.torch
import torch
import transformers

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/tiny_models"

# What every model has unless it says otherwise.
COMMON = dict(
    rope_theta=1_000_000.0, rope_local_base_freq=10_000.0, rms_norm_eps=1e-6, max_position_embeddings=512, pattern=6,
    rope_factor=1.0,
)
# `form` is how config.json is written: "current" (rope_parameters, as transformers 5 saves it), "flat" (rope_theta,
# rope_scaling, ... as the published 270M and 1B have it) or "wrapped" (sparse text_config of a multimodal model).
MODELS = {
    # heads * head_dim (64) above d_model, one KV head
    "wide_heads": dict(
        hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=1,
        head_dim=16, vocab_size=61, sliding_window=4, query_pre_attn_scalar=16, pattern=3, form="current", tokens=75),
    # heads * head_dim (24) below d_model, as many KV heads as heads, scaled positions on the global layer
    "narrow_heads": dict(
        hidden_size=48, intermediate_size=36, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=3,
        head_dim=8, vocab_size=97, sliding_window=7, query_pre_attn_scalar=8, pattern=2, rope_factor=8.0,
        form="current", tokens=80),
    # the family's pattern: layer 5 is global, the last one is not
    "seven_layers": dict(
        hidden_size=16, intermediate_size=24, num_hidden_layers=7, num_attention_heads=4, num_key_value_heads=2,
        head_dim=8, vocab_size=40, sliding_window=5, query_pre_attn_scalar=8, form="flat", tokens=70),
    # the 27B rule: the query scale comes from d_model / heads (10), not head_dim
    "scalar_of_27b": dict(
        hidden_size=40, intermediate_size=56, num_hidden_layers=8, num_attention_heads=4, num_key_value_heads=2,
        head_dim=8, vocab_size=128, sliding_window=16, query_pre_attn_scalar=10, rope_factor=8.0, form="flat",
        tokens=90),
    # the text model of a multimodal checkpoint in bf16, as published, without its image tower
    "wrapped": dict(
        hidden_size=32, intermediate_size=44, num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=1,
        head_dim=24, vocab_size=83, sliding_window=9, query_pre_attn_scalar=24, rope_factor=8.0,
        max_position_embeddings=131_072, form="wrapped", bf16=True, tokens=72),
    # five heads of six columns on a very narrow stream, a larger epsilon and another theta
    "odd_sizes": dict(
        hidden_size=10, intermediate_size=13, num_hidden_layers=4, num_attention_heads=5, num_key_value_heads=5,
        head_dim=6, vocab_size=53, sliding_window=6, query_pre_attn_scalar=7, pattern=2, rms_norm_eps=1e-3,
        rope_theta=50_000.0, rope_local_base_freq=500.0, form="current", tokens=130),
    # with a tokenizer: ids up to 493 are where the real vocabulary has them
    "chat": dict(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        head_dim=8, vocab_size=0, sliding_window=16, query_pre_attn_scalar=8, pattern=2, form="flat", tokens=24,
        tokenizer=True),
}
LETTERS = "▁etaoinshrdlucmfwypvbgkqjxzETAOINSHRDLUCMFWYPVBGKQJXZ0123456789.,!?;:'\"()-#*/"
WORDS = ["he", "in", "th", "the", "er", "an", "▁th", "▁the", "▁a", "is", "▁is"]


def tiny_tokenizer():
    """The layout of Gemma 3's tokenizer.json with a few merges; returns it and its number of ids."""
    added = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]"]
    added += [f"<unused{i}>" for i in range(99)] + ["<start_of_turn>", "<end_of_turn>"]
    added += ["\n" * n for n in range(1, 32)] + ["▁" * n for n in range(2, 32)]
    added += [f"<h{i}>" for i in range(70)]  # where the real one has HTML tags
    pieces = added + [f"<0x{byte:02X}>" for byte in range(256)] + WORDS + list(LETTERS)
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    assert len(vocabulary) == len(pieces) and vocabulary["<start_of_turn>"] == 105 and vocabulary["<0x00>"] == 238
    merges = []
    for word in WORDS:
        merges += [[word[:i], word[i:]] for i in range(1, len(word)) if word[:i] in vocabulary and word[i:] in vocabulary]
    special = {"<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": i, "content": piece, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": piece in special}
            for i, piece in enumerate(added)],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": vocabulary, "merges": merges},
    }, len(pieces)


def text_config(spec):
    layers = spec["num_hidden_layers"]
    kinds = ["full_attention" if (i + 1) % spec["pattern"] == 0 else "sliding_attention" for i in range(layers)]
    full = {"rope_type": "default", "rope_theta": spec["rope_theta"]}
    if spec["rope_factor"] != 1.0:
        full |= {"rope_type": "linear", "factor": spec["rope_factor"]}
    fields = {key: value for key, value in spec.items() if key in (
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
        "vocab_size", "sliding_window", "query_pre_attn_scalar", "rms_norm_eps", "max_position_embeddings")}
    return transformers.Gemma3TextConfig(
        **fields, layer_types=kinds, tie_word_embeddings=True, attn_implementation="eager",
        rope_parameters={
            "full_attention": full,
            "sliding_attention": {"rope_type": "default", "rope_theta": spec["rope_local_base_freq"]}})


def older_config(spec):
    """config.json as published with the 270M and 1B, written by hand."""
    fields = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
              "head_dim", "vocab_size", "sliding_window", "query_pre_attn_scalar", "rms_norm_eps",
              "max_position_embeddings", "rope_theta", "rope_local_base_freq")
    scaling = None if spec["rope_factor"] == 1.0 else {"factor": spec["rope_factor"], "rope_type": "linear"}
    return {"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text"} | {
        field: spec[field] for field in fields
    } | {
        "rope_scaling": scaling, "sliding_window_pattern": spec["pattern"], "hidden_activation": "gelu_pytorch_tanh",
        "attention_bias": False, "attn_logit_softcapping": None, "final_logit_softcapping": None,
        "tie_word_embeddings": True, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0, "torch_dtype": "float32",
    }


def wrapped_config(spec):
    """config.json of a multimodal checkpoint: what equals the family's defaults is left out of text_config."""
    sparse = older_config(spec)
    for field in ("architectures", "max_position_embeddings", "rope_theta", "rope_local_base_freq", "rms_norm_eps",
                  "sliding_window_pattern", "attention_bias", "attn_logit_softcapping", "final_logit_softcapping",
                  "tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id", "torch_dtype",
                  "hidden_activation"):
        del sparse[field]
    return {
        "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "boi_token_index": 255999,
        "eoi_token_index": 256000, "image_token_index": 262144, "mm_tokens_per_image": 256, "eos_token_id": [1, 106],
        "torch_dtype": "float32", "text_config": sparse,
        "vision_config": {"hidden_size": 1152, "image_size": 896, "intermediate_size": 4304, "model_type":
                          "siglip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14,
                          "vision_use_head": False},
    }


def randomize(model, generator):
    """Weights that make every part matter: unit-variance branches, gains well away from 1, sharp attention."""
    for name, weight in model.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        if "norm" in name:
            weight.data = 0.4 * noise + (1.0 if "q_norm" in name or "k_norm" in name else 0.0)
        else:
            weight.data = noise / weight.shape[-1] ** 0.5


def write_model(name, spec, seed):
    folder = OUT / name
    folder.mkdir(parents=True)
    if spec.get("tokenizer"):
        tokenizer, spec["vocab_size"] = tiny_tokenizer()
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")))
    generator = torch.Generator().manual_seed(seed)
    model = transformers.Gemma3ForCausalLM(text_config(spec)).eval()
    randomize(model, generator)
    stored_type = torch.bfloat16 if spec.get("bf16") else torch.float32
    with torch.no_grad():
        for weight in model.parameters():
            weight.data = weight.to(stored_type).to(torch.float32)  # what the file will say
    ids = torch.randint(0, spec["vocab_size"], (spec["tokens"],), generator=generator)
    ids[0] = 2  # BOS
    with torch.no_grad():
        logits = model(input_ids=ids[None], use_cache=False).logits[0].float()

    if spec["form"] == "current":
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
    else:
        state = {key: value.to(stored_type) for key, value in model.state_dict().items() if key != "lm_head.weight"}
        if spec["form"] == "wrapped":
            state = {"language_model." + key: value for key, value in state.items()}
        safetensors.torch.save_file({key: value.contiguous() for key, value in state.items()},
                                    folder / "model.safetensors", metadata={"format": "pt"})
        config = wrapped_config(spec) if spec["form"] == "wrapped" else older_config(spec)
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "model.safetensors").chmod(0o644)
    header = struct.pack("<II", *logits.shape)
    (folder / "expected.bin").write_bytes(
        header + ids.numpy().astype("<i4").tobytes() + logits.numpy().astype("<f4").tobytes())
    print(f"{name}: largest logit {logits.abs().max():.2f}, "
          f"{sum(f.stat().st_size for f in folder.iterdir()):,} bytes")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    for seed, (name, spec) in enumerate(MODELS.items()):
        write_model(name, COMMON | spec, seed)


if __name__ == "__main__":
    main()
