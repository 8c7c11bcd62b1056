"""What /metrics says, what docs/operations.md says of it, and what the dashboard asks for are the same names."""

import json
import re
import unittest

from deploy_support import CHAT, DEPLOY, JSON, ROOT, DeployTest

NAME = re.compile(r"carat_[a-z0-9_]+")


def documented():
    return set(NAME.findall((ROOT / "docs/operations.md").read_text().split("\n## Metrics\n")[1].split("\n## ")[0]))


class DashboardTest(DeployTest):
    def exported(self):
        server = self.serve()
        self.assertEqual(server.ask("POST", "/v1/chat/completions", CHAT, JSON)[0], 200)
        connection = server.connect()
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        self.assertEqual(response.status, 200)
        self.assertTrue(response.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        return text

    def test_the_document_names_what_is_exported(self):
        text = self.exported()
        self.assertEqual(set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)), documented())
        self.assertRegex(text, r'carat_request_success_total\{[^}]*model_name="tiny-it"\} 1\n')

    def test_the_dashboard_asks_for_what_is_documented(self):
        board = json.loads((DEPLOY / "grafana.json").read_text())
        asked = set()
        for panel in board["panels"]:
            for target in panel["targets"]:
                asked |= set(NAME.findall(target["expr"]))
        self.assertGreater(len(asked), 10)
        self.assertLessEqual({name.removesuffix("_bucket") for name in asked}, documented())


if __name__ == "__main__":
    unittest.main()
