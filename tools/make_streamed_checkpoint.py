#!/usr/bin/env python3
"""Writes a bf16 safetensors checkpoint of any Gemma 3 shape with random weights, shard by shard with an index, holding
no more than a few megabytes of it. For measuring what loading and quantizing need; the tokenizer is not written.

    tools/make_streamed_checkpoint.py --shape 27b OUT_FOLDER
"""

import argparse
import json
import pathlib
import struct

import numpy

SHAPES = {  # layers, hidden, ffn, heads, kv heads, head_dim, vocabulary
    "270m": (18, 640, 2048, 4, 1, 256, 262144),
    "1b": (26, 1152, 6912, 4, 1, 256, 262144),
    "4b": (34, 2560, 10240, 8, 4, 256, 262208),
    "12b": (48, 3840, 15360, 16, 8, 256, 262208),
    "27b": (62, 5376, 21504, 32, 16, 128, 262208),
}
SHARD_BYTES = 4 << 30
CHUNK_VALUES = 1 << 20


def tensors(layers, hidden, ffn, heads, kv_heads, head_dim, vocabulary):
    """Names and shapes, in the order of a forward pass."""
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", (hidden,)
        yield prefix + "self_attn.q_proj.weight", (heads * head_dim, hidden)
        yield prefix + "self_attn.k_proj.weight", (kv_heads * head_dim, hidden)
        yield prefix + "self_attn.v_proj.weight", (kv_heads * head_dim, hidden)
        yield prefix + "self_attn.q_norm.weight", (head_dim,)
        yield prefix + "self_attn.k_norm.weight", (head_dim,)
        yield prefix + "self_attn.o_proj.weight", (hidden, heads * head_dim)
        yield prefix + "post_attention_layernorm.weight", (hidden,)
        yield prefix + "pre_feedforward_layernorm.weight", (hidden,)
        yield prefix + "mlp.gate_proj.weight", (ffn, hidden)
        yield prefix + "mlp.up_proj.weight", (ffn, hidden)
        yield prefix + "mlp.down_proj.weight", (hidden, ffn)
        yield prefix + "post_feedforward_layernorm.weight", (hidden,)
    yield "model.norm.weight", (hidden,)


def config(layers, hidden, ffn, heads, kv_heads, head_dim, vocabulary):
    large = vocabulary > 262144
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "intermediate_size": ffn,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "vocab_size": vocabulary,
        "max_position_embeddings": 131072 if large else 32768,
        "sliding_window": 1024 if large else 512,
        "sliding_window_pattern": 6,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "rope_local_base_freq": 1e4,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0} if large else None,
        "query_pre_attn_scalar": 168 if layers == 62 else 256,
        "tie_word_embeddings": True,
    }


def shards(named):
    """Lists of tensors of at most SHARD_BYTES, or of one larger tensor."""
    shard, size = [], 0
    for name, shape in named:
        count = int(numpy.prod(shape))
        if shard and size + 2 * count > SHARD_BYTES:
            yield shard
            shard, size = [], 0
        shard.append((name, shape, count))
        size += 2 * count
    yield shard


def write_values(file, count, deviation, pool, random):
    """`count` normal values, cut out of one pool at random places: drawing each anew would take hours for 27B."""
    scaled = ((pool * deviation).astype(numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16)
    while count > 0:
        start = int(random.integers(0, len(scaled) // 2))
        part = scaled[start : start + min(count, len(scaled) // 2)]
        file.write(part.tobytes())
        count -= len(part)


def write_shard(path, shard, pool, random):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, count in shard:
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + 2 * count]}
        end += 2 * count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape, count in shard:
            deviation = 0.05 if len(shape) == 1 else shape[1] ** -0.5
            write_values(file, count, deviation, pool, random)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--layers", type=int, help="another number of layers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    shape = list(SHAPES[options.shape])
    if options.layers is not None:
        shape[0] = options.layers
    options.folder.mkdir(parents=True)
    random = numpy.random.default_rng(options.seed)
    pool = random.standard_normal(2 * CHUNK_VALUES, dtype=numpy.float32)
    parts = list(shards(tensors(*shape)))
    weight_map = {}
    for index, shard in enumerate(parts):
        name = f"model-{index + 1:05}-of-{len(parts):05}.safetensors"
        write_shard(options.folder / name, shard, pool, random)
        weight_map.update({tensor: name for tensor, _, _ in shard})
    total = sum(2 * count for shard in parts for _, _, count in shard)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (options.folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (options.folder / "config.json").write_text(json.dumps(config(*shape), indent=1))


if __name__ == "__main__":
    main()
