#!/usr/bin/env python3
"""--lora: adapters from the command line to the numbers, and what is said of those that do not fit."""

import json
import shutil
import struct
import unittest

from support import FIXTURES, TINY, CliTest

LORA = FIXTURES / "lora"
BASE = FIXTURES / "tiny_vision/one_token"  # random weights with a tokenizer; its text model is what counts here
ADAPTER = LORA / "multimodal"
ANSWER = ("--raw", "--max-tokens", "8", "--seed", "1", "-t", "1", "--mmproj", "none")


def expected():
    """The ids and logits that PEFT gave for the base with the adapter."""
    data = (LORA / "multimodal.bin").read_bytes()
    tokens, vocabulary = struct.unpack_from("<II", data)
    ids = struct.unpack_from(f"<{tokens}i", data, 8)
    return ids, struct.unpack_from(f"<{tokens * vocabulary}f", data, 8 + 4 * tokens)


class LoraTest(CliTest):
    def logits(self, *arguments):
        out = self.folder / "logits.npy"
        self.succeed("logits", BASE, "--kv", "f32", "--tokens", ",".join(map(str, expected()[0])), "--out", out, *arguments)
        data = out.read_bytes()
        count = len(expected()[1])
        return struct.unpack(f"<{count}f", data[-4 * count:])

    def answer(self, *arguments):
        return json.loads(self.succeed("run", "-m", BASE, *ANSWER, "--json", *arguments, "the hen").out)["ids"]

    def test_logits_are_those_of_peft(self):
        wanted = expected()[1]
        largest = max(map(abs, wanted))
        difference = max(abs(a - b) for a, b in zip(self.logits("--lora", ADAPTER), wanted))
        self.assertLess(difference, 1e-4 * largest)
        half = self.logits("--lora", f"{ADAPTER}=0.5")
        self.assertGreater(max(abs(a - b) for a, b in zip(half, wanted)), 0.01 * largest)
        plain = self.logits()
        self.assertEqual(self.logits("--lora", f"{ADAPTER}=0"), plain)
        self.assertNotEqual(plain, half)

    def test_every_command_takes_adapters(self):
        plain = self.answer()
        self.assertNotEqual(self.answer("--lora", ADAPTER), plain)
        self.assertEqual(self.answer("--lora", f"{ADAPTER}=0"), plain)
        ask = ("-m", BASE, "--max-tokens", "8", "--seed", "1", "--mmproj", "none")
        chat = [self.succeed("chat", *ask, *lora, input=b"the hen").stdout for lora in ((), ("--lora", ADAPTER))]
        self.assertNotEqual(*chat)
        text = self.folder / "text.txt"
        text.write_text("the hen is in the inn. " * 20)
        measure = ("perplexity", "-m", BASE, "-c", "16", "--json", text)
        perplexity = [json.loads(self.succeed(*measure, *lora).out)["perplexity"] for lora in ((), ("--lora", ADAPTER))]
        self.assertNotEqual(*perplexity)
        self.succeed("bench", "-m", BASE, "-p", "8", "-n", "4", "-r", "1", "--lora", ADAPTER)

    def test_inspect_says_what_an_adapter_is(self):
        shown = json.loads(self.succeed("inspect", "--json", LORA / "plain").out)
        gguf = json.loads(self.succeed("inspect", "--json", LORA / "plain.gguf").out)
        self.assertEqual((shown["kind"], shown["format"], gguf["format"]), ("lora", "PEFT", "GGUF"))
        self.assertEqual(shown["id"], gguf["id"])
        self.assertEqual(shown["base_model"], "tiny_models/wide_heads")
        self.assertEqual(len(shown["matrices"]), 3 * 7)
        self.assertEqual(shown["matrices"][0], {"layer": 0, "matrix": "q_proj", "rank": 4, "scale": 2.0, "rows": 64,
                                                "columns": 24, "type": "F32"})
        text = self.succeed("inspect", LORA / "rank_stabilized").out
        for part in ("LoRA adapter", "--lora", "PEFT", "tiny_models/odd_sizes", "2.8868"):
            self.assertIn(part, text)

    def test_errors(self):
        run = ("run", "-m", BASE, *ANSWER)
        self.fails(2, "PATH=WEIGHT", *run, "--lora", f"{ADAPTER}=much", "x")
        self.fails(2, "PATH=WEIGHT", *run, "--lora", f"{ADAPTER}=nan", "x")
        self.fails(2, "named twice", *run, "--lora", ADAPTER, "--lora", f"{ADAPTER}=0.5", "x")
        self.fails(3, "no such adapter", *run, "--lora", self.folder / "none", "x")
        self.fails(4, "[64, 24]", *run, "--lora", LORA / "plain", "x")  # an adapter of another model
        self.fails(4, "no model: name it with --lora", "run", "-m", LORA / "plain.gguf", "x")
        self.fails(4, "expected 'adapter'", *run, "--lora", FIXTURES / "reference.gguf", "x")

    def test_a_path_may_hold_an_equals_sign(self):
        folder = self.folder / "rank=3"
        shutil.copytree(ADAPTER, folder)
        self.assertEqual(self.answer("--lora", folder), self.answer("--lora", ADAPTER))
        self.assertEqual(self.answer("--lora", f"{folder}=0.5"), self.answer("--lora", f"{ADAPTER}=0.5"))

    def test_what_is_more_than_lora_is_refused_by_name(self):
        folder = self.folder / "dora"
        shutil.copytree(ADAPTER, folder)
        config = folder / "adapter_config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | {"use_dora": True}))
        self.fails(4, "DoRA", "run", "-m", TINY, "--lora", folder, "x")


if __name__ == "__main__":
    unittest.main()
