"""Runs a script again with the Python that has the clients' packages; without one, the test is skipped."""

import os
import pathlib
import sys

SKIPPED = 77  # what ctest takes for a skip


def use():
    python = pathlib.Path(os.environ.get("CARAT_CLIENTS", "")) / "bin/python"
    if pathlib.Path(sys.executable) == python:
        return
    if not python.exists():
        print("SKIPPED: the clients' packages are not here; ./dev setup full installs them")
        sys.exit(SKIPPED)
    os.execv(python, [str(python), "-B", *sys.argv])
