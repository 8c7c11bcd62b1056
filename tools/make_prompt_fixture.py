#!/usr/bin/env python3
"""Writes tests/fixtures/prompts.bin: what Hugging Face's chat template for Gemma 3 makes of some conversations.

    tools/make_prompt_fixture.py DIRECTORY

DIRECTORY holds tokenizer.json and tokenizer_config.json of an instruction-tuned Gemma 3 checkpoint. Needs the packages
of requirements-reference.txt.

The file begins with b"CCHT1\\n". Then one record a conversation; numbers are LEB128, lists and texts begin with their
length: messages (role 0 system, 1 user, 2 assistant; text), ids of the prompt. No text spells a control token: the
reference would take it for one, Carat never does.
"""

import pathlib
import random
import sys

from transformers import AutoTokenizer

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "prompts.bin"
ROLES = {"system": 0, "user": 1, "assistant": 2}
EDGES = ["", " ", "\n", "\n\n", "\n\n\n", "\t", "  \n ", "\u00a0", "\u3000", "\u2028", "\u0085", "\u001c", "\v\f", "\r\n",
         "\u200b", "\u2581", "\n" * 31, " " * 33, "\ufeff"]
TEXTS = ["", "Hi", "What is the capital of France?", "Write\n\na poem\n", "def f(x):\n    return x + 1\n", "<b>bold</b> & <i>",
         "Привет, как дела?", "你好，世界！", "مرحبا", "👩‍👩‍👧 🇫🇷", "1,234.56", "user\n", "model\n", "a  b   c\td", "- x\n- y\n\n1. z",
         "| a | b |\n|---|---|\n", "The quick brown fox jumps over the lazy dog.", "e\u0301\u00e9", "\u0000", "### User:\nhello"]


def conversations(rng):
    def text():
        return rng.choice(EDGES) + rng.choice(TEXTS) + rng.choice(EDGES + [" ", ""]) * rng.choice([0, 1])

    for edge in EDGES:
        for body in ("", "x", "Be brief."):
            yield [("user", edge + body + edge)]
            yield [("system", edge + body + edge), ("user", "Hi")]
            yield [("system", "Be brief."), ("user", edge + body + edge)]
            yield [("user", "Hi"), ("assistant", edge + body + edge), ("user", edge + "And?")]
    for _ in range(400):
        messages = [("system", text())] if rng.random() < 0.5 else []
        for _ in range(rng.randrange(4)):
            messages += [("user", text()), ("assistant", text())]
        yield messages + [("user", text())]


def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def main():
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    rng = random.Random(20250312)
    out = bytearray(b"CCHT1\n")
    count = 0
    for conversation in conversations(rng):
        messages = [{"role": role, "content": text} for role, text in conversation]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        out += number(len(conversation))
        for role, text in conversation:
            data = text.encode()
            out += number(ROLES[role]) + number(len(data)) + data
        out += number(len(ids)) + b"".join(number(i) for i in ids)
        count += 1
    OUT.write_bytes(out)
    print(f"{OUT}: {count} conversations, {len(out)} bytes")


if __name__ == "__main__":
    main()
