#!/usr/bin/env python3
"""The chat, typed at on a pseudo-terminal."""

import json
import os
import pty
import re
import select
import signal
import stat
import time
import unittest

from support import PROGRAM, TINY, CliTest

PROMPT = "> "
PASTE_ON = "\x1b[?2004h"


class Terminal:
    """A program on a terminal of its own, and what it has shown."""

    def __init__(self, arguments, environment):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [PROGRAM, *map(str, arguments)], environment)
        self.shown = ""

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def wait_for(self, text):
        """Reads until `text` is shown; what was shown up to there is returned and forgotten."""
        deadline = time.monotonic() + 60
        while text not in self.shown:
            if not select.select([self.descriptor], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"waited for {text!r}, but there is only {self.shown!r}")
            self.read()
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def read(self):
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:  # the program has closed the terminal
            data = b""
        if not data:
            raise AssertionError(f"the program ended after {self.shown!r}")
        self.shown += data.decode(errors="replace")

    def exit_code(self):
        try:
            while True:
                self.read()
        except AssertionError:
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.descriptor)
        return code


class ChatTest(CliTest):
    def chat(self, *arguments):
        terminal = Terminal(["chat", "-m", TINY, "-t", "1", "--seed", "1", "-n", "4", *arguments], self.environment())
        self.addCleanup(self.end, terminal)
        self.wait_for_prompt(terminal)
        return terminal

    def end(self, terminal):
        try:
            os.kill(terminal.pid, signal.SIGKILL)
            terminal.exit_code()
        except (ProcessLookupError, ChildProcessError):
            pass

    def wait_for_prompt(self, terminal):
        """Each prompt is announced by switching bracketed paste on."""
        shown = terminal.wait_for(PASTE_ON)
        terminal.wait_for(PROMPT)
        return shown

    def send(self, terminal, line):
        terminal.type(line + "\r")
        return self.wait_for_prompt(terminal)

    def saved(self, terminal):
        path = self.folder / "chat.json"
        self.assertIn("saved", self.send(terminal, f"/save {path}"))
        return json.loads(path.read_text())["messages"]

    def test_messages_are_answered_and_saved(self):
        terminal = self.chat()
        self.send(terminal, "hello")
        self.send(terminal, "grüße, 世界")
        messages = self.saved(terminal)
        self.assertEqual([m["role"] for m in messages], ["user", "assistant"] * 2)
        self.assertEqual([m["text"] for m in messages[::2]], ["hello", "grüße, 世界"])
        self.assertTrue(messages[1]["ids"])
        self.send(terminal, "/reset")
        self.assertEqual(self.saved(terminal), [])
        terminal.type("/exit\r")
        self.assertEqual(terminal.exit_code(), 0)

    def test_the_cache_is_used_from_turn_to_turn(self):
        terminal = self.chat("--stats")
        first = int(re.search(r"prompt (\d+) tokens, 0 of them cached", self.send(terminal, "hello"))[1])
        cached = int(re.search(r"tokens, (\d+) of them cached", self.send(terminal, "more"))[1])
        self.assertGreaterEqual(cached, first)

    def test_control_d_leaves(self):
        terminal = self.chat()
        terminal.type("\x04")
        self.assertEqual(terminal.exit_code(), 0)

    def test_control_c_clears_the_line_and_leaves_when_pressed_twice(self):
        terminal = self.chat()
        terminal.type("half a line")
        terminal.wait_for("half a line")
        terminal.type("\x03")
        self.wait_for_prompt(terminal)
        self.send(terminal, "hello")
        self.assertEqual(self.saved(terminal)[0]["text"], "hello")
        terminal.type("\x03")
        self.assertIn("Ctrl-C again", self.wait_for_prompt(terminal))
        terminal.type("\x03")
        self.assertEqual(terminal.exit_code(), 130)

    def test_pasted_lines_are_one_message(self):
        terminal = self.chat()
        self.send(terminal, "\x1b[200~one\rtwo\x1b[201~ three")
        many = "\n".join(str(i % 10) for i in range(20))
        shown = self.send(terminal, f"see \x1b[200~{many}\x1b[201~")
        self.assertIn("[pasted text 1: 20 lines]", shown)
        self.assertEqual([m["text"] for m in self.saved(terminal)[::2]], ["one\ntwo three", "see " + many])

    def test_history_is_kept_for_the_owner_alone(self):
        terminal = self.chat()
        self.send(terminal, "remember me")
        terminal.type("\x04")
        terminal.exit_code()
        history = self.home / ".local/state/carat/history"
        self.assertEqual(history.read_text(), "remember me\n")
        self.assertEqual(stat.S_IMODE(history.stat().st_mode), 0o600)
        terminal = self.chat()
        self.send(terminal, "\x1b[A")  # arrow up
        self.assertEqual(self.saved(terminal)[0]["text"], "remember me")

    def test_a_message_longer_than_the_context_is_kept_for_editing(self):
        terminal = self.chat("--context", "200")
        text = "word " * 100
        self.assertRegex(self.send(terminal, text), r"the prompt has \d+ tokens.*context of 200")
        self.assertEqual(self.saved(terminal), [])
        terminal.type("\x1b[A\x1b[A")  # past /save
        terminal.wait_for("word")

    def test_commands_and_mistakes(self):
        terminal = self.chat()
        self.assertIn("/retry", self.send(terminal, "/help"))
        self.assertIn("did you mean /help?", self.send(terminal, "/hlep"))
        self.assertIn("temperature = 0.5", self.send(terminal, "/set temperature 0.5"))
        self.assertIn("system prompt: Be brief.", self.send(terminal, "/system Be brief."))
        notes = self.folder / "notes.txt"
        notes.write_text("from a file")
        self.assertIn("goes with the next message", self.send(terminal, f"/file {notes}"))
        self.send(terminal, "hello")
        self.assertIn("from a file", self.saved(terminal)[0]["text"])
        self.assertIn("tok/s", self.send(terminal, "/stats"))
        self.assertIn("not a conversation", self.send(terminal, f"/load {notes}"))
        self.assertIn("loaded 2 messages", self.send(terminal, f"/load {self.folder / 'chat.json'}"))

    def test_escapes_in_files_are_not_obeyed(self):
        conversation = self.folder / "c.json"
        conversation.write_text(json.dumps({"format": "carat-conversation", "system": "\x1b[31mred", "messages": [], "version": 1}))
        terminal = self.chat()
        self.send(terminal, f"/load {conversation}")
        shown = self.send(terminal, "/system")
        self.assertIn("[31mred", shown)
        self.assertNotIn("\x1b[31m", shown)

    def test_a_base_model_is_announced(self):
        self.add_model("tiny-pt")
        terminal = Terminal(["chat"], self.environment())
        self.addCleanup(self.end, terminal)
        self.assertIn("base model", self.wait_for_prompt(terminal))


if __name__ == "__main__":
    unittest.main()
