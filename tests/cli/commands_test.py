#!/usr/bin/env python3
"""The commands that run once: what they print and what they exit with."""

import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import time
import unittest

from support import PROGRAM, TINY, CliTest, limits_memory

ANSWER = ("--max-tokens", "8", "--seed", "1", "-t", "1")


class CommandLineTest(CliTest):
    def test_help_and_version(self):
        self.assertRegex(self.succeed("--version").out, r"^carat \d+\.\d+\.\d+\n$")
        for command in "chat run tokenize inspect logits perplexity bench doctor config".split():
            self.assertIn(command, self.succeed("--help").out)
            self.assertIn(f"Usage: carat {command}", self.succeed(command, "--help").out)

    def test_usage_errors(self):
        self.fails(2, "no command was given")
        self.fails(2, "no command was given; 'carat config --help'", "config")
        self.fails(2, "unknown command 'chta', did you mean 'chat'?", "chta")
        self.fails(2, "unknown flag '--temprature', did you mean '--temperature'?", "run", "--temprature", "1", "x")
        self.fails(2, "unknown command 'shw', did you mean 'show'?", "config", "shw")
        self.fails(2, "unknown flag '-v'", "-v")
        self.fails(2, "'-m' stands before the command", "-m", TINY, "run", "x")
        self.fails(2, "--temperature: expected a number between 0 and 100, found 'hot'", "run", "--temp", "hot", "x")
        self.fails(2, "FILE", "perplexity")
        self.fails(2, "--logprobs", "run", "--logprobs", "2", "x")
        self.fails(2, "ID=VALUE", "run", "--logit-bias", "5", "x")
        self.fails(2, "no place for a system prompt", "run", "--raw", "--system", "s", "x")

    def test_control_characters_do_not_reach_the_terminal(self):
        done = self.fails(3, "\ufffd]0;title\ufffd", "run", "-m", "\x1b]0;title\x07", "x")
        self.assertNotIn("\x1b", done.err)

    def test_a_message_is_one_line_of_bounded_length(self):
        done = self.fails(3, "no model 'one\ufffdtwo'", "run", "-m", "one\ntwo", "x")
        self.assertEqual(done.err.count("\n"), 1)
        done = self.fails(2, " bytes in all)", "run", "--temp", "x" * 100_000, "x")
        self.assertLess(len(done.err), 2200)


class ConfigTest(CliTest):
    def values(self, *arguments, **environment):
        shown = json.loads(self.succeed("config", "show", "--json", *arguments, environment=environment).out)
        return {entry["key"]: (entry["value"], entry["origin"]) for entry in shown}

    def test_flags_win_over_environment_over_file_over_defaults(self):
        self.assertEqual(self.values()["top_k"], (64, "default"))
        self.write_config("seed = 1\ntop_k = 5\n")
        file = self.home / ".config/carat/config.toml"
        self.assertEqual(self.values()["top_k"], (5, f"{file}:2"))
        self.assertEqual(self.values(CARAT_TOP_K="6")["top_k"], (6, "CARAT_TOP_K"))
        self.assertEqual(self.values("--top-k", "7", CARAT_TOP_K="6")["top_k"], (7, "--top-k"))
        self.assertEqual(self.values()["seed"], (1, f"{file}:1"))

    def test_every_variable_is_listed(self):
        shown = json.loads(self.succeed("config", "show", "--json").out)
        variables = {entry["variable"] for entry in shown}
        self.assertLessEqual({"CARAT_CPU", "CARAT_OFFLINE", "CARAT_PEERS", "CARAT_DATA"}, variables)
        self.assertIn("temperature", self.succeed("config", "show").out)

    def test_mistakes(self):
        self.assertIn("did you mean CARAT_SEED?",
                      self.succeed("config", "show", environment={"CARAT_SEEED": "1"}).err)
        self.fails(2, "CARAT_SEED: expected an integer", "config", "show", environment={"CARAT_SEED": "x"})
        for text, message in [("temprature = 1", "config.toml:1: unknown key 'temprature'; did you mean 'temperature'"),
                              ("\ntop_k = 'a'", "config.toml:2: top_k: expected an integer"),
                              ("top_k = = 1", "config.toml:1: ")]:
            self.write_config(text)
            self.fails(2, message, "config", "show")


class ModelTest(CliTest):
    def test_names_and_paths(self):
        self.fails(3, "./dev run", "run", "x")
        self.fails(3, "'carat pull gemma-3-1b-it'", "run", "x")
        self.fails(3, "'carat pull gemma-3-1b-it'", "chat", "-m", "gemma3:9b")
        self.add_model("Tiny-IT")
        for name in ("tiny-it", "org/Tiny-IT", str(TINY)):
            self.assertIn('"config"', self.succeed("inspect", "--json", name).out)
        self.assertIn('"config"', self.succeed("inspect", "--json").out)  # the only model is the default
        self.fails(3, "did you mean 'Tiny-IT'?", "run", "-m", "tiny-id", "x")
        self.fails(3, "there is no such file", "run", "-m", "/nonexistent/model.gguf", "x")

    def test_damaged_models(self):
        wrong = self.folder / "wrong.gguf"
        wrong.write_bytes(b"not a model")
        self.fails(4, str(wrong), "run", "-m", wrong, "x")
        wrong.write_bytes(b"")
        self.fails(4, str(wrong), "run", "-m", wrong, "x")
        wrong.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 2**63, 2**63))
        self.fails(4, str(wrong), "run", "-m", wrong, "x")
        self.add_model("short")
        weights = self.store / "short/model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-10])
        self.fails(4, "model.safetensors", "run", "-m", "short", "x")
        self.add_model("foreign")
        config = self.store / "foreign/config.json"
        config.write_text(config.read_text().replace("gemma3_text", "llama"))
        self.fails(4, "llama", "run", "-m", "foreign", "x")
        self.fails(1, "not a regular file", "inspect", "-m", "/dev/null")
        self.add_model("liar")
        config = self.store / "liar/config.json"
        honest = config.read_text()
        for key, value in (("hidden_size", 24), ("num_hidden_layers", 40), ("head_dim", 10**9), ("vocab_size", 1),
                           ("num_attention_heads", 0), ("intermediate_size", -1), ("sliding_window", "x")):
            config.write_text(json.dumps({**json.loads(honest), key: value}))
            self.fails(4, "liar", "run", "-m", "liar", "x")
        self.add_model("halved")
        folder = self.store / "halved"
        names = [tensor["name"] for tensor in json.loads(self.succeed("inspect", "--json", TINY).out)["tensors"]]
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {
            name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(names)}}))
        missing = self.carat("run", "-m", "halved", "x")
        self.assertIn(missing.returncode, (3, 4), missing.err)
        self.assertIn("model-00002-of-00002.safetensors", missing.err)

    def test_a_pipe_is_no_model(self):
        pipe = self.folder / "pipe.gguf"
        os.mkfifo(pipe)
        self.fails(1, "not a regular file", "inspect", "-m", pipe)
        for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
            self.add_model(name)
            file = self.store / name / name
            file.unlink(missing_ok=True)
            os.mkfifo(file)
            self.fails(1, "not a regular file", "run", "-m", self.store / name, "x")

    def test_inspect_shows_hostile_names_on_their_own_line(self):
        self.add_model("red\x1b[31m\nlayers 9")
        shown = self.succeed("inspect", self.store / "red\x1b[31m\nlayers 9").out
        self.assertNotIn("\x1b", shown)
        self.assertIn("red\ufffd[31m\ufffdlayers 9", shown)

    def test_inspect(self):
        shown = json.loads(self.succeed("inspect", "--json", TINY).out)
        self.assertEqual(shown["config"]["d_model"], 16)
        self.assertEqual(shown["config"]["norm_epsilon"], 1e-6)
        names = {tensor["name"] for tensor in shown["tensors"]}
        self.assertIn("model.embed_tokens.weight", names)
        self.assertEqual(shown["tensor_bytes"], sum(tensor["bytes"] for tensor in shown["tensors"]))
        self.assertIn("model.embed_tokens.weight", self.succeed("inspect", TINY).out)

    def test_doctor(self):
        self.add_model()
        self.assertIn("levels", self.succeed("doctor").out)
        self.assertIn("\nModel: no model 'nope'", self.succeed("doctor", "-m", "nope").out)
        self.assertIn("system-call filter", self.succeed("doctor").out)
        self.assertTrue(json.loads(self.succeed("doctor", "--json").out)["sandbox"]["holds"])
        self.fails(2, "instruction-set level", "run", "-m", TINY, "--cpu", "sse9", "x")


class RunTest(CliTest):
    def test_prompts_come_from_arguments_and_standard_input(self):
        def prompt_tokens(*arguments, input=b""):
            done = self.succeed("run", "-m", TINY, "--json", *ANSWER, *arguments, input=input)
            return json.loads(done.out)["usage"]["prompt_tokens"]
        both = prompt_tokens("ab", "cd", input=b"ef")
        self.assertEqual(both, prompt_tokens(input=b"ab cd\n\nef"))
        self.assertEqual(both, prompt_tokens("ab cd\n\nef"))
        self.assertGreater(both, prompt_tokens("ab cd"))
        self.fails(2, "no prompt", "run", "-m", TINY)
        self.fails(2, "no prompt", "run", "-m", TINY, " ", input=b"\n")

    def test_the_same_seed_gives_the_same_text(self):
        first = self.succeed("run", "-m", TINY, *ANSWER, "hello").out
        self.assertEqual(first, self.succeed("run", "-m", TINY, *ANSWER, "-t", "2", "hello").out)
        self.assertTrue(first.endswith("\n"))
        drawn = json.loads(self.succeed("run", "-m", TINY, "--json", "--max-tokens", "8", "hello").out)
        again = json.loads(self.succeed("run", "-m", TINY, "--json", "--max-tokens", "8", "--seed", drawn["seed"],
                                        "hello").out)
        self.assertEqual(drawn["ids"], again["ids"])

    def test_json(self):
        answer = json.loads(self.succeed("run", "-m", TINY, "--json", "--logprobs", "2", *ANSWER, "hello").out)
        self.assertEqual(answer["seed"], 1)
        self.assertEqual(answer["usage"]["generated_tokens"], len(answer["logprobs"]))
        self.assertIn(answer["finish_reason"], ("stop", "length"))
        for entry in answer["logprobs"]:
            self.assertEqual(len(entry["top"]), 2)
            self.assertLessEqual(entry["logprob"], entry["top"][0]["logprob"] + 1e-6)

    def test_every_sampling_flag_is_taken(self):
        self.succeed("run", "-m", TINY, *ANSWER, "--temperature", "0.7", "--top-k", "10", "--top-p", "0.9", "--min-p",
                     "0.01", "--repeat-penalty", "1.1", "--presence-penalty", "-0.5", "--frequency-penalty", "0.5",
                     "--logit-bias", "300=-100", "--logit-bias", "301=2.5", "--stop", "zzz", "--stop", "yyy",
                     "--system", "Be brief.", "--style", "dialogue", "--context", "400", "--kv", "bf16",
                     "--exact-activations", "--stats", "hello")
        self.fails(2, "logit_bias", "run", "-m", TINY, "--logit-bias", "999999=1", "x")
        self.fails(2, "512", "run", "-m", TINY, "--context", "100000", "x")

    def test_a_bias_forces_a_token(self):
        done = self.succeed("run", "-m", TINY, "--json", "-n", "3", "--logit-bias", "300=100", "--top-k", "1", "x")
        self.assertEqual(json.loads(done.out)["ids"], [300, 300, 300])

    def test_closed_standard_streams(self):
        closed = lambda descriptor: {"preexec_fn": lambda: os.close(descriptor)}
        self.fails(2, "no prompt", "run", "-m", TINY, **closed(0), stdin=None)
        self.fails(1, "standard output: cannot write", "run", "-m", TINY, *ANSWER, "x", **closed(1))
        self.assertEqual(self.carat("run", "-m", TINY, *ANSWER, "x", **closed(2)).returncode, 0)

    def test_invalid_utf8_on_standard_input(self):
        self.assertIn("not valid UTF-8", self.succeed("run", "-m", TINY, *ANSWER, input=b"a\xff\xfez").err)

    def test_a_prompt_longer_than_the_context(self):
        done = self.fails(1, "context of 100 tokens", "run", "-m", TINY, "--context", "100", "word " * 300)
        self.assertRegex(done.err, r"the prompt has \d{3,} tokens")

    def test_chat_without_a_terminal_answers_standard_input(self):
        self.assertNotEqual(self.succeed("chat", "-m", TINY, *ANSWER, input=b"hello").out, "")
        self.assertIn("demonstration", self.succeed("chat", "-m", TINY, *ANSWER).err)


class TokenizeTest(CliTest):
    def test_tokens(self):
        shown = json.loads(self.succeed("tokenize", "-m", TINY, "--json", "12<bos>").out)
        self.assertEqual(len(shown["ids"]), shown["count"])
        self.assertNotIn(2, shown["ids"])
        shown = json.loads(self.succeed("tokenize", "-m", TINY, "--json", "--control", "-", input=b"12<bos>").out)
        self.assertEqual(shown["ids"][-1], 2)
        lines = self.succeed("tokenize", "-m", TINY, "a\nb").out.splitlines()
        self.assertIn('107\t"\\n"', lines)


class LogitsTest(CliTest):
    def logits(self, *arguments):
        out = self.folder / "logits.npy"
        self.succeed("logits", TINY, "--out", out, *arguments)
        data = out.read_bytes()
        length = 10 + struct.unpack("<H", data[8:10])[0]
        return data[:length], data[length:]

    def test_the_numbers_are_those_of_the_reference(self):
        expected = (TINY / "expected.bin").read_bytes()
        tokens, vocabulary = struct.unpack_from("<II", expected)
        ids = struct.unpack_from(f"<{tokens}i", expected, 8)
        reference = struct.unpack_from(f"<{tokens * vocabulary}f", expected, 8 + 4 * tokens)
        header, data = self.logits("--tokens", ",".join(map(str, ids)), "--kv", "f32", "--chunk", "7")
        self.assertIn(f"'shape': ({tokens}, {vocabulary})".encode(), header)
        values = struct.unpack(f"<{tokens * vocabulary}f", data)
        largest = max(map(abs, reference))
        self.assertLess(max(abs(a - b) for a, b in zip(values, reference)), 1e-4 * largest)

    def test_chunks_do_not_matter_and_text_has_bos(self):
        self.assertEqual(self.logits("--text", "abc")[1], self.logits("--text", "abc", "--chunk", "1")[1])
        ids = json.loads(self.succeed("tokenize", "-m", TINY, "--json", "abc").out)["ids"]
        self.assertEqual(self.logits("--text", "abc"), self.logits("--tokens", ",".join(map(str, [2, *ids]))))

    def test_mistakes(self):
        out = ("--out", self.folder / "x.npy")
        self.fails(2, "--text or --tokens", "logits", TINY, *out)
        self.fails(2, "found 'a'", "logits", TINY, "--tokens", "2,a", *out)
        self.fails(2, "found '582'", "logits", TINY, "--tokens", "582", *out)
        self.fails(1, "context of 512", "logits", TINY, "--tokens", ",".join(["5"] * 513), *out)
        self.assertFalse(out[1].exists())


class MeasureTest(CliTest):
    def test_perplexity(self):
        text = self.folder / "text"
        text.write_text("the quick brown fox\n" * 40)
        done = self.succeed("perplexity", text, "-m", TINY, "--context", "64", "--chunks", "2", "--json")
        self.assertGreater(json.loads(done.out)["perplexity"], 1)
        self.fails(3, "nonexistent", "perplexity", self.folder / "nonexistent", "-m", TINY)

    def test_bench(self):
        flags = ("-m", TINY, "-t", "1", "-p", "16", "-n", "4", "-d", "0,8", "-r", "1")
        rows = json.loads(self.succeed("bench", *flags, "--json").out)
        self.assertEqual([(row["n_prompt"], row["n_gen"], row["n_depth"]) for row in rows],
                         [(16, 0, 0), (0, 4, 0), (16, 0, 8), (0, 4, 8)])
        for row in rows:
            self.assertLessEqual({"n_threads", "avg_ts", "stddev_ts"}, row.keys())
        self.assertIn("pp16", self.succeed("bench", *flags).out)
        self.fails(2, "no image tower", "bench", "-m", TINY, "--image")


class OutputTest(CliTest):
    def test_a_full_disk(self):
        self.fails(7, "No space left", "logits", TINY, "--text", "x", "--out", "/dev/full")
        with open("/dev/full", "wb") as full:
            self.fails(7, "No space left", "run", "-m", TINY, *ANSWER, "x", stdout=full)
            self.fails(7, "No space left", "inspect", TINY, stdout=full)

    def test_a_closed_pipe(self):
        for command in (("inspect", TINY), ("run", "-m", TINY, *ANSWER, "x"), ("run", "-m", TINY, "--json", *ANSWER, "x")):
            read, write = os.pipe()
            os.close(read)
            done = self.carat(*command, stdout=write)
            os.close(write)
            self.assertEqual((done.returncode, done.err), (141, ""))

    @limits_memory
    def test_too_little_memory(self):
        limit = 600 << 20
        self.fails(5, "memory", "run", "-m", TINY, "-t", "1", input=b"ab" * (25 << 20),
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    @limits_memory
    def test_too_many_threads_for_the_memory(self):
        limit = 150 << 20  # a thread's stack takes 8 MiB of it
        self.fails(5, "cannot start another thread", "run", "-m", TINY, "-t", "64", "x",
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    def test_quantize_scores_no_text_that_calibrated_it(self):
        seen = self.folder / "seen"
        more = self.folder / "more"
        seen.write_text("the quick brown fox\n" * 200)
        more.write_text("Something else first.\n" + seen.read_text())
        for text in (seen, more):
            self.fails(2, "calibrates the scales", "quantize", TINY, self.folder / "out.gguf", "--to", "q8_0",
                       "--calibrate", seen, "--text", text)
        self.assertEqual(list(self.folder.glob("out*")), [])

    def test_quantize_on_a_full_disk(self):
        small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        for out in (self.folder / "out.gguf", self.folder / "out"):
            self.fails(7, "cannot write", "quantize", TINY, out, "--to", "bf16", preexec_fn=small)
            self.assertEqual(list(self.folder.glob("out*")), [])

    def test_a_limit_on_file_sizes(self):
        out = self.folder / "out.npy"
        self.fails(7, "cannot write", "logits", "-m", TINY, "--tokens", "2," * 20 + "2", "--out", out,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)))
        self.assertEqual(list(self.folder.glob("out*")), [])


class InterruptTest(CliTest):
    def start(self, *arguments, **more):
        return subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.environment(), **more)

    def interrupt(self, process):
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)  # before standard input is closed, which would end it as well
        err = process.communicate()[1]
        self.assertEqual(process.returncode, 130, err)
        return err

    def test_a_pipe_that_nobody_writes_to(self):
        pipe = self.folder / "text"
        os.mkfifo(pipe)
        process = self.start("quantize", TINY, self.folder / "out.gguf", "--to", "q8_0", "--calibrate", pipe)
        self.wait_until_busy(process)
        while process.poll() is None:  # one that comes before the pipe is opened needs a second one
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        self.assertEqual(process.returncode, 130, process.communicate()[1])
        self.assertEqual(list(self.folder.glob("out*")), [])

    def test_quantize_leaves_nothing_unfinished(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for out in (self.folder / "out.gguf", self.folder / "out"):
                process = self.start("quantize", TINY, out, "--to", "bf16", "-t", "1")
                self.wait_until_busy(process)
                process.send_signal(number)
                err = process.communicate(timeout=60)[1]
                self.assertIn(process.returncode, (0, 128 + number), err)
                self.assertEqual(list(self.folder.glob("*.part")), [])
                self.assertEqual(out.exists(), process.returncode == 0)
                shutil.rmtree(out) if out.is_dir() else out.unlink(missing_ok=True)

    def test_while_reading_standard_input(self):
        process = self.start("tokenize", "-m", TINY, "-", stdin=subprocess.PIPE)
        process.stdin.write(b"x" * 100_000)  # more than a pipe holds: once it is written, the program is reading
        process.stdin.flush()
        self.assertIn(b"interrupted", self.interrupt(process))

    def test_while_working(self):
        text = self.folder / "text"
        text.write_text("the quick brown fox\n" * 200_000)
        process = self.start("perplexity", text, "-m", TINY, "--context", "64", "-t", "1")
        self.wait_until_busy(process)
        self.interrupt(process)

    def test_a_file_in_the_making_is_removed(self):
        out = self.folder / "logits.npy"
        ids = ",".join(["5"] * 512)
        process = self.start("logits", TINY, "--tokens", ids, "--chunk", "1", "--out", out, "-t", "1")
        self.wait_until_busy(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertIn(process.returncode, (0, 130))
        self.assertEqual(out.exists(), process.returncode == 0)
        self.assertEqual(list(self.folder.glob("*.part")), [])

    def wait_until_busy(self, process):
        """Until the program handles Ctrl-C itself, as /proc says: before that the system's default ends it."""
        status = f"/proc/{process.pid}/status"
        while process.poll() is None:
            with open(status) as file:
                caught = next(line.split()[1] for line in file if line.startswith("SigCgt"))
            if int(caught, 16) >> (signal.SIGINT - 1) & 1:
                return
            time.sleep(0.001)


if __name__ == "__main__":
    unittest.main()
