"""`carat pull` against a server that behaves like the Hugging Face hub and an Ollama registry."""

import hashlib
import http.server
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import unittest

from support import PROGRAM, TINY, CliTest

REPOSITORY = "someone/gemma-3-tiny-it"


class Services(http.server.ThreadingHTTPServer):
    """Files by address, sent with ranges; `cut` ends every body after so many bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.answers = {}
        self.requests = []
        self.cut = None
        self.stall = None  # an event: set when a body was begun that does not go on
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def add_repository(self, name, folder):
        siblings = []
        for path in sorted(folder.iterdir()):
            data = path.read_bytes()
            sibling = {"rfilename": path.name, "size": len(data)}
            if path.suffix == ".safetensors":
                sibling["lfs"] = {"sha256": hashlib.sha256(data).hexdigest()}
            siblings.append(sibling)
            self.files[f"/{name}/resolve/abc123/{path.name}"] = data
        self.answers[f"/api/models/{name}/revision/main?blobs=true"] = {"sha": "abc123", "siblings": siblings}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append(self.path)
        if self.path in server.answers:
            return self.body(200, json.dumps(server.answers[self.path]).encode())
        if self.path not in server.files:
            return self.body(404, b"")
        data = server.files[self.path]
        wanted = self.headers.get("Range")
        if not wanted:
            return self.body(200, data)
        begin, end = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
        self.body(206, data[begin:end + 1], f"bytes {begin}-{end}/{len(data)}")

    def body(self, status, data, content_range=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if self.server.stall and content_range and len(data) > 5000:
            self.wfile.write(data[:5000])
            self.wfile.flush()
            self.server.stall.set()
            self.rfile.read(1)  # until the client goes away
            return
        self.wfile.write(data[:self.server.cut] if content_range else data)


class PullTest(CliTest):
    def setUp(self):
        super().setUp()
        self.services = Services()
        self.addCleanup(self.services.server_close)
        self.addCleanup(self.services.shutdown)
        self.services.add_repository(REPOSITORY, TINY)
        self.address = {"HF_ENDPOINT": self.services.address() + "/",
                        "CARAT_OLLAMA_REGISTRY": self.services.address()}

    def test_a_pulled_model_answers(self):
        done = self.succeed("pull", REPOSITORY, "--json", environment=self.address)
        result = json.loads(done.out)
        self.assertEqual(result["name"], "gemma-3-tiny-it")
        self.assertEqual(result["revision"], "abc123")
        self.assertFalse(result["was_there"])
        self.assertIn("ai.google.dev/gemma/terms", done.err)
        for path in TINY.iterdir():
            if path.suffix in (".json", ".safetensors"):
                self.assertEqual((self.store / "gemma-3-tiny-it" / path.name).read_bytes(), path.read_bytes())
        self.succeed("run", "-m", REPOSITORY, "-n", "2", "hello")
        self.succeed("run", "-m", "gemma-3-tiny-it", "-n", "2", "hello")
        again = self.succeed("pull", REPOSITORY, environment=self.address)
        self.assertIn("is there already", again.out)
        self.assertEqual(again.err, "")  # the terms are shown once

    def test_an_interrupted_pull_goes_on(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            self.services.stall = threading.Event()
            process = subprocess.Popen([PROGRAM, "pull", REPOSITORY], env=self.environment(**self.address),
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertTrue(self.services.stall.wait(60))
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, code, err)
            self.assertIn(b"goes on from here", err)
            self.assertFalse((self.store / "gemma-3-tiny-it").exists())
            self.assertTrue(list((self.store / "gemma-3-tiny-it.partial").glob("*.state")))
        self.services.stall = None
        self.succeed("pull", REPOSITORY, environment=self.address)
        self.succeed("run", "-m", "gemma-3-tiny-it", "-n", "2", "hello")

    def test_models_are_listed_and_found_where_other_programs_keep_them(self):
        self.add_model("tiny-it")
        snapshot = self.home / ".cache/huggingface/hub/models--someone--gemma-3-other-it/snapshots/abc"
        snapshot.parent.mkdir(parents=True)
        shutil.copytree(TINY, snapshot)
        studio = self.home / ".lmstudio/models/org/repo"
        studio.mkdir(parents=True)
        (studio / "broken.gguf").write_bytes(b"GGUF")
        bert = self.home / ".cache/huggingface/hub/models--a--bert/snapshots/abc"
        bert.mkdir(parents=True)
        (bert / "config.json").write_text('{"model_type": "bert"}')
        listing = json.loads(self.succeed("models", "--json").out)
        self.assertEqual(listing["others"], 1)
        models = {model["name"]: model for model in listing["models"]}
        self.assertEqual(set(models), {"tiny-it", "someone/gemma-3-other-it", "org/repo/broken.gguf"})
        self.assertEqual(models["someone/gemma-3-other-it"]["from"], "huggingface")
        self.assertIn("problem", models["org/repo/broken.gguf"])
        text = self.succeed("models", "--all").out
        self.assertIn("cannot be used", text)
        self.assertIn("of another family", text)
        self.succeed("run", "-m", "someone/gemma-3-other-it", "-n", "2", "hello")

    def test_refusals(self):
        self.fails(2, "did you mean 'gemma-3-4b-it'", "pull", "gemma-3-4b-ti", environment=self.address)
        self.fails(3, "no such repository", "pull", "someone/nothing", environment=self.address)
        self.fails(3, "no such model or tag", "pull", "gemma3:4b-none", environment=self.address)
        self.fails(2, "gemma3:4b, gemma3:12b and gemma3:27b", "pull", "gemma3:9b")
        self.fails(2, "did you mean 'gemma-3-4b-it'", "pull", "gemma-3-4b-itt")
        offline = self.fails(1, "CARAT_OFFLINE is set", "pull", REPOSITORY,
                             environment={**self.address, "CARAT_OFFLINE": "1"})
        self.assertEqual(offline.out, "")
        self.fails(2, "a token is not sent without encryption", "pull", REPOSITORY,
                   environment={"HF_ENDPOINT": "http://hub.invalid", "HF_TOKEN": "hf_x"})

    def test_without_a_network_it_fails_at_once_in_plain_words(self):
        with socket.socket() as unused:  # bound and not listening: nothing answers there
            unused.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{unused.getsockname()[1]}"
            for name, variable in ((REPOSITORY, "HF_ENDPOINT"), ("gemma3:4b", "CARAT_OLLAMA_REGISTRY")):
                done = self.fails(1, "cannot reach 127.0.0.1: nothing answers at that address; is there a network",
                                  "pull", name, environment={variable: address})
                self.assertEqual(done.out, "")

    def test_a_full_disk_ends_a_pull_that_goes_on_later(self):
        small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        self.fails(7, "cannot write", "pull", REPOSITORY, environment=self.address, preexec_fn=small)
        self.assertFalse((self.store / "gemma-3-tiny-it").exists())
        self.succeed("pull", REPOSITORY, environment=self.address)

    def test_the_models_list(self):
        self.add_model("tiny-it")
        shutil.copytree(TINY, self.store / os.fsdecode(b"bad\xff-name"))
        models = json.loads(self.succeed("models", "--json").out)
        self.assertGreater(models["memory_bytes"], 0)
        by_name = {model["name"]: model for model in models["models"]}
        self.assertEqual(set(by_name), {"tiny-it", "bad\ufffd-name"})
        for model in by_name.values():
            self.assertTrue(model["fits"])
            self.assertGreater(model["needs_bytes"], 0)
            self.assertEqual(model["precision"].lower(), "f32")
        lines = self.succeed("models").out.splitlines()
        self.assertEqual(lines[0].split(), ["name", "from", "size", "type", "images", "kind", "fits"])
        self.assertTrue(all(line.endswith("yes") for line in lines[1:]), lines)
        json.loads(self.succeed("inspect", "--json", self.store / os.fsdecode(b"bad\xff-name")).out)

    def test_passwords_are_not_shown(self):
        address = {"CARAT_HUGGING_FACE": "http://me:secret@127.0.0.1:1/x"}
        for arguments in (("config", "show"), ("config", "show", "--json")):
            shown = self.succeed(*arguments, environment=address).out
            self.assertNotIn("secret", shown)
            self.assertIn("http://***@127.0.0.1:1/x", shown)
        done = self.fails(2, "no address that can be used", "pull", REPOSITORY, environment=address)
        self.assertNotIn("secret", done.err)

    def test_a_wrong_hash_is_not_placed(self):
        target = f"/{REPOSITORY}/resolve/abc123/model.safetensors"
        self.services.files[target] = b"x" * len(self.services.files[target])
        self.fails(1, "SHA-256", "pull", REPOSITORY, environment=self.address)
        self.assertFalse((self.store / "gemma-3-tiny-it").exists())


if __name__ == "__main__":
    unittest.main()
