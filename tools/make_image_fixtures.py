#!/usr/bin/env python3
"""Writes tests/fixtures/images: small pictures, and what Pillow and the reference's Gemma 3 processor make of them.

Needs the packages of requirements-reference.txt.

  NAME.EXT          a picture file
  NAME.EXT.ppm      its pixels as the model is to see them: turned upright, alpha on white, 8 bits
  resize.txt        WIDTH HEIGHT NEW_WIDTH NEW_HEIGHT SHA-256 of the resized picture plain(WIDTH, HEIGHT)
  prepared.txt      WIDTH HEIGHT VIEW SHA-256 of the 896 x 896 x 3 bytes that the encoder gets of it with pan and scan;
                    view 0 is the whole picture
  pan_and_scan.txt  SHA-256 of the crops of a hundred sizes in each line
"""

import hashlib
import pathlib
import struct

import numpy as np
import PIL.Image
import PIL.ImageOps
from transformers.image_transforms import convert_to_rgb
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "images"
PROCESSOR = Gemma3ImageProcessorPil(
    size={"height": 896, "width": 896},
    image_mean=[0.5] * 3,
    image_std=[0.5] * 3,
    do_pan_and_scan=True,
    pan_and_scan_min_crop_size=256,
    pan_and_scan_max_num_crops=4,
    pan_and_scan_min_ratio_to_activate=1.2,
)


class Lcg:
    """The generator that the test has too: the high 32 bits of Knuth's MMIX sequence."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 32


def plain(width, height):
    """Smooth waves with sharp edges, from integers alone; [height, width, 3]."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    red = (x * x // 7 + y * 3) % 511
    green = (x * 5 + y * y // 11) % 511
    blue = (x // 8 + y // 8) % 2 * 200 + (x * y) % 56
    fold = lambda v: np.where(v > 255, 511 - v, v)
    return np.stack([fold(red), fold(green), blue], axis=-1).astype(np.uint8)


def photo(width, height, channels=3):
    """A picture with soft gradients, a disc and grain, as cameras make them."""
    rng = np.random.default_rng(width * 1000 + height)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    layers = []
    for channel in range(channels):
        base = 128 + 90 * np.sin(5 * x + channel) * np.cos(4 * y - channel)
        disc = 80 * (((x - 0.4) ** 2 + (y - 0.35) ** 2) < 0.04)
        layers.append(base + disc + rng.normal(0, 4, x.shape))
    return np.clip(np.stack(layers, -1), 0, 255).astype(np.uint8)


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def pictures():
    """Yields (file name, image, options of save)."""
    image = PIL.Image.fromarray
    rgb = image(photo(45, 31))
    yield "photo.jpg", rgb, {"quality": 88}
    yield "photo_444.jpg", rgb, {"quality": 92, "subsampling": 0}
    yield "progressive.jpg", rgb, {"quality": 80, "progressive": True}
    for orientation in range(1, 9):
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        yield f"turned_{orientation}.jpg", image(photo(24, 16)), {"quality": 85, "exif": exif}
    yield "grey.jpg", image(photo(33, 20, 1)[..., 0]), {"quality": 85}
    yield "cmyk.jpg", image(photo(32, 24, 4), mode="CMYK"), {"quality": 90}
    yield "photo.png", rgb, {}
    alpha = photo(32, 24, 4)
    alpha[:8, :, 3] = np.arange(8 * 32).reshape(8, 32)  # every strength
    alpha[8:10, :, 3] = 0
    yield "alpha.png", image(alpha), {}
    grey_alpha = np.stack([photo(19, 23, 1)[..., 0], photo(23, 19, 1)[..., 0].T], -1)
    yield "grey_alpha.png", image(grey_alpha, mode="LA"), {}
    yield "palette.png", rgb.quantize(13), {}
    yield "palette_transparent.png", rgb.quantize(13), {"transparency": 4}
    yield "one_bit.png", image(photo(37, 9, 1)[..., 0]).convert("1"), {}
    yield "grey.png", image(photo(21, 27, 1)[..., 0]), {}
    yield "column.png", image(photo(1, 300)), {}
    yield "row.png", image(photo(300, 1)), {}
    yield "pixel.png", image(photo(1, 1)), {}
    yield "photo.webp", rgb, {"lossless": True}
    yield "alpha.webp", image(alpha), {"lossless": True, "exact": True}
    yield "photo.avif", rgb, {"quality": 100, "subsampling": "4:4:4"}
    yield "photo.gif", rgb.quantize(31), {}
    frames = [image(photo(20 + i, 14)[:, :20].copy()).quantize(8 + 4 * i) for i in range(3)]
    yield "animated.gif", frames[0], {"save_all": True, "append_images": frames[1:], "duration": 50}
    yield "photo.tif", rgb, {"compression": "tiff_lzw"}
    yield "grey16.png", image((photo(25, 18, 1)[..., 0].astype(np.uint16) << 8) + 77), {}


def upright_rgb(image):
    return np.asarray(convert_to_rgb(PIL.ImageOps.exif_transpose(image), return_numpy=True))


def write_pictures():
    for name, image, options in pictures():
        file = OUT / name
        image.save(file, **options)
        if name == "grey16.png":  # Pillow clips the values above 255; the high byte is what a viewer shows
            grey = (np.asarray(PIL.Image.open(file)).astype(np.uint16) >> 8).astype(np.uint8)
            pixels = np.stack([grey] * 3, -1)
        else:
            pixels = upright_rgb(PIL.Image.open(file))
        PIL.Image.fromarray(pixels).save(OUT / f"{name}.ppm")


def write_prepared():
    lines = []
    for width, height in [(640, 480), (1400, 300), (270, 1100), (1, 700), (513, 257), (3000, 2000)]:
        values = PROCESSOR(PIL.Image.fromarray(plain(width, height)), return_tensors="np")["pixel_values"]
        for view, value in enumerate(values):
            pixels = np.rint((value * 0.5 + 0.5) * 255).astype(np.uint8).transpose(1, 2, 0)
            lines.append(f"{width} {height} {view} {sha(pixels)}")
    (OUT / "prepared.txt").write_text("\n".join(lines) + "\n")


def write_resizes():
    rng = Lcg(1)
    sides = [1, 2, 3, 5, 13, 64, 100, 223, 224, 225, 447]
    cases = [(1, 1, 896, 896), (896, 896, 896, 896), (895, 897, 896, 896), (2000, 3, 896, 896), (64, 4000, 896, 896),
             (1600, 1200, 896, 896), (50, 40, 50, 80), (50, 40, 100, 40), (16384, 1, 1, 1)]
    cases += [tuple(sides[rng.next() % len(sides)] for _ in range(4)) for _ in range(150)]
    lines = []
    for width, height, new_width, new_height in cases:
        resized = PIL.Image.fromarray(plain(width, height)).resize((new_width, new_height), PIL.Image.BILINEAR)
        lines.append(f"{width} {height} {new_width} {new_height} {sha(np.asarray(resized))}")
    (OUT / "resize.txt").write_text("\n".join(lines) + "\n")


class Recorder:
    """Stands for an image of that size, and answers a crop with its box."""

    def __init__(self, width, height):
        self.shape = (3, height, width)

    def __getitem__(self, index):
        _, rows, columns = index
        x, y = columns.start, rows.start
        return x, y, min(columns.stop, self.shape[2]) - x, min(rows.stop, self.shape[1]) - y


def write_pan_and_scan():
    rng = Lcg(2)
    lines = []
    for _ in range(60):
        digest = hashlib.sha256()
        for _ in range(100):
            limit = 1 << (4 + rng.next() % 10)
            width = 1 + rng.next() % limit
            height = 1 + rng.next() % limit
            boxes = PROCESSOR.pan_and_scan(Recorder(width, height), 256, 4, 1.2)
            digest.update(struct.pack("<I", len(boxes)))
            for box in boxes:
                digest.update(struct.pack("<4I", *box))
        lines.append(digest.hexdigest())
    (OUT / "pan_and_scan.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    write_pictures()
    write_prepared()
    write_resizes()
    write_pan_and_scan()
