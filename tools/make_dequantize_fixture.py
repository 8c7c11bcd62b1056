#!/usr/bin/env python3
"""Writes tests/fixtures/dequantize.bin: random blocks of every element type and their values, by the gguf package.

For each type: u32 ggml id, u32 blocks, the blocks, then blocks * block_values f32. All little-endian.
Needs: pip install gguf numpy. Usage: tools/make_dequantize_fixture.py
"""

import pathlib
import struct

import gguf
import numpy as np

BLOCKS = 6
QUANTIZED = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"]
# Byte offsets of the f16 scales in a block; whole random blocks would make most of them NaN or huge.
SCALE_OFFSETS = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
}
# Ordinary, negative, largest finite, smallest subnormal, negative zero, and a subnormal with many bits.
SCALES = np.array([0.0123, -0.25, 65504.0, 2.0**-24, -0.0, 1000 * 2.0**-24], dtype=np.float16)


def main():
    random = np.random.default_rng(3)
    out = bytearray()
    for name in QUANTIZED:
        kind = gguf.GGMLQuantizationType[name]
        block_bytes = gguf.GGML_QUANT_SIZES[kind][1]
        blocks = random.integers(0, 256, size=(BLOCKS, block_bytes), dtype=np.uint8)
        for position, offset in enumerate(SCALE_OFFSETS[name]):
            for block in range(BLOCKS):
                blocks[block, offset : offset + 2] = np.frombuffer(SCALES[(block + position) % len(SCALES)].tobytes(), np.uint8)
        values = gguf.quants.dequantize(blocks, kind).astype("<f4")
        out += struct.pack("<II", kind.value, BLOCKS) + blocks.tobytes() + values.tobytes()
    root = pathlib.Path(__file__).resolve().parent.parent
    (root / "tests/fixtures/dequantize.bin").write_bytes(out)


if __name__ == "__main__":
    main()
