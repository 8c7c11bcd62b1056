#!/usr/bin/env python3
"""Pictures of every kind that people and attackers send to `carat run --image`."""

import shutil
import struct
import subprocess
import unittest
import zlib

from support import FIXTURES, PROGRAM, TINY, CliTest

SEES = FIXTURES / "tiny_vision/short_window"  # random weights, but an image tower
PICTURES = FIXTURES / "images"


def png(width, height, data, depth=8, colour=0):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def animated_webp():
    """Two frames, each with the picture of photo.webp."""
    still = (PICTURES / "photo.webp").read_bytes()
    picture = still[12:]  # its chunk, after RIFF, size and WEBP
    while picture[:4] not in (b"VP8 ", b"VP8L"):
        picture = picture[8 + (struct.unpack("<I", picture[4:8])[0] + 1) // 2 * 2:]
    if picture[:4] == b"VP8 ":
        width, height = (value & 0x3fff for value in struct.unpack("<HH", picture[14:18]))
    else:
        bits = struct.unpack("<I", picture[9:13])[0]
        width, height = (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1
    def number(value):
        return struct.pack("<I", value)[:3]
    def chunk(kind, content):
        return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    frame = number(0) * 2 + number(width - 1) + number(height - 1) + number(100) + b"\0" + picture
    body = (b"WEBP" + chunk(b"VP8X", b"\x02\0\0\0" + number(width - 1) + number(height - 1))
            + chunk(b"ANIM", bytes(6)) + chunk(b"ANMF", frame) * 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


class ImagesTest(CliTest):
    def picture(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def sees(self, path):
        self.succeed("run", "-m", SEES, "-n", "2", "--seed", "1", "-t", "1", "--image", path, "what is it")

    def refused(self, message, path):
        done = self.fails(1, message, "run", "-m", SEES, "-n", "2", "-t", "1", "--image", path, "what is it")
        self.assertIn(path.name, done.err)
        self.assertEqual(done.out, "")

    def test_pictures_that_are_odd_but_good(self):
        self.sees(self.picture("pixel.png", png(1, 1, zlib.compress(b"\0\x80"))))
        self.sees(self.picture("animated.webp", animated_webp()))
        for name in ("animated.gif", "cmyk.jpg", "grey16.png", "turned_6.jpg", "alpha.png", "column.png"):
            self.sees(PICTURES / name)
        self.sees(self.picture("photo.jpg", (PICTURES / "photo.png").read_bytes()))

    def test_pictures_that_are_bad(self):
        for name in ("photo.jpg", "photo.png", "photo.webp", "photo.gif"):
            data = (PICTURES / name).read_bytes()
            self.refused("not a complete", self.picture(name, data[:len(data) // 2]))
        self.refused("the file is empty", self.picture("empty.png", b""))
        self.refused("a side may have 16384", self.picture("wide.png", png(100_000, 1, zlib.compress(b"\0"))))
        self.refused("a side may have 16384", self.picture("large.png", png(30_000, 30_000, b"")))
        self.refused("are allowed", self.picture("many.png", png(16_000, 16_000, zlib.compress(bytes(1000)))))
        self.refused("an SVG drawing", self.picture("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"))
        self.refused("a PDF document", self.picture("page.jpg", b"%PDF-1.7\n"))
        self.refused("HEIC", self.picture("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"))
        self.refused("not a regular file", self.folder)
        self.fails(3, "nowhere.png", "run", "-m", SEES, "--image", self.folder / "nowhere.png", "x")

    def test_a_zip_bomb_ends_at_the_size_that_it_declares(self):
        bomb = png(100, 100, zlib.compress(bytes(64 << 20), 9))
        self.assertLess(len(bomb), 100_000)
        done = self.carat("run", "-m", SEES, "-n", "2", "-t", "1", "--image", self.picture("bomb.png", bomb), "x")
        self.assertIn(done.returncode, (0, 1))

    def test_a_text_only_model_says_which_models_see_and_bad_pictures_come_first(self):
        photo = PICTURES / "photo.png"
        done = self.fails(2, "text-only here", "run", "-m", TINY, "--image", photo, "x")
        self.assertIn("4B, 12B and 27B", done.err)
        self.refused("a text file", self.picture("notes.png", b"Dear Sir,"))
        # Before the weights: a model without any is not looked at.
        self.add_model("weightless")
        (self.store / "weightless/model.safetensors").write_bytes(b"")
        self.fails(1, "a text file", "run", "-m", "weightless", "--image", self.folder / "notes.png", "x")

    def test_the_worker_dies_and_the_program_says_so(self):
        folder = self.folder / "bin"
        folder.mkdir()
        shutil.copy(PROGRAM, folder / "carat")
        worker = folder / "carat-worker"
        worker.write_text("#!/bin/sh\nkill -9 $$\n")
        worker.chmod(0o755)
        done = subprocess.run([folder / "carat", "run", "-m", SEES, "--image", PICTURES / "photo.png", "x"],
                              capture_output=True, timeout=120, env=self.environment(), input=b"")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"worker", done.stderr)
        worker.unlink()
        done = subprocess.run([folder / "carat", "run", "-m", SEES, "--image", PICTURES / "photo.png", "x"],
                              capture_output=True, timeout=120, env=self.environment(), input=b"")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(b"carat-worker: there is no such program", done.stderr)


if __name__ == "__main__":
    unittest.main()
