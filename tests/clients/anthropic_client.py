"""The unmodified `anthropic` package against `carat serve`: messages, streams, token counts, errors."""

import asyncio
import unittest

import client_packages

client_packages.use()

import anthropic  # noqa: E402
from served_model import MESSAGES, TOO_LONG, ServedModelTest  # noqa: E402


class AnthropicClientTest(ServedModelTest):
    def setUp(self):
        super().setUp()
        self.options = {"base_url": self.address, "api_key": "any", "max_retries": 0}
        self.client = anthropic.Anthropic(**self.options)
        self.addCleanup(self.client.close)

    def request(self, **more):
        # The API has no seed: the likeliest token is what makes answers comparable. The package has no argument for it.
        return {"model": "tiny-it", "messages": MESSAGES, "max_tokens": 6, "extra_body": {"temperature": 0}, **more}

    def test_message_and_stream_agree(self):
        answer = self.client.messages.create(**self.request())
        self.assertEqual(answer.stop_reason, "max_tokens")
        self.assertEqual(answer.usage.output_tokens, 6)
        with self.client.messages.stream(**self.request()) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(text, answer.content[0].text)
        self.assertEqual(final.content[0].text, text)
        self.assertEqual((final.stop_reason, final.usage.output_tokens), ("max_tokens", 6))
        events = [event.type for event in self.client.messages.create(**self.request(stream=True))]
        self.assertEqual(events[:2], ["message_start", "content_block_start"])
        self.assertEqual(events[-3:], ["content_block_stop", "message_delta", "message_stop"])

    def test_counts_tokens(self):
        def read_tokens(usage):
            return usage.input_tokens + usage.cache_read_input_tokens

        count = self.client.messages.count_tokens(model="tiny-it", messages=MESSAGES).input_tokens
        for _ in range(2):  # the second time they are in the cache
            self.assertEqual(read_tokens(self.client.messages.create(**self.request()).usage), count)
        system = [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]
        self.assertGreater(
            self.client.messages.count_tokens(model="tiny-it", messages=MESSAGES, system=system).input_tokens, count)

    def test_begun_answer_goes_on(self):
        begun = [*MESSAGES, {"role": "assistant", "content": [{"type": "text", "text": "the"}]}]
        counts = [self.client.messages.count_tokens(model="tiny-it", messages=messages).input_tokens
                  for messages in (MESSAGES, begun, [*begun, *MESSAGES])]
        self.assertEqual(counts, sorted(set(counts)))
        self.assertEqual(self.client.messages.create(**self.request(messages=begun)).usage.output_tokens, 6)

    def test_stop_sequences(self):
        text = self.client.messages.create(**self.request(max_tokens=12)).content[0].text
        stop = text[len(text) // 2:][:2]
        answer = self.client.messages.create(**self.request(max_tokens=12, stop_sequences=[stop]))
        self.assertEqual((answer.stop_reason, answer.stop_sequence), ("stop_sequence", stop))
        self.assertEqual(answer.content[0].text, text[:text.index(stop)])

    def test_async(self):
        async def ask():
            async with anthropic.AsyncAnthropic(**self.options) as client:
                return await asyncio.gather(*(client.messages.create(**self.request()) for _ in range(8)))

        self.assertEqual(len({answer.content[0].text for answer in asyncio.run(ask())}), 1)

    def test_errors(self):
        def refused(kind, **more):
            with self.assertRaises(kind) as error:
                self.client.messages.create(**self.request(**more))
            self.assertEqual(error.exception.body["type"], "error")
            return error.exception.body["error"]

        self.assertEqual(refused(anthropic.NotFoundError, model="other")["type"], "not_found_error")
        self.assertIn("400 tokens", refused(anthropic.BadRequestError, messages=TOO_LONG)["message"])
        self.assertIn("tools", refused(anthropic.BadRequestError, tools=[
            {"name": "f", "input_schema": {"type": "object"}}])["message"])
        self.assertIn("output_config.format", refused(anthropic.BadRequestError, output_config={
            "format": {"type": "json_schema", "schema": {"type": "object"}}})["message"])
        self.assertIn("thinking", refused(anthropic.BadRequestError, thinking={
            "type": "enabled", "budget_tokens": 1024})["message"])


if __name__ == "__main__":
    unittest.main()
