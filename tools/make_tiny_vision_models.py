#!/usr/bin/env python3
"""Writes tests/fixtures/tiny_vision/: random multimodal Gemma 3 models of awkward shapes, with transformers' logits.

Each folder is a checkpoint with a tokenizer (config.json, model.safetensors, tokenizer.json) and expected.bin:
    u32 cases, u32 kept; for each case
        u32 pictures, pictures * (u32 width, u32 height, u32 seed), u32 pan and scan
        u32 bytes, the prompt's text, in which each <start_of_image> stands for the next picture
        u32 tokens, tokens * i32 ids (-1: soft token), tokens * kept * f32 logits of every position
all little-endian. `kept` logits are those of the ids 0, STRIDE, 2 * STRIDE ... A picture's pixels follow from its seed, see
picture(). The logits are those of f32 transformers with eager attention, the pictures those of its PIL image processor.
Needs tools/requirements-reference.txt. Usage: tools/make_tiny_vision_models.py
"""

import json
import pathlib
import shutil
import struct

import numpy as np
import PIL.Image
import safetensors.torch
import tokenizers
import torch
import transformers
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

import make_tiny_models

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/tiny_vision"
STRIDE = 13
TEXT = dict(make_tiny_models.COMMON, head_dim=8, query_pre_attn_scalar=8, pattern=2)
# `names` is how the safetensors file calls its tensors: "saved" (as transformers 5 writes them), "released" (as
# published) or "nested" (everything below model.).
MODELS = {
    # an image (16 tokens) longer than the window, pooled 2 x 2
    "short_window": dict(
        TEXT, hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=1,
        sliding_window=6, names="saved", tokens=16,
        vision=dict(image_size=24, patch_size=3, hidden_size=20, num_hidden_layers=2, num_attention_heads=2,
                    intermediate_size=36)),
    # a window of several images, an odd grid, the soft token's id beyond the embedding
    "long_window": dict(
        TEXT, hidden_size=16, intermediate_size=24, num_hidden_layers=4, num_attention_heads=2, num_key_value_heads=2,
        sliding_window=40, rope_factor=8.0, names="released", tokens=9, soft_id_beyond=True,
        vision=dict(image_size=18, patch_size=2, hidden_size=21, num_hidden_layers=1, num_attention_heads=3,
                    intermediate_size=10)),
    # bf16 weights, no pooling at all, a window as long as an image
    "unpooled": dict(
        TEXT, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        sliding_window=16, names="nested", tokens=16, bf16=True,
        vision=dict(image_size=28, patch_size=7, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
                    intermediate_size=33)),
    # 289 patches, which become a single token; a pooling head in the file that must be ignored
    "one_token": dict(
        TEXT, hidden_size=10, intermediate_size=13, num_hidden_layers=2, num_attention_heads=1, num_key_value_heads=1,
        sliding_window=3, names="saved", tokens=1,
        vision=dict(image_size=34, patch_size=2, hidden_size=12, num_hidden_layers=2, num_attention_heads=1,
                    intermediate_size=14, layer_norm_eps=1e-4, vision_use_head=True)),
}
# text, pictures (width, height), pan and scan
PROMPTS = [
    ("he is in the end", [], False),
    ("the user\n<start_of_image>\nis it a the in the end, and then?", [(40, 30)], False),
    ("<start_of_image>a<start_of_image><start_of_image> the\n\nend", [(9, 31), (24, 24), (1, 50)], False),
    ("a\n<start_of_image>then <start_of_image> it is", [(530, 290), (60, 20)], True),
    ("in <start_of_image>the end", [(270, 801)], True),
]


def picture(width, height, seed):
    y, x, c = np.mgrid[0:height, 0:width, 0:3].astype(np.uint32)
    return (((x * (7 + seed) + y * 13 + c * 71 + x * y // 16 + (x // 5) * (y // 3) * seed) % 256)).astype(np.uint8)


def build_model(spec, start, vocabulary):
    config = transformers.Gemma3Config(
        text_config=make_tiny_models.text_config(dict(spec, vocab_size=vocabulary)), vision_config=transformers.SiglipVisionConfig(
            **({"vision_use_head": False} | spec["vision"]), attn_implementation="eager"),
        mm_tokens_per_image=spec["tokens"], boi_token_index=start, eoi_token_index=start + 1, image_token_index=start + 2,
        attn_implementation="eager", tie_word_embeddings=True)
    return transformers.Gemma3ForConditionalGeneration(config).eval()


def released_name(name, names):
    """The name in a checkpoint of an older generation, from that of the class."""
    if names == "nested":
        return name.replace("model.vision_tower.", "model.vision_tower.vision_model.")
    name = name.removeprefix("model.").replace("vision_tower.", "vision_tower.vision_model.")
    return name.replace("language_model.", "language_model.model.")


def write_checkpoint(model, spec, folder):
    if spec["names"] == "saved":
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
    else:
        kind = torch.bfloat16 if spec.get("bf16") else torch.float32
        state = {released_name(name, spec["names"]): value.to(kind).contiguous()
                 for name, value in model.state_dict().items() if name != "lm_head.weight"}
        safetensors.torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        text = make_tiny_models.older_config(dict(spec, vocab_size=model.config.text_config.vocab_size))
        (folder / "config.json").write_text(json.dumps({
            "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
            "mm_tokens_per_image": spec["tokens"], "text_config": text,
            "vision_config": dict(spec["vision"], model_type="siglip_vision_model", vision_use_head=False)}, indent=2) + "\n")
    (folder / "model.safetensors").chmod(0o644)


def expected_case(model, tokenizer, spec, start, prompt, seed):
    text, sizes, pan_and_scan = prompt
    pictures = [(width, height, seed * 10 + i) for i, (width, height) in enumerate(sizes)]
    sequence = "\n\n<start_of_image>" + "<image_soft_token>" * spec["tokens"] + "<end_of_image>\n\n"
    side = spec["vision"]["image_size"]
    processor = Gemma3ImageProcessorPil(size={"height": side, "width": side}, do_pan_and_scan=pan_and_scan,
                                        pan_and_scan_min_crop_size=256, pan_and_scan_max_num_crops=4,
                                        pan_and_scan_min_ratio_to_activate=1.2)
    rendered, pixels = text.split("<start_of_image>"), []
    whole = rendered[0]
    for rest, (width, height, number) in zip(rendered[1:], pictures, strict=True):
        features = processor([PIL.Image.fromarray(picture(width, height, number))], return_tensors="pt")
        pixels.append(features["pixel_values"])
        crops = int(features["num_crops"][0])
        whole += sequence if crops == 0 else (
            f"Here is the original image {sequence} and here are some crops to help you see better "
            + " ".join([sequence] * crops))
        whole += rest
    ids = torch.tensor([2] + tokenizer.encode(whole, add_special_tokens=False).ids)
    is_soft = ids == start + 2
    with torch.no_grad():
        logits = model(input_ids=ids[None], token_type_ids=is_soft[None].long(), use_cache=False,
                       **({"pixel_values": torch.cat(pixels)} if pixels else {})).logits[0].float()
    kept = logits[:, ::STRIDE].contiguous()
    out = struct.pack("<I", len(pictures)) + b"".join(struct.pack("<III", *entry) for entry in pictures)
    out += struct.pack("<II", pan_and_scan, len(text)) + text.encode() + struct.pack("<I", len(ids))
    out += torch.where(is_soft, -1, ids).numpy().astype("<i4").tobytes() + kept.numpy().astype("<f4").tobytes()
    return out, kept.shape[1]


def write_model(name, spec, seed):
    folder = OUT / name
    folder.mkdir(parents=True)
    description, start = make_tiny_models.tiny_tokenizer()
    special = [{"id": start + i, "content": piece, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True}
               for i, piece in enumerate(["<start_of_image>", "<end_of_image>", "<image_soft_token>"])]
    description["added_tokens"] += special
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(description))
    description["added_tokens"].pop()  # Carat writes no soft token as text
    (folder / "tokenizer.json").write_text(json.dumps(description, ensure_ascii=False, separators=(",", ":")))
    generator = torch.Generator().manual_seed(100 + seed)
    model = build_model(spec, start, start + 2 if spec.get("soft_id_beyond") else start + 5)
    make_tiny_models.randomize(model, generator)
    with torch.no_grad():
        for weight in model.parameters():
            if spec.get("bf16"):
                weight.data = weight.to(torch.bfloat16).float()  # what the file will say
    write_checkpoint(model, spec, folder)
    cases = [expected_case(model, tokenizer, spec, start, prompt, i) for i, prompt in enumerate(PROMPTS)]
    (folder / "expected.bin").write_bytes(
        struct.pack("<II", len(cases), cases[0][1]) + b"".join(case for case, _ in cases))
    print(f"{name}: {sum(f.stat().st_size for f in folder.iterdir()):,} bytes")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    for seed, (name, spec) in enumerate(MODELS.items()):
        write_model(name, spec, seed)


if __name__ == "__main__":
    main()
