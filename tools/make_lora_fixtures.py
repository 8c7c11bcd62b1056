#!/usr/bin/env python3
"""Writes tests/fixtures/lora/: LoRA adapters of the tiny random models, with the logits that PEFT gives.

Each folder is an adapter as PEFT saves it; plain.gguf holds the numbers of the folder plain/, as llama.cpp's converter
writes them. CASE.bin are the logits of every position with the adapters of that case:
    u32 tokens, u32 vocabulary, tokens * i32 ids, tokens * vocabulary * f32 logits; little-endian.
They are those of f32 transformers with eager attention. tests/parity_lora_test.cc knows which case is what.
Needs tools/requirements-reference.txt. Usage: tools/make_lora_fixtures.py
"""

import json
import pathlib
import re
import shutil
import struct

import gguf
import peft
import safetensors.torch
import torch
import transformers

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures"
OUT = FIXTURES / "lora"

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MLP = ["gate_proj", "up_proj", "down_proj"]
WIDE = "tiny_models/wide_heads"
TOKENS = 40  # longer than every window

ADAPTERS = {
    # what most adapters are
    "plain": dict(base=WIDE, r=4, lora_alpha=8, target_modules=ATTENTION + MLP),
    # on the same model, another rank, two matrices, in f16
    "other": dict(base=WIDE, r=2, lora_alpha=3, target_modules=["q_proj", "v_proj"], stored=torch.float16),
    # the scale is alpha / sqrt(r), odd sizes all over
    "rank_stabilized": dict(
        base="tiny_models/odd_sizes", r=3, lora_alpha=5, target_modules=ATTENTION + MLP, use_rslora=True),
    # ranks and alphas of their own for some matrices, in bf16
    "patterns": dict(
        base="tiny_models/seven_layers", r=4, lora_alpha=6, target_modules=ATTENTION + MLP,
        rank_pattern={"layers.5.self_attn.q_proj": 17, "k_proj": 1}, alpha_pattern={"mlp.up_proj": 10},
        stored=torch.bfloat16),
    # the text model of a multimodal one, whose modules have longer names
    "multimodal": dict(base="tiny_vision/one_token", r=3, lora_alpha=6,
                       target_modules=r".*language_model.*\.(q_proj|o_proj|up_proj|down_proj)"),
}
CASES = {
    "plain": [("plain", 1.0)],
    "rank_stabilized": [("rank_stabilized", 1.0)],
    "patterns": [("patterns", 1.0)],
    "multimodal": [("multimodal", 1.0)],
    "weighted": [("plain", 0.75), ("other", -1.5)],
}
GGUF_NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def load_base(name):
    multimodal = name.startswith("tiny_vision")
    kind = transformers.Gemma3ForConditionalGeneration if multimodal else transformers.Gemma3ForCausalLM
    model = kind.from_pretrained(FIXTURES / name, dtype=torch.float32, attn_implementation="eager").eval()
    model.config._name_or_path = name  # what PEFT writes into adapter_config.json
    model.name_or_path = name
    return model


def config_of(spec):
    fields = {key: value for key, value in spec.items() if key not in ("base", "stored")}
    return peft.LoraConfig(lora_dropout=0.0, bias="none", **fields)


def randomize(model, name, spec, seed):
    """Additions about as large as the matrices, in numbers that the file can hold."""
    generator = torch.Generator().manual_seed(seed)
    for key, weight in sorted(model.named_parameters()):
        if f".{name}." not in key:
            continue
        noise = torch.randn(weight.shape, generator=generator) / weight.shape[1] ** 0.5
        weight.data = noise.to(spec.get("stored", torch.float32)).to(torch.float32)


def save(model, name, spec):
    model.save_pretrained(OUT, selected_adapters=[name])
    folder = OUT / name
    (OUT / "README.md").unlink(missing_ok=True)
    (folder / "README.md").unlink(missing_ok=True)
    weights = safetensors.torch.load_file(folder / "adapter_model.safetensors")
    weights = {key: value.to(spec.get("stored", torch.float32)).contiguous() for key, value in weights.items()}
    safetensors.torch.save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_model.safetensors").chmod(0o644)
    config = json.loads((folder / "adapter_config.json").read_text())
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()  # PEFT writes a set, in a new order each time
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return config, weights


def write_gguf(path, config, weights):
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    for key, value in weights.items():
        layer, module, half = re.search(r"\.layers\.(\d+)\.(.*)\.lora_([AB])\.weight$", key).groups()
        writer.add_tensor(f"blk.{layer}.{GGUF_NAMES[module]}.weight.lora_{half.lower()}", value.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_case(name, model, vocabulary, seed):
    ids = torch.randint(0, vocabulary, (TOKENS,), generator=torch.Generator().manual_seed(seed))
    ids[0] = 2  # BOS
    with torch.no_grad():
        logits = model(input_ids=ids[None], use_cache=False).logits[0].float()
        with model.disable_adapter():
            plain = model(input_ids=ids[None], use_cache=False).logits[0].float()
    (OUT / f"{name}.bin").write_bytes(struct.pack("<II", *logits.shape) + ids.numpy().astype("<i4").tobytes() +
                                      logits.numpy().astype("<f4").tobytes())
    print(f"{name}: largest logit {logits.abs().max():.2f}, largest change {(logits - plain).abs().max():.2f}")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    for seed, (case, parts) in enumerate(CASES.items()):
        specs = [ADAPTERS[name] for name, _ in parts]
        base = load_base(specs[0]["base"])
        model = peft.get_peft_model(base, config_of(specs[0]), adapter_name=parts[0][0])
        for (name, _), spec in zip(parts[1:], specs[1:]):
            model.add_adapter(name, config_of(spec))
        for (name, _), spec in zip(parts, specs):
            randomize(model, name, spec, seed=100 + list(ADAPTERS).index(name))
            config, weights = save(model, name, spec)
            if name == "plain":
                write_gguf(OUT / "plain.gguf", config, weights)
        if len(parts) > 1:  # the sum of the additions, as one adapter of the sum of the ranks
            model.add_weighted_adapter([name for name, _ in parts], [weight for _, weight in parts], "sum",
                                       combination_type="cat")
            model.set_adapter("sum")
        write_case(case, model.eval(), base.config.get_text_config().vocab_size, seed)
    print(f"{sum(f.stat().st_size for f in OUT.rglob('*') if f.is_file()):,} bytes")


if __name__ == "__main__":
    main()
