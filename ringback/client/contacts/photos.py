"""Pictures of people as they are shown: checked, cropped to a square, scaled (planning guide, "Contact Photo Formats
and Dimensions").

JPG, PNG and BMP come in as directories have them (GIF and WebP as avatars do); PNG goes out in 128, 64 and 32 pixels.
Portrait pictures lose 30 percent of the surplus at the top and 70 at the bottom, landscape ones half on each side.
Dimensions are read from the head before anything is decoded: a small file that would fill the memory is refused.
Decoding costs time: call ``make_photo`` in a thread.
"""

from __future__ import annotations

import hashlib
import io
import struct

import msgspec
from PIL import Image, ImageOps, UnidentifiedImageError

from ringback.rules.reasons import Reason

SIZES = (128, 64, 32)  # pixels; call window, notices, lists
BYTES_MOST = 4 * 1024 * 1024
SIDE_MOST = 8000  # pixels of a side
PIXELS_MOST = 25_000_000
TOP_SHARE = 30  # of 100 pixels that a portrait has too many
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")


class PhotoError(Exception):
    """A file is no picture that can be shown; ``reason`` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.id)
        self.reason = reason


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """A picture ready to show: PNG files by their size in pixels. ``version`` changes with what is seen."""

    version: str
    sizes: dict[int, bytes]
    source: str = ""
    at: float = 0.0

    def at_least(self, pixels: int) -> bytes:
        """The smallest that is not under so many pixels, else the largest."""
        fitting = [size for size in self.sizes if size >= pixels]
        return self.sizes[min(fitting) if fitting else max(self.sizes)]


def crop_box(width: int, height: int) -> tuple[int, int, int, int]:
    """The square of a picture that is shown: left, top, right, bottom in pixels.

    Of what a portrait has too many, 30 of 100 pixels go at the top; of a landscape, half at the left. Parts of a pixel
    go at the bottom and at the right (chosen).
    """
    if height > width:
        top = (height - width) * TOP_SHARE // 100
        return 0, top, width, top + width
    left = (width - height) // 2
    return left, 0, left + height, height


def make_photo(data: bytes, source: str = "", at: float = 0.0) -> Photo:
    """A picture in all sizes. Blocks for some milliseconds. Raises PhotoError."""
    if len(data) > BYTES_MOST:
        raise PhotoError(Reason.of("contacts.photo.too_large", limit=BYTES_MOST // 2**20))
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            return _made(picture, data, source, at)
    except PhotoError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        bomb = not isinstance(error, UnidentifiedImageError)
        raise PhotoError(Reason.of("contacts.photo.bomb" if bomb else "contacts.photo.kind")) from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, OverflowError, Warning, KeyError, TypeError,
            IndexError, MemoryError, AttributeError, ZeroDivisionError, NotImplementedError) as error:  # fmt: skip
        # What decoders raise for broken files is not one error; all of it means the same here.
        raise PhotoError(Reason.of("contacts.photo.broken", why=type(error).__name__)) from error


def _made(picture: Image.Image, data: bytes, source: str, at: float) -> Photo:
    width, height = picture.size  # from the head: nothing was decoded yet
    if width > SIDE_MOST or height > SIDE_MOST or width * height > PIXELS_MOST:
        raise PhotoError(Reason.of("contacts.photo.bomb"))
    if width < 1 or height < 1:
        raise PhotoError(Reason.of("contacts.photo.kind"))
    if picture.format == "JPEG":
        picture.draft("RGB", (SIZES[0] * 2, SIZES[0] * 2))  # decode no more than is shown
    upright = ImageOps.exif_transpose(picture)
    has_alpha = "A" in upright.mode or "transparency" in upright.info
    square = upright.convert("RGBA" if has_alpha else "RGB").crop(crop_box(*upright.size))
    sizes = {}
    for size in SIZES:
        out = io.BytesIO()
        square.resize((size, size), Image.Resampling.LANCZOS).save(out, "PNG")
        sizes[size] = out.getvalue()
    return Photo(version=hashlib.sha256(data).hexdigest()[:16], sizes=sizes, source=source, at=at)
