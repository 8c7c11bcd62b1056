"""The unmodified `openai` package against `carat serve`: sync, async, streams, completions, errors, log-probabilities."""

import asyncio
import json
import unittest

import client_packages

client_packages.use()

import openai  # noqa: E402
from served_model import MESSAGES, TOO_LONG, ServedModelTest  # noqa: E402


class OpenAiClientTest(ServedModelTest):
    def setUp(self):
        super().setUp()
        self.options = {"base_url": f"{self.address}/v1", "api_key": "any", "max_retries": 0}
        self.client = openai.OpenAI(**self.options)
        self.addCleanup(self.client.close)

    def chat(self, **more):
        return self.client.chat.completions.create(
            **{"model": "tiny-it", "messages": MESSAGES, "seed": 1, "max_tokens": 6, **more})

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["tiny-it"])
        self.assertEqual(self.client.models.retrieve("tiny-it").object, "model")

    def test_chat_and_stream_agree(self):
        answer = self.chat()
        self.assertEqual(answer.choices[0].finish_reason, "length")
        self.assertEqual(answer.usage.completion_tokens, 6)
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, answer.choices[0].message.content)
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, 6)

    def test_choices_and_logprobs(self):
        answer = self.chat(n=3, logprobs=True, top_logprobs=2)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])
        for choice in answer.choices:
            spelled = b"".join(bytes(token.bytes) for token in choice.logprobs.content)
            self.assertEqual(spelled.decode(errors="replace"), choice.message.content)
            self.assertTrue(all(len(token.top_logprobs) == 2 for token in choice.logprobs.content))

    def test_json_schema(self):
        schema = {"type": "object", "properties": {"ok": {"type": "boolean"}, "kind": {"enum": ["a", "bc"]}},
                  "required": ["ok", "kind"], "additionalProperties": False}
        form = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}
        answer = self.chat(response_format=form, max_tokens=40, n=2)
        chunks = list(self.chat(response_format=form, max_tokens=40, stream=True))
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(streamed, answer.choices[0].message.content)
        for choice in answer.choices:
            self.assertEqual(choice.finish_reason, "stop")
            value = json.loads(choice.message.content)
            self.assertEqual(list(value), ["ok", "kind"])
            self.assertIsInstance(value["ok"], bool)
            self.assertIn(value["kind"], ["a", "bc"])
        cut = self.chat(response_format={"type": "json_object"}, max_tokens=2)
        self.assertEqual(cut.choices[0].finish_reason, "length")
        self.assertTrue(cut.choices[0].message.content.startswith("{"))
        chosen = self.chat(extra_body={"guided_choice": ["yes", "no"]}, max_tokens=9)
        self.assertIn(chosen.choices[0].message.content, ["yes", "no"])
        with self.assertRaises(openai.BadRequestError) as refused:
            schema["properties"]["kind"] = {"type": "array", "uniqueItems": True}
            self.chat(response_format=form)
        self.assertEqual(refused.exception.param, "response_format.json_schema.schema")
        self.assertIn("#/properties/kind", refused.exception.message)

    def test_async(self):
        async def ask():
            async with openai.AsyncOpenAI(**self.options) as client:
                return await asyncio.gather(*(client.chat.completions.create(
                    model="tiny-it", messages=MESSAGES, seed=seed % 2, max_tokens=6) for seed in range(8)))

        texts = [answer.choices[0].message.content for answer in asyncio.run(ask())]
        self.assertEqual(len(set(texts[0::2])), 1)
        self.assertEqual(len(set(texts[1::2])), 1)

    def test_completions(self):
        answer = self.client.completions.create(model="tiny-it", prompt=["the hen", "the pen"], max_tokens=1, logprobs=1,
                                                echo=True, temperature=0)
        self.assertEqual([choice.text.startswith(("the hen", "the pen")[i]) for i, choice in enumerate(answer.choices)],
                         [True, True])
        for choice in answer.choices:
            self.assertIsNone(choice.logprobs.token_logprobs[0])
            self.assertEqual(len(choice.logprobs.tokens), len(choice.logprobs.text_offset))

    def test_responses(self):
        options = {"model": "tiny-it", "max_output_tokens": 6, "extra_body": {"seed": 1}}
        first = self.client.responses.create(input="hello", instructions="be brief", metadata={"a": "b"}, **options)
        self.assertEqual(first.status, "incomplete")
        self.assertEqual(first.incomplete_details.reason, "max_output_tokens")
        self.assertEqual(first.usage.output_tokens, 6)
        self.assertEqual(self.client.responses.retrieve(first.id), first)

        events = list(self.client.responses.create(input="hello", instructions="be brief", stream=True, **options))
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        self.assertEqual((events[0].type, events[-1].type), ("response.created", "response.incomplete"))
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        self.assertEqual((text, events[-1].response.output_text), (first.output_text, first.output_text))

        # The next turn finds this one's question in the KV cache, and of the answer what its text spells again: with
        # random weights that may break off within a character.
        start = self.client.responses.create(input="hello", **options)
        second = self.client.responses.create(input=[{"role": "user", "content": "more"}], previous_response_id=start.id,
                                              **options)
        self.assertGreaterEqual(second.usage.input_tokens_details.cached_tokens, start.usage.input_tokens)
        self.client.responses.delete(start.id)
        with self.assertRaises(openai.NotFoundError):
            self.client.responses.retrieve(start.id)
        self.client.responses.create(input="and more", previous_response_id=second.id, **options)
        unkept = self.client.responses.create(input="hello", store=False, **options)
        with self.assertRaises(openai.NotFoundError):
            self.client.responses.create(input="more", previous_response_id=unkept.id, **options)

    def test_errors(self):
        with self.assertRaises(openai.NotFoundError) as missing:
            self.chat(model="other")
        self.assertEqual(missing.exception.code, "model_not_found")
        with self.assertRaises(openai.BadRequestError) as too_long:
            self.chat(messages=TOO_LONG)
        self.assertEqual(too_long.exception.code, "context_length_exceeded")
        with self.assertRaises(openai.BadRequestError) as unsupported:
            self.chat(tools=[{"type": "function", "function": {"name": "f"}}])
        self.assertEqual(unsupported.exception.param, "tools")
        with self.assertRaises(openai.NotFoundError) as absent:
            self.client.embeddings.create(model="tiny-it", input="a")
        self.assertEqual(absent.exception.code, "unsupported_feature")


if __name__ == "__main__":
    unittest.main()
