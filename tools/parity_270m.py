#!/usr/bin/env python3
"""Compares Carat's logits of the real Gemma 3 270M with f32 transformers on the same, dequantized weights.

Text is the WikiText-2 test set (wikitext-2-test.txt.gz in $CARAT_DATA), cut into chunks of 512 tokens of which the
first is replaced by BOS. For each chunk transformers' logits are computed, then `carat logits` runs with and without
--exact-activations, and each result is reduced to mean KL(reference || carat) and top-1 agreement before the next
chunk, so that nothing but one chunk is held. With $CARAT_PEERS, llama.cpp is measured on the second half of each
chunk: llama-perplexity gets the reference's log-probabilities in its own file format (16 bits each, probabilities
below e^-16 left out) and reports the two figures. Carat's figures are printed for all positions and for those.

--fixture FILE writes what tests/parity_270m_test.cc reads instead, from the first 640 tokens:
    u32 tokens, u32 stored positions, u32 top; tokens * i32 ids; then for each stored position
    u32 position, f32 log-sum-exp of all logits, top * i32 ids, top * f32 logits (largest first); little-endian.

Needs tools/requirements-reference.txt and the tokenizer.json of Gemma 3. Usage, about 15 minutes on two cores:
    tools/parity_270m.py --model gemma-3-270m-q4_k_m.gguf --tokenizer tokenizer.json [--carat build/release/bin/carat]
"""

import argparse
import gzip
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

import gguf
import numpy as np
import tokenizers
import torch
import transformers

CHUNK = 512
BOS = 2
NAMES = {  # GGUF to transformers, inside a layer
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "post_ffw_norm": "post_feedforward_layernorm",
}
FIXTURE_TOKENS = 640  # past the window of 512
FIXTURE_POSITIONS = [*range(64), *range(448, 640)]
FIXTURE_TOP = 64


def load_reference(path):
    """The GGUF's dequantized weights in f32 transformers with eager attention."""
    reader = gguf.GGUFReader(path)

    def field(name):
        return reader.fields["gemma3." + name].contents()

    layers = field("block_count")
    config = transformers.Gemma3TextConfig(
        vocab_size=262_144, hidden_size=field("embedding_length"), intermediate_size=field("feed_forward_length"),
        num_hidden_layers=layers, num_attention_heads=field("attention.head_count"),
        num_key_value_heads=field("attention.head_count_kv"), head_dim=field("attention.key_length"),
        sliding_window=field("attention.sliding_window"), query_pre_attn_scalar=field("attention.key_length"),
        max_position_embeddings=field("context_length"), rms_norm_eps=field("attention.layer_norm_rms_epsilon"),
        layer_types=["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(layers)],
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": field("rope.freq_base")},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0}},
        tie_word_embeddings=True, attn_implementation="eager", use_cache=False)
    state = {}
    for tensor in reader.tensors:
        values = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
        values = values.reshape([int(n) for n in reversed(tensor.shape)])
        if tensor.name.endswith("norm.weight"):
            values -= 1.0  # GGUF stores the whole gain
        if match := re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", tensor.name):
            state[f"model.layers.{match[1]}.{NAMES[match[2]]}.weight"] = values
        else:
            state[{"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}[
                tensor.name]] = values
    with torch.device("meta"):
        model = transformers.Gemma3ForCausalLM(config)
    model = model.to_empty(device="cpu")
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert set(missing) <= {"lm_head.weight"} and not unexpected, (missing, unexpected)
    model.tie_weights()
    # Buffers lost their values on the meta device.
    model.model.embed_tokens.embed_scale.fill_(config.hidden_size**0.5)
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    return model.eval()


def reference_logits(model, ids):
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).logits[0].numpy()


def read_chunks(data, tokenizer_path, length, count):
    with gzip.open(pathlib.Path(data) / "wikitext-2-test.txt.gz", "rt", encoding="utf-8") as file:
        text = file.read()
    tokenizer = tokenizers.Tokenizer.from_file(tokenizer_path)
    tokenizer.encode_special_tokens = True  # the text says <unk> a lot, and means the five characters
    ids = [BOS] + tokenizer.encode(text, add_special_tokens=False).ids
    chunks = [[BOS] + ids[i + 1 : i + length] for i in range(0, count * length, length)]
    assert all(len(chunk) == length for chunk in chunks), "not enough text"
    return chunks


def compare(reference, other):
    """Per position: KL(reference || other) in nats, and whether both have the same largest logit."""
    kl = []
    same = []
    for first in range(0, len(reference), 32):  # rows, in f64
        p = torch.log_softmax(torch.from_numpy(reference[first : first + 32]).double(), dim=-1)
        q = torch.log_softmax(torch.from_numpy(other[first : first + 32]).double(), dim=-1)
        assert torch.isfinite(q).all(), "logits that are not finite"
        kl.append((p.exp() * (p - q)).sum(dim=-1).numpy())
        same.append((p.argmax(dim=-1) == q.argmax(dim=-1)).numpy())
    return np.concatenate(kl), np.concatenate(same)


def carat_logits(carat, model, ids, extra, folder):
    out = pathlib.Path(folder) / "logits.npy"
    subprocess.run([carat, "logits", "-m", model, "--tokens", ",".join(map(str, ids)), *extra, "--out", str(out)],
                   check=True, stdout=subprocess.DEVNULL)
    logits = np.load(out)
    out.unlink()
    assert logits.shape[0] == len(ids)
    return logits


def second_half(chunk_length):
    """The positions that llama-perplexity scores."""
    return slice(chunk_length // 2, chunk_length - 1)


def write_base_row(file, logits):
    """One row of llama-perplexity's --kl-divergence-base file: f32 step, f32 least log-probability, u16 each."""
    largest = logits.max()
    least = max(logits.min(), largest - 16)
    log_sum = np.log(np.exp((logits - largest).astype(np.float64)).sum())
    step = np.float32((largest - least) / 65535)
    file.write(struct.pack("<ff", step, least - largest - log_sum))
    file.write(np.rint(np.maximum(logits - least, 0) / step).astype("<u2").tobytes())


def llama_figures(peers, model, ids, reference, folder):
    """Sums over the second half of a chunk: KL, positions with the same largest logit, positions."""
    base = pathlib.Path(folder) / "base.bin"
    vocabulary = reference.shape[1]
    assert vocabulary % 2 == 0
    with base.open("wb") as file:
        file.write(b"_logits_" + struct.pack("<Iii", len(ids), vocabulary, 1) + np.array(ids, "<i4").tobytes())
        for row in reference[second_half(len(ids))]:
            write_base_row(file, row)
    output = subprocess.run(
        [str(pathlib.Path(peers) / "run"), "llama.cpp", "llama-perplexity", "-m", model, "--kl-divergence",
         "--kl-divergence-base", str(base), "-c", str(len(ids)), "-b", str(len(ids)), "-t", "2"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace").stdout
    base.unlink()
    kl = re.search(r"Mean\s+KLD:\s+([-\d.]+)", output)
    same = re.search(r"Same top p:\s+([\d.]+)", output)
    if not kl or not same:
        sys.exit("llama-perplexity printed no figures:\n" + output[-2000:])
    count = len(reference[second_half(len(ids))])
    return float(kl[1]) * count, float(same[1]) / 100 * count, count


def write_fixture(path, model, ids):
    logits = reference_logits(model, ids)
    out = bytearray(struct.pack("<III", len(ids), len(FIXTURE_POSITIONS), FIXTURE_TOP))
    out += np.array(ids, "<i4").tobytes()
    for position in FIXTURE_POSITIONS:
        row = logits[position].astype(np.float64)
        log_sum = row.max() + np.log(np.exp(row - row.max()).sum())
        top = np.argsort(-row, kind="stable")[:FIXTURE_TOP]
        out += struct.pack("<If", position, log_sum) + top.astype("<i4").tobytes() + row[top].astype("<f4").tobytes()
    pathlib.Path(path).write_bytes(out)
    print(f"{path}: {len(out):,} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="GGUF of Gemma 3 270M")
    parser.add_argument("--tokenizer", required=True, help="tokenizer.json of Gemma 3")
    parser.add_argument("--data", default=os.environ.get("CARAT_DATA"), help="folder with wikitext-2-test.txt.gz")
    parser.add_argument("--peers", default=os.environ.get("CARAT_PEERS"), help="folder with run; left out if unset")
    parser.add_argument("--carat", help="program to measure; left out if unset")
    parser.add_argument("--carat-args", default="", help="more arguments of `carat logits`, e.g. '-t 2'")
    parser.add_argument("--chunks", type=int, default=17, help="of 512 tokens; 17 give llama.cpp 4,335 positions")
    parser.add_argument("--threads", type=int, default=2, help="of transformers")
    parser.add_argument("--fixture", help="write the gate's fixture here and stop")
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("--data or CARAT_DATA must name the folder with wikitext-2-test.txt.gz")
    torch.set_num_threads(arguments.threads)
    model = load_reference(arguments.model)
    if arguments.fixture:
        write_fixture(arguments.fixture, model,
                      read_chunks(arguments.data, arguments.tokenizer, FIXTURE_TOKENS, 1)[0])
        return

    modes = {}
    if arguments.carat:
        extra = arguments.carat_args.split()
        modes = {"carat, exact activations": extra + ["--exact-activations"], "carat, fast": extra}
    kl = {mode: [] for mode in modes}
    same = {mode: [] for mode in modes}
    llama = np.zeros(3)
    half = second_half(CHUNK)
    with tempfile.TemporaryDirectory() as folder:
        for number, ids in enumerate(read_chunks(arguments.data, arguments.tokenizer, CHUNK, arguments.chunks)):
            reference = reference_logits(model, ids)
            for mode, extra in modes.items():
                figures = compare(reference, carat_logits(arguments.carat, arguments.model, ids, extra, folder))
                kl[mode].append(figures[0])
                same[mode].append(figures[1])
            if arguments.peers:
                llama += llama_figures(arguments.peers, arguments.model, ids, reference, folder)
            so_far = ", ".join(f"{mode} {np.concatenate(values).mean():.2e}" for mode, values in kl.items())
            print(f"chunk {number + 1} of {arguments.chunks}: mean KL {so_far}", file=sys.stderr, flush=True)

    print("| | positions | mean KL | top-1 agreement |\n|---|---|---|---|")
    for mode in modes:
        for name, part in (("all positions", slice(None)), ("second halves", half)):
            values = np.concatenate([chunk[part] for chunk in kl[mode]])
            agree = np.concatenate([chunk[part] for chunk in same[mode]])
            print(f"| {mode}, {name} | {len(values):,} | {values.mean():.3e} | {agree.mean():.2%} |")
    if arguments.peers:
        print(f"| llama.cpp, second halves | {llama[2]:,.0f} | {llama[0] / llama[2]:.3e} | {llama[1] / llama[2]:.2%} |")


if __name__ == "__main__":
    main()
