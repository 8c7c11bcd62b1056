"""The systemd units, as systemd itself sees them."""

import pathlib
import re
import shutil
import subprocess
import unittest

from deploy_support import DEPLOY, DeployTest, skip

ANALYZE = shutil.which("systemd-analyze")


class UnitTest(DeployTest):
    def test_exposure_is_low(self):
        done = subprocess.run([ANALYZE, "security", "--offline=true", "--no-pager", DEPLOY / "carat.service"],
                              capture_output=True, text=True, timeout=60)
        level = float(re.search(r"Overall exposure level for carat.service: ([0-9.]+)", done.stdout)[1])
        self.assertLessEqual(level, 1.5)

    def test_units_are_understood(self):
        for unit in ("carat.service", "carat.socket"):
            copy = pathlib.Path(self.folder) / unit
            copy.write_text((DEPLOY / unit).read_text().replace("/usr/local/bin/carat", "/bin/true"))
        done = subprocess.run([ANALYZE, "verify", "--man=no", self.folder / "carat.service", self.folder / "carat.socket"],
                              capture_output=True, text=True, timeout=60)
        mine = [line for line in done.stderr.splitlines() if "carat." in line]
        self.assertEqual(mine, [])


if __name__ == "__main__":
    if ANALYZE is None:
        skip("systemd-analyze is not installed")
    unittest.main()
