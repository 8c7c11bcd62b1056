#!/usr/bin/env python3
"""Writes tests/fixtures/tokenizer.bin: what Hugging Face's Gemma 3 tokenizer makes of several thousand texts.

    tools/make_tokenizer_fixture.py TOKENIZER_JSON

TOKENIZER_JSON is the tokenizer.json of any Gemma 3 checkpoint. Needs the packages of requirements-reference.txt.

The file begins with b"CTOK1\\n". Then records of a kind byte and fields; numbers are LEB128, lists and texts begin
with their length:
    0  text, ids                   encoding, control tokens in the text or not
    1  text, ids parsed, ids text  encoding, where it matters
    2  ids, text hidden, text all  decoding, control tokens hidden and shown
Texts may be invalid UTF-8: ids are of bytes.decode(errors="replace"), as Carat promises to read them.
"""

import pathlib
import random
import sys

from tokenizers import Tokenizer

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "tokenizer.bin"

ENGLISH = """The lighthouse keeper counted seventeen ships before breakfast, and none of them carried mail.
"Wait," she said; "isn't that the same umbrella you lost in Lisbon?" He couldn't say for certain.
Photosynthesis converts light energy into chemical energy: 6 CO2 + 6 H2O -> C6H12O6 + 6 O2.
On 14 March 2023 at 09:05 the temperature fell to -3.5 degrees; by noon it was +12.
They re-entered the well-known co-op, didn't they? Y'all'd've laughed.
NASA, UNESCO and the EU signed it. See https://example.org/a/b?c=d&e=f#top or mail to jo.doe@example.com.
Internationalization (i18n) of pseudopseudohypoparathyroidism is antidisestablishmentarianism.""".split("\n")

CODE = [
    "def fib(n: int) -> int:\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n",
    "#include <vector>\nint main() {\n\tstd::vector<int> v{1, 2, 3};\n\treturn v.at(0) ? 0 : 1;\n}\n",
    "for (let i = 0; i !== xs.length; i++) {\n  console.log(`${i}: ${xs[i] ?? 'none'}`);\n}\n",
    "SELECT a.id, COUNT(*) FROM orders AS a WHERE a.total >= 10.50 GROUP BY 1 ORDER BY 2 DESC;\n",
    "fn main() {\n    let s: &'static str = \"hi\\n\";\n    println!(\"{s:>10}\");\n}\n",
    "#!/bin/sh\nset -eu\nfor f in *.txt; do\n\tgrep -q '^x' \"$f\" && echo \"$f\" >> out 2>&1\ndone\n",
    "{\"a\": [1, 2.5e-3, null, true], \"b\": {\"c\": \"\\u00e9\\n\"}}\n",
    "\\begin{equation}\n  \\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}\n\\end{equation}\n",
    "a = b<<3 | c>>2 & ~d ^ 0xDEADBEEF; p->q::r; x<=y; z>=w; i++ + ++j; /* c */ // d\n",
    "<!DOCTYPE html>\n<html><body class=\"x\"><h1>Hi</h1><p>a<br/>b &amp; c</p></body></html>\n",
    "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-old\n+new\n",
]

SCRIPTS = {
    "latin": "Größe façade naïve Łódź żółw İstanbul şöyle çok Žižek mañana Ærø smörgåsbord Tiếng Việt được những người",
    "greek": "Η γρήγορη αλεπού πηδάει πάνω από το τεμπέλικο σκυλί. Τι κάνεις σήμερα;",
    "cyrillic": "Съешь же ещё этих мягких французских булок, да выпей чаю. Її ґанок і їжак; Ђорђе Љубав",
    "armenian": "Բարեւ աշխարհ, ինչպե՞ս ես այսօր։ Երեւանը գեղեցիկ քաղաք է",
    "hebrew": "שלום עולם, מה שלומך היום? בְּרֵאשִׁית בָּרָא אֱלֹהִים",
    "arabic": "مرحبا بالعالم، كيف حالك اليوم؟ بِسْمِ ٱللَّهِ پاکستان کی زبان اردو ہے ۱۲۳۴",
    "devanagari": "नमस्ते दुनिया, आज आप कैसे हैं? क्षत्रिय श्रीमान् १२३४ ज्ञान",
    "bengali": "নমস্কার পৃথিবী, আজ আপনি কেমন আছেন? বাংলাদেশ ১২৩",
    "gurmukhi": "ਸਤ ਸ੍ਰੀ ਅਕਾਲ ਦੁਨੀਆ, ਤੁਸੀਂ ਕਿਵੇਂ ਹੋ? ੧੨੩",
    "gujarati": "નમસ્તે વિશ્વ, આજે તમે કેમ છો? ૧૨૩",
    "oriya": "ନମସ୍କାର ବିଶ୍ୱ, ଆପଣ କେମିତି ଅଛନ୍ତି?",
    "tamil": "வணக்கம் உலகம், இன்று எப்படி இருக்கிறீர்கள்?",
    "telugu": "నమస్కారం ప్రపంచం, ఈ రోజు మీరు ఎలా ఉన్నారు?",
    "kannada": "ನಮಸ್ಕಾರ ಪ್ರಪಂಚ, ಇಂದು ನೀವು ಹೇಗಿದ್ದೀರಿ?",
    "malayalam": "നമസ്കാരം ലോകം, ഇന്ന് നിങ്ങൾക്ക് സുഖമാണോ?",
    "sinhala": "ආයුබෝවන් ලෝකය, ඔබට කොහොමද? ශ්‍රී ලංකා",
    "thai": "สวัสดีชาวโลก วันนี้คุณเป็นอย่างไรบ้าง ๑๒๓",
    "lao": "ສະບາຍດີຊາວໂລກ ມື້ນີ້ເຈົ້າເປັນແນວໃດ",
    "tibetan": "བཀྲ་ཤིས་བདེ་ལེགས། འཇིག་རྟེན།",
    "burmese": "မင်္ဂလာပါ ကမ္ဘာလောက၊ နေကောင်းလား။",
    "georgian": "გამარჯობა მსოფლიო, როგორ ხარ დღეს?",
    "ethiopic": "ሰላም ዓለም፣ ዛሬ እንዴት ነህ? ፩፪፫",
    "khmer": "សួស្តីពិភពលោក តើអ្នកសុខសប្បាយទេ?",
    "han": "你好，世界！今天天气怎么样？繁體中文與簡體字。㐀㐁𠀀𠀁𪚥 〇一二三",
    "japanese": "こんにちは世界、今日はお元気ですか？カタカナ・ﾊﾝｶｸ々〆ヶ",
    "korean": "안녕하세요 세계, 오늘 어떻게 지내세요? ᄒ ᅡ ᆫ 각",
    "cherokee": "ᎣᏏᏲ ᎡᎶᎯ ᏙᎯᏧ",
    "mongolian": "ᠰᠠᠶᠢᠨ ᠪᠠᠶᠢᠨ᠎ᠠ ᠤᠤ",
    "runes": "ᚠᛇᚻ᛫ᛒᛦᚦ᛫ᚠᚱᚩᚠᚢᚱ ᚛᚛ᚉᚑᚅ",
    "gothic": "𐌼𐌰𐌲 𐌲𐌻𐌴𐍃 𝔄𝔅 𝟙𝟚 𓀀𓂀 𒀀𒁀",
}

EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "🇫🇷🇩🇪", "🇫", "❤️", "❤", "1️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "👨🏿‍🦱",
         "🤷‍♀️", "☃️", "🫠", "🪿", "🐦‍⬛", "\u200d", "\ufe0f", "©️"]
MARKS = ["e\u0301", "é", "a\u0308\u0323", "n\u0303", "q\u0307\u0323", "Z̷̧̮͙a̴l̸g̵o", "\u0301", "\u200b", "\u00ad", "\u202e",
         "\ufeff", "\u2028", "\u0000", "\u001b[31m", "\u007f", "\u0085", "\u00a0", "\u3000", "\u2581", "\u2581\u2581",
         "\ufffd", "\U0010ffff", "\ue000", "ﬁ", "Å", "Ａ", "１２", "²", "½", "Ⅷ"]
SPACES = [" ", "  ", "   ", " " * 7, " " * 30, " " * 31, " " * 32, " " * 33, " " * 63, " " * 95, "\n", "\n\n", "\n" * 3,
          "\n" * 30, "\n" * 31, "\n" * 32, "\n" * 70, "\t", "\t\t", "\t" * 31, "\t" * 32, "\t" * 40, "\r\n", "\r",
          "\r\n\r\n", " \n", "\n ", "\t ", " \t", "\n\t", "\v", "\f", "\u2581 ", " \u2581", "\u2581" * 5, "\u2581" * 32]
CONTROL = ["<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>",
           "<end_of_image>", "<image_soft_token>", "[multimodal]", "<unused0>", "<unused5>", "<unused98>", "<unused99>",
           "<unused6241>", "<unused6242>", "<unused", "<unused1", "<unused12345>", "<start_of_turn", "start_of_turn>",
           "<start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n", "<start_of_<bos>turn>", "<<bos>>", "<BOS>",
           "< bos>", "<bos", "bos>", "<end_of_turn", "<|im_start|>", "<s>", "</s>", "[INST]", "<0x41>", "<0xE2>", "[PAD1]",
           "<start_of_turn><end_of_turn>", "[multimodal", "<image_soft_token"]
HTML = ["<table>", "<tr>", "</tr>", "<b>", "</b>", "<s>", "</s>", "<img>", "<br>", "<br/>", "<h1>", "</h6>", "<a>", "<li>",
        "<ul>", "<p>", "<i>", "<sup>", "<td>x</td>", "<table", "</table>", "<tbody>", "<B>", "<div>", "<code>", "<pre>"]
NUMBERS = ["0", "7", "42", "1234567890", "3.14159", "1,234,567.89", "-0", "1e-10", "0x1F", "1st", "2nd", "99%", "$5.00",
           "12:34:56", "192.168.0.1", "+1 (555) 010-9999", "１２３", "٣٤", "1/2", "1_000", "v2.0.1"]
INVALID = [b"\x80", b"\xff", b"\xc3", b"\xc3(", b"\xc0\xaf", b"\xe2\x82", b"\xe2\x82\xe2\x82\xac", b"\xed\xa0\x80",
           b"\xf0\x9f\x98", b"\xf0\x9f\x98\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe\xfe",
           b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xc1\xbf", b"\xe2\x96", b"\xf1\x80\x80", b"\xf1\x80A", b"\xbf\xbf\xbf"]


def texts(rng, vocabulary):
    """Byte strings: every sample once, then mixes of growing variety."""
    letters = "".join(SCRIPTS.values())
    words = [w for line in ENGLISH + CODE + list(SCRIPTS.values()) for w in line.replace("\n", " \n").split(" ")]
    samples = ENGLISH + CODE + list(SCRIPTS.values()) + EMOJI + MARKS + SPACES + CONTROL + HTML + NUMBERS
    small = EMOJI + MARKS + SPACES + CONTROL + HTML + NUMBERS
    yield b""
    yield from (s.encode() for s in samples)
    yield from INVALID
    for marker in CONTROL + HTML + SPACES:
        for before, after in (("a", "b"), (" ", " "), ("\n", "\n"), ("<", ">"), ("é", "你")):
            yield (before + marker + after).encode()
    for _ in range(700):  # cuts of prose, code and scripts at any character
        line = rng.choice(ENGLISH + CODE + list(SCRIPTS.values()))
        begin = rng.randrange(len(line))
        yield line[begin:begin + rng.randint(1, 60)].encode()
    for _ in range(700):  # words of all scripts side by side
        yield rng.choice(["", " ", " ", "  "]).join(rng.choices(words, k=rng.randint(2, 9))).encode()
    for _ in range(900):  # pieces of the vocabulary side by side
        yield "".join(rng.choices(vocabulary, k=rng.randint(1, 8))).encode()
    for _ in range(900):  # everything short
        yield "".join(rng.choices(small + words, k=rng.randint(2, 7))).encode()
    for _ in range(400):  # whitespace, marks and their neighbours
        yield "".join(rng.choices(SPACES + ["x", " y", "z ", "the", "1"], k=rng.randint(2, 6))).encode()
    for _ in range(400):  # runs of a few letters, where merges overlap
        yield "".join(rng.choices(rng.choice(["a", "ab", "aé", "-=", "._", "*#", "=", "ha", "的 ", "lo "]),
                                  k=rng.randint(2, 80))).encode()
    for _ in range(300):  # any letters, any characters
        yield "".join(rng.choices(letters, k=rng.randint(1, 25))).encode()
        yield "".join(chr(rng.choice([rng.randrange(0x20, 0x2000), rng.randrange(0x2000, 0xD800),
                                      rng.randrange(0xE000, 0x20000)])) for _ in range(rng.randint(1, 8))).encode()
    for _ in range(400):  # invalid UTF-8
        yield b"".join(rng.choices(INVALID + [s.encode() for s in small + words], k=rng.randint(2, 6)))
        yield bytes(rng.choice([rng.randrange(256), rng.randrange(0x80, 0x100)]) for _ in range(rng.randint(1, 12)))


def id_lists(rng, size):
    """Ids to decode: byte runs valid and not, control tokens, anything."""
    for _ in range(500):
        ids = []
        for _ in range(rng.randint(1, 6)):
            kind = rng.randrange(5)
            if kind == 0:
                ids.append(rng.randrange(size))
            elif kind == 1:
                ids.append(rng.choice([0, 1, 2, 3, 4, 5, 105, 106, 107, 140, 212, 255999, 256000]))
            elif kind == 2:
                ids += [238 + byte for byte in rng.choice(letters_as_bytes())]
            elif kind == 3:
                ids += [238 + byte for byte in rng.choice(INVALID)]
            else:
                ids.append(rng.randrange(494, 236743))
        yield ids


def letters_as_bytes():
    return [s.encode() for s in EMOJI + ["é", "𐍈", "A", "€"]]


def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def block(data):
    return number(len(data)) + data


def id_block(ids):
    return number(len(ids)) + b"".join(number(i) for i in ids)


def main():
    tokenizer = Tokenizer.from_file(sys.argv[1])
    size = tokenizer.get_vocab_size(with_added_tokens=False)
    rng = random.Random(20250312)
    vocabulary = [tokenizer.decode([i], skip_special_tokens=False) for i in range(494, 255968)]
    out = bytearray(b"CTOK1\n")
    count = 0
    for raw in dict.fromkeys(texts(rng, vocabulary)):
        text = raw.decode(errors="replace")
        tokenizer.encode_special_tokens = False
        parsed = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        if parsed == plain:
            out += b"\0" + block(raw) + id_block(parsed)
        else:
            out += b"\1" + block(raw) + id_block(parsed) + id_block(plain)
        count += 1
    for ids in id_lists(rng, size):
        hidden = tokenizer.decode(ids, skip_special_tokens=True).encode()
        everything = tokenizer.decode(ids, skip_special_tokens=False).encode()
        out += b"\2" + id_block(ids) + block(hidden) + block(everything)
    OUT.write_bytes(out)
    print(f"{OUT}: {count} texts, {len(out)} bytes")


if __name__ == "__main__":
    main()
