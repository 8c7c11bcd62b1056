"""carat serve behind nginx and behind HAProxy, with the configurations of deploy/ (other ports and folders)."""

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import time
import unittest

from deploy_support import CHAT, DEPLOY, JSON, DeployTest, skip

PROGRAMS = {"nginx": shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"),
            "haproxy": shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class ProxiesTest(DeployTest):
    def configuration(self, name, port):
        text = (DEPLOY / name).read_text()
        for old, new in (("listen 8443;", f"listen 127.0.0.1:{port};"), ("bind :8443", f"bind 127.0.0.1:{port}"),
                         ("127.0.0.1:8080", f"127.0.0.1:{self.server.port}")):
            text = text.replace(old, new)
        if name == "nginx.conf":
            folders = "".join(f"{kind}_temp_path {self.folder}/{kind};\n"
                              for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            text = f"daemon off;\nmaster_process off;\npid {self.folder}/nginx.pid;\n" + text.replace(
                "http {\n", "http {\n" + folders)
        path = self.folder / name
        path.write_text(text)
        return path

    def run_proxy(self, command, port):
        log = (self.folder / "proxy.log").open("w")
        self.addCleanup(log.close)
        process = subprocess.Popen(command, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:  # until it listens and has seen that carat is ready
            self.assertIsNone(process.poll(), (self.folder / "proxy.log").read_text())
            try:
                if self.get(port, "/ready")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        self.fail((self.folder / "proxy.log").read_text())

    def get(self, port, path):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("GET", path, headers={"Host": "localhost"})
            response = connection.getresponse()
            return response.status, response.read()

    def try_out(self, port):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
            body = json.dumps(CHAT)
            for _ in range(2):  # on one connection
                connection.request("POST", "/v1/chat/completions", body, {**JSON, "Host": "localhost"})
                response = connection.getresponse()
                answer = json.loads(response.read())
                self.assertEqual(response.status, 200, answer)
                self.assertEqual(answer["object"], "chat.completion")
            connection.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "stream": True}),
                               {**JSON, "Host": "localhost"})
            response = connection.getresponse()
            self.assertTrue(response.headers["Content-Type"].startswith("text/event-stream"))
            self.assertTrue(response.read().endswith(b"data: [DONE]\n\n"))
            # A picture's worth of text: longer than proxies take by default, too long for the model.
            connection.request("POST", "/v1/chat/completions",
                               json.dumps({"messages": [{"role": "user", "content": "the hen " * 500_000}]}),
                               {**JSON, "Host": "localhost"})
            response = connection.getresponse()
            error = json.loads(response.read())
            self.assertEqual((response.status, error["error"]["code"]), (400, "context_length_exceeded"))
        self.assertEqual(self.get(port, "/metrics")[0], 404)

    @unittest.skipUnless(PROGRAMS["nginx"], "nginx is not installed")
    def test_nginx(self):
        self.serve("--parallel", "1")
        port = free_port()
        self.run_proxy([PROGRAMS["nginx"], "-p", self.folder, "-e", self.folder / "error.log", "-c",
                        self.configuration("nginx.conf", port)], port)
        self.try_out(port)

    @unittest.skipUnless(PROGRAMS["haproxy"], "haproxy is not installed")
    def test_haproxy(self):
        self.serve("--parallel", "1")
        port = free_port()
        self.run_proxy([PROGRAMS["haproxy"], "-db", "-f", self.configuration("haproxy.cfg", port)], port)
        self.try_out(port)


if __name__ == "__main__":
    if not any(PROGRAMS.values()):
        skip("neither nginx nor haproxy is installed")
    unittest.main()
