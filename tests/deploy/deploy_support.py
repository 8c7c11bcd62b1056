"""A `carat serve` with a tiny model, for the tests of what stands around it."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from serve_support import start  # noqa: E402
from support import CliTest  # noqa: E402

CHAT = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
JSON = {"Content-Type": "application/json"}


class DeployTest(CliTest):
    def serve(self, *arguments):
        self.add_model()
        self.server = start(["-c", "400", *arguments], self.environment())
        self.addCleanup(self.server.process.stderr.close)
        self.addCleanup(self.server.process.wait)
        self.addCleanup(self.server.process.kill)
        return self.server


def skip(reason):
    """Ends the test program as skipped."""
    print(reason)
    sys.exit(77)
