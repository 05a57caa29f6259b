"""Drawn portraits for the people of a lab, so that a trial looks like a company and shows nobody's real face.

A seed word chooses the features; the same word always gives the same picture.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw

Hair = Literal["short", "long", "bob", "bun", "curly", "beard", "bald", "scarf"]

_GRID = 64  # the drawing below is made on a grid of this size
_BACKGROUNDS = ("#C9DDE3", "#EAD9C8", "#D5E3D3", "#DAD9E8", "#F0DDB8", "#EBDADF", "#DDE6E9", "#E4E0D4")
_SKINS = ("#F3D2BA", "#EFCBB0", "#EBC4A0", "#D6A078", "#C08A63", "#A8744C", "#7A4B32", "#5C3826")
_HAIR_COLOURS = ("#17110F", "#2A1D1A", "#4B2A1F", "#6B4A32", "#B98B52", "#D9A441", "#9AA3A6", "#8C3B1E")
_CLOTHES = ("#0C617A", "#8A3A5B", "#2F5D50", "#3D4C7A", "#B2470B", "#5D6B2F", "#75502C", "#4A3A66")
_HAIRS: tuple[Hair, ...] = ("short", "long", "bob", "bun", "curly", "beard", "bald", "scarf")


@dataclass(frozen=True, slots=True)
class Features:
    """What a portrait shows."""

    background: str
    skin: str
    hair_colour: str
    clothes: str
    hair: Hair
    glasses: bool


def features_of(seed: str) -> Features:
    """The features of a seed word; ``name:style`` fixes the hair style."""
    word, _, style = seed.partition(":")
    digest = hashlib.sha256(word.encode()).digest()
    chosen = next((hair for hair in _HAIRS if hair == style), _HAIRS[digest[4] % len(_HAIRS)])
    return Features(
        _BACKGROUNDS[digest[0] % 8],
        _SKINS[digest[1] % 8],
        _HAIR_COLOURS[digest[2] % (3 if digest[1] % 8 > 3 else 8)],  # dark hair with darker skin
        _CLOTHES[digest[3] % 8],
        chosen,
        digest[5] % 4 == 0,
    )


def draw(seed: str, size: int = 256) -> bytes:
    """A square JPEG of ``size`` pixels."""
    features = features_of(seed)
    scale = size * 2 / _GRID
    image = Image.new("RGB", (size * 2, size * 2), features.background)
    pen = _Pen(ImageDraw.Draw(image), scale)
    _behind(pen, features)
    _body(pen, features)
    _in_front(pen, features)
    _face(pen, features)
    out = io.BytesIO()
    image.reduce(2).save(out, "JPEG", quality=88)  # from twice the size: soft edges, at a sixth of a resampling's cost
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class _Pen:
    """Draws in grid units."""

    canvas: ImageDraw.ImageDraw
    scale: float

    def ellipse(self, left: float, top: float, right: float, bottom: float, fill: str) -> None:
        self.canvas.ellipse([value * self.scale for value in (left, top, right, bottom)], fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: str, radius: float = 0) -> None:
        corners = [value * self.scale for value in (left, top, right, bottom)]
        self.canvas.rounded_rectangle(corners, radius=radius * self.scale, fill=fill)

    def half(self, left: float, top: float, right: float, bottom: float, fill: str) -> None:
        corners = [value * self.scale for value in (left, top, right, bottom)]
        self.canvas.pieslice(corners, 180, 360, fill=fill)

    def arc(
        self, left: float, top: float, right: float, bottom: float, span: tuple[int, int], colour: str, width: float
    ) -> None:
        corners = [value * self.scale for value in (left, top, right, bottom)]
        self.canvas.arc(corners, *span, fill=colour, width=round(width * self.scale))


def _behind(pen: _Pen, features: Features) -> None:
    colour = features.hair_colour
    match features.hair:
        case "long":
            pen.box(17, 16, 47, 52, colour, 13)
        case "bob":
            pen.box(17.5, 15, 46.5, 40, colour, 12)
        case "bun":
            pen.ellipse(26, 5, 38, 17, colour)
        case "curly":
            for left, top in ((15, 17), (18, 11), (25, 8), (32, 9), (37, 13), (38, 20)):
                pen.ellipse(left, top, left + 13, top + 13, colour)
        case "scarf":
            pen.box(16.5, 11, 47.5, 50, features.clothes, 15)
        case _:
            pass


def _body(pen: _Pen, features: Features) -> None:
    pen.ellipse(9, 46, 55, 92, features.clothes)
    pen.box(27, 38, 37, 51, _darker(features.skin), 5)
    pen.ellipse(20, 14, 44, 44, features.skin)


def _in_front(pen: _Pen, features: Features) -> None:
    colour = features.hair_colour
    match features.hair:
        case "bald":
            pass
        case "scarf":
            pen.arc(16.5, 10.5, 47.5, 48, (0, 360), features.clothes, 5)
            pen.box(22, 44, 42, 54, features.clothes, 5)
        case "curly":
            for left in (20, 25, 30, 35):
                pen.ellipse(left, 11, left + 9, 20, colour)
        case "beard":
            pen.half(19, 11, 45, 34, colour)
            pen.box(21, 23, 43, 25, features.skin)
            pen.canvas.chord([value * pen.scale for value in (20.5, 22, 43.5, 46)], 10, 170, fill=colour)
        case _:
            pen.half(18.5, 11, 45.5, 36, colour)
            pen.ellipse(22, 20, 43.6, 33, features.skin)


def _face(pen: _Pen, features: Features) -> None:
    ink = "#2B2320"
    for centre in (27.5, 36.5):
        pen.ellipse(centre - 1.3, 27.4, centre + 1.3, 30, ink)
        if features.glasses:
            pen.arc(centre - 4, 24.7, centre + 4, 32.7, (0, 360), "#33444C", 0.8)
    if features.glasses:
        pen.box(31.2, 28, 32.8, 28.8, "#33444C")
    pen.arc(28, 31.5, 36, 38, (25, 155), "#FFFFFF" if features.hair == "beard" else "#8F4A3C", 1.1)


def _darker(colour: str) -> str:
    return "#" + "".join(f"{int(int(colour[index : index + 2], 16) * 0.9):02X}" for index in (1, 3, 5))
