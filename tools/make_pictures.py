#!/usr/bin/env python3
"""Writes three pictures to try `carat run --image` with: a rendered scene, a chart and a scanned page.

    tools/make_pictures.py OUT_FOLDER        # scene.jpg, chart.png, page.jpg

Needs NumPy and Pillow (tools/requirements-reference.txt).
"""

import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SPHERES = [  # centre, radius, colour
    ((-0.9, 0.0, 4.2), 1.0, (0.85, 0.25, 0.2)),
    ((0.9, -0.35, 3.4), 0.65, (0.2, 0.45, 0.85)),
    ((0.35, -0.7, 2.5), 0.3, (0.95, 0.8, 0.2)),
]
FLOOR = -1.0
LIGHT = np.array([0.5, 0.75, -0.45]) / np.linalg.norm([0.5, 0.75, -0.45])
YEARS = ["2019", "2020", "2021", "2022", "2023", "2024"]
RAIN = [612, 540, 705, 488, 731, 664]  # mm
PAGE = """The lighthouse keeper's log, third of November

Wind from the south-west, rising after noon. The lamp was lit at twenty
past four and burned clear until six in the morning.

Two fishing boats came in before dark. The mail boat did not come. We
have flour for eleven days, oil for thirty, and tea for four.

A flock of geese passed over at dusk, flying low. The glass fell three
tenths between noon and midnight; I have doubled the lashings on the
small boat and taken in the flag.

To do: 1. mend the gutter; 2. paint the door; 3. write to Anna."""


def hit_sphere(origin, direction, centre, radius):
    """Distance along each ray to the sphere, infinite where it misses."""
    offset = origin - np.array(centre)
    half = (offset * direction).sum(-1)
    inside = half**2 - ((offset**2).sum(-1) - radius**2)
    distance = -half - np.sqrt(np.maximum(inside, 0))
    return np.where((inside > 0) & (distance > 1e-3), distance, np.inf)


def in_shadow(points):
    return np.any([np.isfinite(hit_sphere(points, LIGHT, centre, radius)) for centre, radius, _ in SPHERES], axis=0)


def shade(points, normals, colour):
    light = np.maximum((normals * LIGHT).sum(-1), 0) * ~in_shadow(points + 1e-3 * normals)
    return colour * (0.25 + 0.75 * light)[..., None]


def scene(width=1280, height=960):
    """Three spheres over a checkered floor under one light, a ray a pixel."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width * 2 - 1, 1 - (np.arange(height) + 0.5) / height * 2)
    direction = np.stack([x, y * height / width, np.full_like(x, 1.6)], -1)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    up = direction[..., 1:2]
    colours = np.array([0.55, 0.7, 0.9]) * (0.6 + 0.4 * np.maximum(up, 0)) + 0.1
    with np.errstate(divide="ignore"):
        nearest = np.where(up[..., 0] < 0, FLOOR / up[..., 0], np.inf)
    points = np.nan_to_num(nearest[..., None] * direction, posinf=0, neginf=0)
    squares = (np.floor(points[..., 0]) + np.floor(points[..., 2])) % 2
    floor = shade(points, np.broadcast_to([0.0, 1.0, 0.0], points.shape), (0.35 + 0.5 * squares)[..., None] * np.ones(3))
    fog = np.exp(-0.06 * np.where(np.isfinite(nearest), nearest, 0))[..., None]
    colours = np.where(np.isfinite(nearest)[..., None], fog * floor + (1 - fog) * colours, colours)
    for centre, radius, colour in SPHERES:
        distance = hit_sphere(np.zeros(3), direction, centre, radius)
        points = np.where(np.isfinite(distance), distance, 0)[..., None] * direction
        shaded = shade(points, (points - np.array(centre)) / radius, np.array(colour))
        colours = np.where((distance < nearest)[..., None], shaded, colours)
        nearest = np.minimum(nearest, distance)
    return Image.fromarray((np.clip(colours, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8))


def chart(width=1000, height=700):
    """Bars with a scale, as an office program draws them; with a transparent background."""
    image = Image.new("RGBA", (width, height), (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)
    font, title = ImageFont.load_default(22), ImageFont.load_default(32)
    left, right, top, bottom = 110, width - 40, 100, height - 80
    draw.text((width / 2, 45), "Rain in a year, mm", fill="black", font=title, anchor="mm")
    for value in range(0, 801, 200):
        y = bottom - (bottom - top) * value / 800
        draw.line((left, y, right, y), fill=(190, 190, 190, 255), width=2)
        draw.text((left - 15, y), str(value), fill="black", font=font, anchor="rm")
    step = (right - left) / len(YEARS)
    for i, (year, value) in enumerate(zip(YEARS, RAIN)):
        x, y = left + (i + 0.5) * step, bottom - (bottom - top) * value / 800
        draw.rectangle((x - 0.3 * step, y, x + 0.3 * step, bottom), fill=(50, 110, 180, 255))
        draw.text((x, y - 16), str(value), fill="black", font=font, anchor="mm")
        draw.text((x, bottom + 28), year, fill="black", font=font, anchor="mm")
    draw.line((left, top, left, bottom, right, bottom), fill="black", width=3)
    return image


def page(width=1240, height=1754):
    """A typed A4 page as a scanner gives it at 150 dots an inch: grey, a little turned, soft, with noise."""
    image = Image.new("L", (width, height), 246)
    draw = ImageDraw.Draw(image)
    draw.multiline_text((130, 190), PAGE, fill=30, font=ImageFont.load_default(29), spacing=17)
    image = image.rotate(0.7, Image.Resampling.BICUBIC, fillcolor=225).filter(ImageFilter.GaussianBlur(0.8))
    noise = np.random.default_rng(3).normal(0, 5, (height, width))
    edge = 25 * np.exp(-np.arange(width) / 40)  # the shadow of the fold
    return Image.fromarray(np.clip(np.array(image) + noise - edge, 0, 255).astype(np.uint8))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    scene().save(folder / "scene.jpg", quality=90)
    chart().save(folder / "chart.png")
    page().save(folder / "page.jpg", quality=80)


if __name__ == "__main__":
    main()
