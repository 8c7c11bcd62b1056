#!/usr/bin/env python3
"""Compares a text model of a published shape, with random weights, with transformers: the logits of every position.

Writes the checkpoint (bf16, by tools/make_streamed_checkpoint.py) and a prompt of random ids longer than the sliding
window. The reference is f32 transformers with eager attention, which holds one layer's weights at a time, so that 4B
takes about 6 GB. Usage, some minutes and 2 GB (1b) or 8 GB (4b) of disk:
    tools/check_full_model.py path/to/carat --shape 4b
Needs tools/requirements-reference.txt.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import safetensors
import torch
import transformers

import make_tiny_models

MODES = {  # arguments of `carat logits`, and the largest error allowed as a share of the largest logit
    "exact activations, KV f32": (["--exact-activations", "--kv", "f32"], 1e-4),
    "as it comes (KV f16)": ([], 0.05),
}
BEYOND_WINDOW = 76  # tokens
ROWS = 32  # compared at a time, in f64


def write_checkpoint(folder, shape):
    here = pathlib.Path(__file__).resolve().parent
    subprocess.run([sys.executable, here / "make_streamed_checkpoint.py", "--shape", shape, folder], check=True)
    # Ids are given as they are, so any tokenizer will do.
    (folder / "tokenizer.json").write_text(json.dumps(make_tiny_models.tiny_tokenizer()[0]))


class Tensors:
    """The checkpoint's tensors by name, read as f32 when asked for."""

    def __init__(self, folder):
        index = json.loads((folder / "model.safetensors.index.json").read_text())
        self.files = {name: safetensors.safe_open(folder / name, "pt") for name in set(index["weight_map"].values())}
        self.weight_map = index["weight_map"]

    def read(self, name):
        return self.files[self.weight_map[name]].get_tensor(name).float()


def give_weights_while_running(layer, prefix, tensors):
    def load(layer, _):
        layer.load_state_dict({name: tensors.read(prefix + name) for name, _ in layer.named_parameters()}, assign=True)

    def drop(layer, _, __):
        layer.to("meta")

    layer.register_forward_pre_hook(load)
    layer.register_forward_hook(drop)


def load_reference(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    with torch.device("meta"):
        model = transformers.Gemma3ForCausalLM(config)
    tensors = Tensors(folder)
    for i, layer in enumerate(model.model.layers):
        give_weights_while_running(layer, f"model.layers.{i}.", tensors)
    model.model.embed_tokens.to_empty(device="cpu")
    outside = {name: tensors.read("model." + name) for name in ("embed_tokens.weight", "norm.weight")}
    model.model.load_state_dict(outside, strict=False, assign=True)
    model.tie_weights()
    # Buffers lost their values on the meta device.
    model.model.embed_tokens.embed_scale.fill_(config.hidden_size**0.5)
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    return model.eval()


def reference_logits(folder, ids):
    model = load_reference(folder)
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].numpy()


def compare(reference, path):
    """The figures of a mode over all positions."""
    actual = np.load(path, mmap_mode="r")
    assert actual.shape == reference.shape, (actual.shape, reference.shape)
    largest = error = kl = 0.0
    least_cosine, same = 1.0, 0
    for first in range(0, len(reference), ROWS):
        r = torch.from_numpy(reference[first : first + ROWS]).double()
        a = torch.from_numpy(np.array(actual[first : first + ROWS])).double()
        assert torch.isfinite(a).all(), "logits that are not finite"
        largest = max(largest, r.abs().max().item())
        error = max(error, (a - r).abs().max().item())
        least_cosine = min(least_cosine, torch.cosine_similarity(a, r, dim=-1).min().item())
        p, q = torch.log_softmax(r, dim=-1), torch.log_softmax(a, dim=-1)
        kl += (p.exp() * (p - q)).sum().item()
        same += (a.argmax(dim=-1) == r.argmax(dim=-1)).sum().item()
    count = len(reference)
    return largest, error, least_cosine, same / count, kl / count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("carat")
    parser.add_argument("--shape", choices=["270m", "1b", "4b", "12b", "27b"], required=True)
    parser.add_argument("--tokens", type=int, help=f"default: the sliding window and {BEYOND_WINDOW} more")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=pathlib.Path, help="a checkpoint written before, or the place for one")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.folder or pathlib.Path(name) / "model"
        if not folder.exists():
            write_checkpoint(folder, arguments.shape)
        config = json.loads((folder / "config.json").read_text())
        count = arguments.tokens or config["sliding_window"] + BEYOND_WINDOW
        ids = [2] + torch.randint(0, config["vocab_size"], (count - 1,), generator=torch.Generator().manual_seed(1)).tolist()
        start = time.monotonic()
        reference = reference_logits(folder, ids)
        print(f"reference: {count} tokens in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        print("| shape | mode | positions | largest logit | largest error | share | least cosine | top-1 | mean KL |\n"
              "|---|---|---|---|---|---|---|---|---|")
        failed = False
        for mode, (extra, allowed) in MODES.items():
            out = pathlib.Path(name) / "logits.npy"
            subprocess.run([arguments.carat, "logits", "-m", folder, "--tokens", ",".join(map(str, ids)), *extra,
                            "-t", str(arguments.threads), "--out", out], check=True, stdout=subprocess.DEVNULL)
            largest, error, cosine, same, kl = compare(reference, out)
            out.unlink()
            failed |= not error <= allowed * largest
            print(f"| {arguments.shape} | {mode} | {count} | {largest:.3f} | {error:.2e} | {error / largest:.1e} | "
                  f"{cosine:.9f} | {same:.2%} | {kl:.2e} |", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
