"""`carat keys`: the secret is shown once, lists never show it, a revoked key is gone."""

import json
import stat
import unittest

from support import CliTest


class KeysTest(CliTest):
    def test_a_key_is_shown_once(self):
        made = self.succeed("keys", "add", "laptop")
        secret = made.out.strip()
        self.assertRegex(secret, r"^carat_[0-9a-f]{64}$")
        self.assertIn("only time", made.err)
        listed = self.succeed("keys", "list")
        self.assertIn("laptop", listed.out)
        self.assertIn(secret[:10], listed.out)
        self.assertNotIn(secret, listed.out)
        database = self.home / ".local/share/carat/carat.db"
        self.assertEqual(stat.S_IMODE(database.stat().st_mode), 0o600)
        self.assertNotIn(secret.encode(), database.read_bytes())

    def test_json_has_everything(self):
        made = json.loads(self.succeed(
            "keys", "add", "ci", "--owner", "team", "--scopes", "inference,metrics", "--requests-per-minute", 60,
            "--tokens-per-day", 1000, "--json").out)
        self.assertRegex(made.pop("key"), r"^carat_[0-9a-f]{64}$")
        self.assertEqual(made["owner"], "team")
        self.assertEqual(made["scopes"], ["inference", "metrics"])
        self.assertEqual(made["requests_per_minute"], 60)
        self.assertIsNone(made["concurrent_requests"])
        self.assertRegex(made["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIsNone(made["last_used"])
        self.assertEqual(made["used_today"], {"requests": 0, "tokens": 0})
        self.assertEqual(json.loads(self.succeed("keys", "list", "--json").out), {"keys": [made]})
        revoked = json.loads(self.succeed("keys", "revoke", made["id"], "--json").out)
        self.assertIsNotNone(revoked["revoked"])
        self.assertEqual(json.loads(self.succeed("keys", "list", "--json").out), {"keys": []})
        self.assertEqual(json.loads(self.succeed("keys", "list", "--all", "--json").out), {"keys": [revoked]})

    def test_mistakes_have_their_exit_codes(self):
        self.succeed("keys", "add", "a")
        self.fails(1, "'a' is in use", "keys", "add", "a")
        self.fails(2, "--scopes", "keys", "add", "b", "--scopes", "root")
        self.fails(2, "requests per minute", "keys", "add", "b", "--requests-per-minute", 0)
        self.fails(2, "key name", "keys", "add", "")
        self.fails(3, "no such key", "keys", "revoke", "b")
        self.succeed("keys", "revoke", "a")
        self.fails(3, "no such key", "keys", "revoke", "a")

    def test_a_foreign_file_is_refused_and_stays(self):
        database = self.home / ".local/share/carat/carat.db"
        database.write_text("my notes")
        self.fails(1, "carat.db", "keys", "list")
        self.assertEqual(database.read_text(), "my notes")


if __name__ == "__main__":
    unittest.main()
