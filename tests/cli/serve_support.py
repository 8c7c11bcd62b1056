"""A running `carat serve`, for the tests of it."""

import contextlib
import http.client
import json
import queue
import re
import subprocess
import threading

from support import PROGRAM


class Server:
    """The process, and what it writes to standard error, line by line."""

    def __init__(self, process):
        self.process = process
        self.lines = queue.Queue()
        self.log = []
        threading.Thread(target=self._read, daemon=True).start()
        self.port = None

    def _read(self):
        for line in self.process.stderr:
            self.lines.put(line)
        self.lines.put(None)

    def wait_for(self, pattern):
        """The match of the first line that has it."""
        while (line := self.lines.get(timeout=120)) is not None:
            self.log.append(line)
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"the server ended: {''.join(self.log)}")

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(self, method, path, body=None, headers={}):
        """Status, headers and the body's JSON."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            text = response.read()
            return response.status, response.headers, json.loads(text) if text else None

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(timeout=120)


def start(arguments, environment):
    """A server on a free port, once it says that it serves."""
    process = subprocess.Popen([PROGRAM, "serve", "--port", "0", *arguments], stderr=subprocess.PIPE, text=True,
                               env=environment)
    server = Server(process)
    server.port = int(server.wait_for(r"serving .* at http://127\.0\.0\.1:(\d+) ")[1])
    return server
