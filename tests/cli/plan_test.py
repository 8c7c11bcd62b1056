#!/usr/bin/env python3
"""carat plan, and the refusal of models that cannot fit."""

import json
import math
import shutil
import struct
import unittest

from support import TINY, CliTest

GIB = 1 << 30


def write_huge_model(folder):
    """A model of some 3 TiB that no machine has room for. Its file is all hole, so it takes no room on the disk."""
    config = json.loads((TINY / "config.json").read_text())
    layers, width, ffn = 120, 16384, 131072
    config.update(num_hidden_layers=layers, hidden_size=width, intermediate_size=ffn, num_attention_heads=4,
                  num_key_value_heads=1, head_dim=64, tie_word_embeddings=True)
    config["layer_types"] = ["full_attention"] * layers
    shapes = {"model.embed_tokens.weight": [config["vocab_size"], width], "model.norm.weight": [width]}
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        for norm in "input post_attention pre_feedforward post_feedforward".split():
            shapes[f"{prefix}{norm}_layernorm.weight"] = [width]
        shapes |= {f"{prefix}self_attn.{name}_norm.weight": [64] for name in "qk"}
        shapes |= {f"{prefix}self_attn.{name}_proj.weight": [64, width] for name in "kv"}
        shapes[prefix + "self_attn.q_proj.weight"] = [256, width]
        shapes[prefix + "self_attn.o_proj.weight"] = [width, 256]
        shapes |= {f"{prefix}mlp.{name}_proj.weight": [ffn, width] for name in ("gate", "up")}
        shapes[prefix + "mlp.down_proj.weight"] = [width, ffn]
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(TINY / "tokenizer.json", folder)
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(file.tell() + end)


class PlanTest(CliTest):
    def plan(self, *arguments, code=0):
        done = self.carat("plan", *arguments, "--json")
        self.assertEqual(done.returncode, code, done.err)
        return json.loads(done.out)

    def test_a_name_of_the_family_needs_no_file(self):
        plan = self.plan("gemma3:4b", "--precision", "int4-block", "-c", "32768", "--memory", "16GiB")
        self.assertTrue(plan["fits"])
        self.assertEqual(plan["memory_bytes"], 16 * GIB)
        self.assertEqual(plan["total_bytes"], sum(plan["bytes"].values()))
        # 32,768 positions of 5 global layers, 4 heads of 256 keys and values each, two bytes a number.
        self.assertEqual(plan["bytes"]["kv_global"], 32768 * 5 * 2 * 4 * 256 * 2)
        two = self.plan("gemma3:4b", "--precision", "int4-block", "-c", "32768", "--memory", "16GiB", "--users", "2")
        self.assertEqual(two["bytes"]["kv_local"], 2 * plan["bytes"]["kv_local"])
        self.assertEqual(two["bytes"]["decoder"], plan["bytes"]["decoder"])

    def test_what_does_not_fit_exits_with_5_and_names_what_does(self):
        plan = self.plan("gemma-3-27b-it", "--precision", "bf16", "--device", "l4-24g", code=5)
        self.assertFalse(plan["fits"])
        self.assertEqual(plan["memory_bytes"], 24_000_000_000)
        self.assertEqual(plan["largest"], {"context": None, "users": None, "precision": "q4_k_m"})
        again = self.plan("gemma-3-27b-it", "--precision", "q4_k_m", "--device", "l4-24g")
        self.assertLessEqual(again["total_bytes"], 24_000_000_000)
        largest = again["largest"]["context"]
        self.assertTrue(self.plan("27b", "--precision", "q4_k_m", "--device", "l4-24g", "-c", str(largest))["fits"])
        self.plan("27b", "--precision", "q4_k_m", "--device", "l4-24g", "-c", str(largest + 64), code=5)
        self.fails(5, "the same model in q4_k_m fits", "plan", "27b", "--device", "l4-24g")

    def test_values_that_are_empty_or_have_no_place(self):
        for flag in ("--memory", "--device", "--precision"):
            self.fails(2, flag.strip("-"), "plan", "4b", flag, "")
        near = self.fails(2, "h200-zerogpu-70g", "plan", "4b", "--device", "h200")
        self.assertIn("h200-141g", near.err)
        self.fails(2, "goes with the files of a model", "plan", "4b", "--mmproj", "x.gguf")
        self.fails(2, "instruction-set level", "plan", "4b", "--cpu", "sse9")
        folder = self.folder / "gemma-3-4b-it"
        folder.mkdir()
        self.fails(3, "no config.json", "plan", folder)
        self.fails(3, "no config.json", "plan", "gemma-3-4b-it", cwd=self.folder)

    def test_a_name_is_planned_as_pull_gets_it(self):
        for name, words in (("gemma-3-4b-it", "Q4_K_M"), ("gemma3:4b", "Q4_K_M"), ("gemma-3-4b-it-qat", "Q4_0"),
                            ("gemma3:12b-it-qat", "Q4_0"), ("gemma-3-270m-it", "8"), ("gemma-3-4b-pt", "bfloat16"),
                            ("google/gemma-3-4b-it", "bfloat16"), ("4b", "bfloat16")):
            self.assertIn(words, self.plan(name, "--memory", "500GiB")["precision"], name)

    def test_the_devices_as_json(self):
        devices = json.loads(self.succeed("plan", "--devices", "--json").out)["devices"]
        self.assertIn({"name": "l4-24g", "memory": "24 GB", "memory_bytes": 24_000_000_000,
                       "description": "NVIDIA L4"}, devices)

    def test_the_text_counts_in_both_units_and_leaves_zeros_out(self):
        text = self.succeed("plan", "4b", "--memory", "40GiB", "--users", "2").out
        self.assertIn("for each of 2 users", text)
        self.assertIn("40.00 GiB (42.95 GB)", text)
        self.assertNotIn(" 0.0 MiB", text)

    def test_a_file_is_planned_as_stored_or_in_another_precision(self):
        self.add_model()
        self.assertEqual(self.plan("tiny-it", "--memory", "1GiB")["precision"], "as stored")
        self.assertEqual(self.plan("tiny-it", "--memory", "1GiB", "--precision", "bf16")["precision"], "bfloat16")

    def test_devices_of_ones_own(self):
        self.write_config("")
        devices = self.home / ".config/carat/devices.txt"
        devices.write_text("mine = 1.5 GiB, the old laptop\nl4-24g = 20 GB\n")
        listed = self.succeed("plan", "--devices").out
        self.assertRegex(listed, r"mine +1.5 GiB +the old laptop")
        self.assertRegex(listed, r"h200-zerogpu-70g +70 GB")
        self.assertEqual(self.plan("270m", "--device", "mine")["memory_bytes"], 3 * GIB // 2)
        self.fails(2, "did you mean 'mine'?", "plan", "270m", "--device", "mien")
        devices.write_text("mine = 1.5\n")
        self.fails(2, f"{devices}:1: expected a size such as 16GiB", "plan", "270m", "--device", "mine")

    def test_wrong_use(self):
        self.fails(3, "no model 'gemma-4-9b'", "plan", "gemma-4-9b")
        self.fails(2, "--memory: expected a size", "plan", "1b", "--memory", "16")
        self.fails(2, "--precision: expected one of bf16, q8_0", "plan", "1b", "--precision", "q3")
        self.fails(2, "can use at most 32768 tokens", "plan", "1b", "-c", "32769")
        self.fails(2, "--users", "plan", "1b", "--users", "0")
        self.fails(2, "--device", "plan", "1b", "--memory", "1GiB", "--device", "l4-24g")

    def test_the_reports_table(self):
        cells = json.loads(self.succeed("plan", "--report", "--json").out)["cells"]
        self.assertEqual(len(cells), 16)
        unexplained = [(cell["size"], cell["precision"]) for cell in cells if cell["rule"] is None]
        self.assertEqual(unexplained, [("27b", "int4, blocks of 32")])
        self.assertIn("not 72.7", self.succeed("plan", "--report").out)


class RefusalTest(CliTest):
    def test_a_model_that_cannot_fit_is_refused_before_its_weights_are_read(self):
        huge = self.store / "huge"
        write_huge_model(huge)
        for command in (["run", "-m", huge, "hello"], ["chat", "-m", huge], ["bench", "-m", huge],
                        ["logits", huge, "--text", "x", "--out", self.folder / "x.npy"],
                        ["perplexity", "-m", huge, TINY / "config.json"]):
            with self.subTest(command=command[0]):
                done = self.fails(5, "does not fit: with a context of", *command)
                self.assertIn("'carat plan' has the details", done.err)
        plan = self.carat("plan", huge)
        self.assertEqual(plan.returncode, 5)
        self.assertIn("does not fit: this machine", plan.out)


if __name__ == "__main__":
    unittest.main()
