"""A `carat serve` with a tiny model, for one client's test."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))

from serve_support import start  # noqa: E402
from support import CliTest  # noqa: E402

MESSAGES = [{"role": "user", "content": "hello"}]
TOO_LONG = [{"role": "user", "content": "the hen " * 500}]


class ServedModelTest(CliTest):
    def setUp(self):
        super().setUp()
        self.add_model()
        self.server = start(["-c", "400"], self.environment())
        self.addCleanup(self.server.process.stderr.close)
        self.addCleanup(self.server.process.wait)
        self.addCleanup(self.server.process.kill)
        self.address = f"http://127.0.0.1:{self.server.port}"
