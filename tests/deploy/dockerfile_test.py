"""The Dockerfile, as hadolint sees it."""

import os
import pathlib
import subprocess
import sys

from deploy_support import DEPLOY, skip

HADOLINT = pathlib.Path(os.environ["CARAT_CLIENTS"]) / "bin/hadolint"
if not HADOLINT.is_file():
    skip("hadolint is not installed: ./dev setup full")
sys.exit(subprocess.run([HADOLINT, DEPLOY / "Dockerfile"], timeout=60).returncode)
