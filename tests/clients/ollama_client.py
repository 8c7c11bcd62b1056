"""The unmodified `ollama` package against `carat serve`: chat, generate, streams, the catalogue, errors."""

import asyncio
import json
import unittest

import client_packages

client_packages.use()

import ollama  # noqa: E402
from served_model import MESSAGES, TOO_LONG, ServedModelTest  # noqa: E402

OPTIONS = {"seed": 1, "num_predict": 6}


class OllamaClientTest(ServedModelTest):
    def setUp(self):
        super().setUp()
        self.client = ollama.Client(host=self.address)
        self.addCleanup(self.client._client.close)

    def chat(self, **more):
        return self.client.chat(**{"model": "tiny-it", "messages": MESSAGES, "options": OPTIONS, **more})

    def test_catalogue(self):
        for models in (self.client.list().models, self.client.ps().models):
            self.assertEqual([model.model for model in models], ["tiny-it"])
            self.assertGreater(models[0].size, 0)
            self.assertEqual(len(models[0].digest), 64)
            self.assertEqual(models[0].details.family, "gemma3")
        self.assertEqual(self.client.ps().models[0].context_length, 400)
        self.assertIsNotNone(self.client.list().models[0].modified_at)
        shown = self.client.show("tiny-it:latest")
        self.assertIn("completion", shown.capabilities)
        self.assertEqual(shown.modelinfo["gemma3.context_length"], 400)

    def test_chat_and_stream_agree(self):
        answer = self.chat()
        self.assertTrue(answer.done)
        self.assertEqual(answer.done_reason, "length")
        self.assertEqual(answer.eval_count, 6)
        self.assertGreater(answer.eval_duration, 0)
        parts = list(self.chat(stream=True))
        self.assertEqual("".join(part.message.content for part in parts), answer.message.content)
        self.assertEqual([part.done for part in parts], [False] * (len(parts) - 1) + [True])
        self.assertEqual(parts[-1].prompt_eval_count, answer.prompt_eval_count)

    def test_generate_is_a_chat_of_one_message(self):
        answer = self.client.generate(model="tiny-it", prompt="hello", options=OPTIONS)
        self.assertEqual(answer.response, self.chat().message.content)
        parts = list(self.client.generate(model="tiny-it", prompt="hello", options=OPTIONS, stream=True))
        self.assertEqual("".join(part.response for part in parts), answer.response)
        raw = self.client.generate(model="tiny-it", prompt="the hen", raw=True, options=OPTIONS)
        self.assertLess(raw.prompt_eval_count, answer.prompt_eval_count)

    def test_loads(self):
        self.assertEqual(self.client.generate(model="tiny-it").done_reason, "load")
        self.assertEqual(self.chat(messages=[], keep_alive="5m").done_reason, "load")

    def test_async(self):
        async def ask():
            client = ollama.AsyncClient(host=self.address)
            answers = await asyncio.gather(*(client.chat(
                model="tiny-it", messages=MESSAGES, options={**OPTIONS, "seed": seed % 2}) for seed in range(8)))
            await client._client.aclose()
            return answers

        texts = [answer.message.content for answer in asyncio.run(ask())]
        self.assertEqual(len(set(texts[0::2])), 1)
        self.assertEqual(len(set(texts[1::2])), 1)

    def test_format(self):
        schema = {"type": "object", "properties": {"ok": {"type": "boolean"}, "kind": {"enum": ["a", "bc"]}},
                  "required": ["ok", "kind"], "additionalProperties": False}
        answer = self.client.chat(model="tiny-it", messages=MESSAGES, format=schema, options={"seed": 1, "num_predict": 40})
        value = json.loads(answer.message.content)
        self.assertIsInstance(value["ok"], bool)
        self.assertIn(value["kind"], ["a", "bc"])
        started = self.client.generate(model="tiny-it", prompt="a", format="json", options={"seed": 1, "num_predict": 4})
        self.assertTrue(started.response.startswith("{"))

    def refused(self, status, call, *arguments, **more):
        with self.assertRaises(ollama.ResponseError) as refused:
            call(*arguments, **more)
        self.assertEqual(refused.exception.status_code, status)
        return refused.exception.error

    def test_errors(self):
        self.assertEqual(self.refused(404, self.client.show, "other"), "model 'other' not found")
        self.assertEqual(self.refused(404, self.chat, model="other"), "model 'other' not found")
        self.assertIn("400 tokens", self.refused(400, self.chat, messages=TOO_LONG))
        self.assertIn("#/properties/a", self.refused(
            400, self.chat, format={"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}))
        self.assertIn("think", self.refused(400, self.chat, think=True))
        self.refused(404, self.client.embed, model="tiny-it", input="a")
        self.refused(404, self.client.pull, "other")
        self.refused(404, self.client.delete, "tiny-it")


if __name__ == "__main__":
    unittest.main()
