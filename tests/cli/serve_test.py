"""`carat serve` as a process: start, requests, signals, exit codes."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import time
import unittest

from serve_support import start
from support import CliTest

CHAT = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 5, "seed": 1}


class ServeTest(CliTest):
    def serve(self, *arguments, **environment):
        self.add_model()
        server = start(["-c", "400", *arguments], self.environment(**environment))
        self.addCleanup(server.process.stderr.close)
        self.addCleanup(server.process.wait)
        self.addCleanup(server.process.kill)
        return server

    def test_answers_and_ends_cleanly(self):
        server = self.serve()
        status, headers, models = server.ask("GET", "/v1/models")
        self.assertEqual((status, models["data"][0]["id"]), (200, "tiny-it"))
        self.assertEqual(models["data"][0]["max_model_len"], 400)
        status, headers, answer = server.ask("POST", "/v1/chat/completions", CHAT)
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["usage"]["completion_tokens"], 5)
        self.assertRegex(answer["system_fingerprint"], "^fp_[0-9a-f]{16}$")
        # The same request again is the same text, from a prompt that is in the KV cache.
        again = server.ask("POST", "/v1/chat/completions", CHAT)[2]
        self.assertEqual(again["choices"], answer["choices"])
        self.assertGreater(again["usage"]["prompt_tokens_details"]["cached_tokens"], 0)
        self.assertEqual(server.end(signal.SIGTERM), 0)

    def test_stream_is_the_whole_answer(self):
        server = self.serve()
        whole = server.ask("POST", "/v1/chat/completions", CHAT)[2]["choices"][0]["message"]["content"]
        with contextlib.closing(server.connect()) as connection:
            connection.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "stream": True}))
            lines = connection.getresponse().read().decode().splitlines()
        events = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        self.assertEqual(events.pop(), "[DONE]")
        deltas = [json.loads(event)["choices"][0]["delta"] for event in events]
        self.assertEqual("".join(delta.get("content", "") for delta in deltas), whole)

    def test_tokens_and_log_probabilities(self):
        server = self.serve()
        tokens = server.ask("POST", "/tokenize", {"prompt": "the hen"})[2]["tokens"]
        self.assertEqual(server.ask("POST", "/detokenize", {"tokens": tokens[1:]})[2]["content"], "the hen")
        body = {"prompt": tokens, "max_tokens": 1, "echo": True, "logprobs": 1, "temperature": 0}
        logprobs = server.ask("POST", "/v1/completions", body)[2]["choices"][0]["logprobs"]
        self.assertEqual(len(logprobs["tokens"]), len(tokens) + 1)
        self.assertIsNone(logprobs["token_logprobs"][0])
        self.assertTrue(all(value < 0 for value in logprobs["token_logprobs"][1:]))

    def test_log_has_no_text(self):
        server = self.serve("--log-json")
        server.ask("POST", "/v1/chat/completions?secret=1", {"messages": [{"role": "user", "content": "secret"}],
                                                             "max_tokens": 1})
        match = server.wait_for(r'"route":"/v1/chat/completions","status":200')
        self.assertNotIn("secret", "".join(server.log))
        self.assertIn("request_id", match.string)

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            self.fails(6, "", "serve", "--port", other.getsockname()[1])

    def test_other_addresses_need_a_key(self):
        self.fails(2, "--api-key-file", "serve", "--host", "0.0.0.0", "--port", "0")
        keys = self.folder / "keys"
        keys.write_text("short\n")
        self.fails(2, "keys:1", "serve", "--api-key-file", keys, "--port", "0")
        self.fails(2, "go together", "serve", "--tls-key", keys, "--port", "0")

    def test_keys(self):
        keys = self.folder / "keys"
        keys.write_text("0123456789abcdef0123\n")
        server = self.serve("--api-key-file", str(keys), "--alias", "one", "--alias", "two")
        self.assertEqual(server.ask("GET", "/v1/models")[0], 401)
        authorized = {"Authorization": "Bearer 0123456789abcdef0123"}
        models = server.ask("GET", "/v1/models", headers=authorized)[2]
        self.assertEqual([model["id"] for model in models["data"]], ["tiny-it", "one", "two"])

    def add_key(self, *arguments):
        return self.succeed("keys", "add", *arguments).out.strip()

    def ask_as(self, server, key, path="/v1/models"):
        with contextlib.closing(server.connect()) as connection:
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
            return connection.getresponse().status

    def until(self, condition):
        """The server looks at its keys every second."""
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_keys_of_the_store(self):
        key = self.add_key("laptop", "--owner", "ann", "--tokens-per-day", 1000)
        server = self.serve()
        self.assertEqual(server.ask("GET", "/v1/models")[0], 401)
        self.assertEqual(self.ask_as(server, key), 200)
        self.assertEqual(self.ask_as(server, key, "/metrics"), 403)
        operator = self.add_key("operator", "--scopes", "metrics")
        self.until(lambda: self.ask_as(server, operator, "/metrics") == 200)
        status, _, answer = server.ask("POST", "/v1/chat/completions", CHAT, {"x-api-key": key})
        self.assertEqual(status, 200, answer)
        used = answer["usage"]["total_tokens"]
        usage = lambda: json.loads(self.succeed("keys", "list", "--json").out)["keys"][0]["used_today"]
        self.until(lambda: usage()["tokens"] == used)
        self.assertEqual(usage()["requests"], 2)
        self.succeed("keys", "revoke", "laptop")
        self.until(lambda: self.ask_as(server, key) == 401)
        self.assertNotIn(key, "".join(server.log))

    def test_a_revoked_key_opens_nothing(self):
        key = self.add_key("only")
        server = self.serve()
        self.succeed("keys", "revoke", "only")
        self.until(lambda: self.ask_as(server, key) == 401)
        self.assertEqual(server.ask("GET", "/v1/models")[0], 401)

    def test_listens_where_it_says_and_nowhere_else(self):
        server = self.serve()
        server.ask("POST", "/v1/chat/completions", CHAT)
        inodes = set()
        for descriptor in os.listdir(f"/proc/{server.process.pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{server.process.pid}/fd/{descriptor}")
                if match := re.fullmatch(r"socket:\[(\d+)\]", target):
                    inodes.add(match[1])
        listening = []
        for table in ("tcp", "tcp6", "udp", "udp6"):
            path = pathlib.Path(f"/proc/{server.process.pid}/net/{table}")
            for line in path.read_text().splitlines()[1:] if path.exists() else ():
                fields = line.split()
                if fields[9] in inodes:
                    listening.append((table, *fields[1].split(":")))
        self.assertEqual({(table, address, int(port, 16)) for table, address, port in listening},
                         {("tcp", "0100007F", server.port)})
    def test_models_on_demand(self):
        self.add_model("other-it")
        server = self.serve("tiny-it", "--models", "all", "--alias", "gpt=other-it")
        names = [model["id"] for model in server.ask("GET", "/v1/models")[2]["data"]]
        self.assertEqual(names, ["tiny-it", "other-it", "gpt"])
        self.assertEqual(len(server.ask("GET", "/api/ps")[2]["models"]), 1)
        own = server.ask("POST", "/v1/chat/completions", CHAT)[2]
        other = server.ask("POST", "/v1/chat/completions", {**CHAT, "model": "gpt"})[2]
        self.assertEqual(other["model"], "gpt")
        self.assertEqual(other["choices"], own["choices"])
        self.assertEqual(len(server.ask("GET", "/api/ps")[2]["models"]), 3)
        unload = {"model": "other-it", "keep_alive": 0}
        self.assertEqual(server.ask("POST", "/api/generate", unload)[2]["done_reason"], "unload")
        # No name is a path, and the model at the start stays.
        self.assertEqual(server.ask("POST", "/api/show", {"model": str(self.store / "other-it")})[0], 404)
        self.assertEqual(server.ask("POST", "/api/generate", {**unload, "model": "tiny-it"})[2]["done_reason"], "load")
        self.assertEqual(server.end(signal.SIGTERM), 0)

    def test_models_without_memory_or_time(self):
        server = self.serve("--models", "tiny-it", "--model-memory", "1")
        status, headers, answer = server.ask("POST", "/v1/chat/completions", {**CHAT, "model": "tiny-it"})
        self.assertEqual((status, answer["error"]["code"]), (400, "model_does_not_fit"))
        self.assertIn("1.0 MiB", answer["error"]["message"])
        self.fails(2, "--keep-alive", "serve", "--keep-alive", "soon", "--port", "0")

    def test_no_model(self):
        self.fails(3, "", "serve", "--port", "0")

    def test_interrupt(self):
        server = self.serve("--drain-seconds", "0")
        with contextlib.closing(server.connect()) as connection:
            connection.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "max_tokens": -1, "stream": True}))
            connection.getresponse().read(1)
            self.assertEqual(server.end(signal.SIGINT), 130)


if __name__ == "__main__":
    unittest.main()
