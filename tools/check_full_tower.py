#!/usr/bin/env python3
"""Compares the full-size image tower, with random weights, with transformers: the cosine of every soft token.

Writes a checkpoint whose tower has the published shape and whose text model is tiny, has `carat run` look at a
picture in each precision, and reads the soft tokens back from carat's cache. Takes some minutes and 8 GB.
Needs tools/requirements-reference.txt. Usage: tools/check_full_tower.py path/to/carat
"""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
import PIL.Image
import torch
import transformers

import make_tiny_models
import make_tiny_vision_models

LEAST = {"f32": 0.999999, "bf16": 0.9999, "int8": 0.999}  # cosine
D_MODEL = 64
TOWER = dict(image_size=896, patch_size=14, hidden_size=1152, intermediate_size=4304, num_hidden_layers=27,
             num_attention_heads=16)


def build(folder):
    tokenizer, start = make_tiny_models.tiny_tokenizer()
    tokenizer["added_tokens"] += [
        {"id": start + i, "content": piece, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True} for i, piece in enumerate(["<start_of_image>", "<end_of_image>"])]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    text = dict(make_tiny_models.COMMON, hidden_size=D_MODEL, intermediate_size=64, num_hidden_layers=1,
                num_attention_heads=2, num_key_value_heads=1, head_dim=32, sliding_window=512, query_pre_attn_scalar=32)
    model = make_tiny_vision_models.build_model(dict(text, vision=TOWER, tokens=256), start, start + 5)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.dim() == 1:  # gains around 1 (the soft token norm and the text model store them less 1)
                shifted = "norm" in name and "weight" in name and "vision_tower" in name
                weight.data = 0.1 * noise + (1.0 if shifted else 0.0)
            elif "position_embedding" in name:
                weight.data = 0.2 * noise
            elif "mm_input_projection" in name:
                weight.data = noise / weight.shape[0] ** 0.5
            else:
                weight.data = noise / weight[0].numel() ** 0.5
    model.save_pretrained(folder)
    return model


def soft_tokens(carat, folder, precision, image):
    with tempfile.TemporaryDirectory() as cache:
        subprocess.run([carat, "run", "--raw", "-m", folder, "--vision-precision", precision, "--image", image, "-n", "1",
                        "is"],
                       env=os.environ | {"XDG_CACHE_HOME": cache}, check=True, stdout=subprocess.DEVNULL)
        data = next(pathlib.Path(cache).glob("carat/images/*.softtokens")).read_bytes()
    (count,) = struct.unpack_from("<Q", data, 8)
    return np.frombuffer(data, "<f4", count, 80).reshape(-1, D_MODEL)


def main():
    carat = sys.argv[1]
    torch.set_num_threads(os.cpu_count())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = build(folder)
        pixels = make_tiny_vision_models.picture(896, 896, 5)
        PIL.Image.fromarray(pixels).save(folder / "picture.png")
        values = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255 * 2 - 1
        with torch.no_grad():
            expected = model.get_image_features(values, return_dict=True).pooler_output.reshape(-1, D_MODEL).numpy()
        failed = False
        for precision, least in LEAST.items():
            actual = soft_tokens(carat, name, precision, str(folder / "picture.png"))
            cosine = (actual * expected).sum(1) / np.linalg.norm(actual, axis=1) / np.linalg.norm(expected, axis=1)
            failed |= not cosine.min() >= least
            print(f"{precision}: least cosine of {len(cosine)} soft tokens {cosine.min():.6f}, mean {cosine.mean():.6f}, "
                  f"wanted {least}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
