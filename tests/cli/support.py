"""What the command-line tests share: running the program in a home folder of its own."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["CARAT_PROGRAM"]
FIXTURES = pathlib.Path(os.environ["CARAT_FIXTURES"])
# The sanitizers reserve terabytes of addresses, so a program built with them cannot live under a limit.
limits_memory = unittest.skipIf(os.environ.get("CARAT_SANITIZE"), "no limit on memory with a sanitizer")
TINY = FIXTURES / "tiny_models/chat"  # random weights, but a tokenizer: what it says means nothing


class CliTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="carat-cli."))
        self.addCleanup(shutil.rmtree, self.folder)
        self.home = self.folder / "home"
        self.store = self.home / ".local/share/carat/models"
        self.store.mkdir(parents=True)

    def environment(self, **more):
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "TERM": "xterm", **more}

    def add_model(self, name="tiny-it"):
        shutil.copytree(TINY, self.store / name)

    def write_config(self, text):
        path = self.home / ".config/carat/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def carat(self, *arguments, input=b"", stdout=subprocess.PIPE, environment={}, **more):
        """The finished process, its output decoded. It must not have crashed."""
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE, timeout=120,
            env=self.environment(**environment), **({"input": input} if "stdin" not in more else {}), **more)
        self.assertGreaterEqual(done.returncode, 0, f"killed by a signal: {done.stderr}")
        done.err = done.stderr.decode()
        done.out = done.stdout.decode() if done.stdout is not None else ""
        return done

    def succeed(self, *arguments, **more):
        done = self.carat(*arguments, **more)
        self.assertEqual(done.returncode, 0, done.err)
        return done

    def fails(self, code, message, *arguments, **more):
        """Runs a command that must exit with `code`, with one line on standard error that has `message` in it."""
        done = self.carat(*arguments, **more)
        self.assertEqual(done.returncode, code, f"{done.out}{done.err}")
        self.assertIn(message, done.err)
        self.assertTrue(done.err.startswith("carat: "), done.err)
        return done
