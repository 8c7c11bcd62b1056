#!/usr/bin/env python3
"""Writes tests/fixtures/reference.gguf and reference.safetensors with the formats' own Python packages.

Needs: pip install gguf safetensors numpy. Usage: tools/make_formats_fixtures.py
"""

import pathlib

import gguf
import numpy as np
import safetensors.numpy

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures"


def write_gguf():
    writer = gguf.GGUFWriter(FIXTURES / "reference.gguf", "gemma3")
    writer.add_custom_alignment(64)
    writer.add_uint8("k.u8", 200)
    writer.add_int8("k.i8", -100)
    writer.add_uint16("k.u16", 60000)
    writer.add_int16("k.i16", 30000)
    writer.add_uint32("k.u32", 4000000000)
    writer.add_int32("k.i32", 2000000000)
    writer.add_uint64("k.u64", 2**40)
    writer.add_int64("k.i64", 7)
    writer.add_float32("k.f32", 0.1)
    writer.add_float64("k.f64", 0.25)
    writer.add_bool("k.bool", True)
    writer.add_string("k.string", "Gr\u00fc\u00dfe \u4f60\u597d")
    writer.add_array("k.strings", ["", "a", "\u2581the", "long " * 100])
    writer.add_array("k.floats", [1.5, -2.25, 1e30])
    writer.add_array("k.ints", [1, -2, 3])
    writer.add_array("k.bools", [True, False, True])
    writer.add_tensor("vector", np.arange(5, dtype=np.float32))
    writer.add_tensor("cube", np.arange(24, dtype=np.float16).reshape(2, 3, 4))
    quantized = gguf.quants.quantize(np.linspace(-1, 1, 96, dtype=np.float32).reshape(3, 32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("quantized", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_safetensors():
    tensors = {
        "b.vector": np.arange(5, dtype=np.float32),
        "a.matrix": np.arange(6, dtype=np.float16).reshape(2, 3),
        "scalar": np.array(2.5, dtype=np.float32),
    }
    (FIXTURES / "reference.safetensors").write_bytes(safetensors.numpy.save(tensors, metadata={"format": "pt"}))


if __name__ == "__main__":
    write_gguf()
    write_safetensors()
