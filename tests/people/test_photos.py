"""Pictures: the crop table exactly, all formats in, three sizes out, and bombs refused before they are decoded."""

from __future__ import annotations

import io
import struct
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ringback.client.contacts.photos import BYTES_MOST, SIZES, PhotoError, crop_box, make_photo


def picture(width: int, height: int, form: str = "PNG", mode: str = "RGB") -> bytes:
    """A picture whose red rises downwards and whose green rises to the right."""
    image = Image.new(mode, (width, height))
    if mode == "RGB":
        rows = [(x * 255 // width, y * 255 // height) for y in range(height) for x in range(width)]
        image.putdata([(y, x, 0) for x, y in rows])
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [
        (100, 200, (0, 30, 100, 130)),  # the guide: 30 pixels from the top and 70 from the bottom
        (200, 100, (50, 0, 150, 100)),  # the guide: 50 from each side
        (128, 128, (0, 0, 128, 128)),
        (100, 101, (0, 0, 100, 101 - 1)),
        (101, 100, (0, 0, 100, 100)),
        (1, 11, (0, 3, 1, 4)),
        (3, 1, (1, 0, 2, 1)),
    ],
)
def test_the_table_of_crops(width: int, height: int, box: tuple[int, int, int, int]) -> None:
    assert crop_box(width, height) == box


@given(st.integers(1, 8000), st.integers(1, 8000))
def test_every_crop_is_a_square_within_the_picture(width: int, height: int) -> None:
    left, top, right, bottom = crop_box(width, height)
    side = min(width, height)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert (right - left, bottom - top) == (side, side)
    assert top == max(0, height - width) * 30 // 100
    assert left == max(0, width - height) // 2


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_each_format_comes_out_in_all_sizes(form: str) -> None:
    photo = make_photo(picture(90, 150, form), "ldap", 7.0)
    assert sorted(photo.sizes, reverse=True) == list(SIZES)
    for size, data in photo.sizes.items():
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.size) == ("PNG", (size, size))
    assert (photo.source, photo.at) == ("ldap", 7.0)


def test_what_is_cut_off_is_not_seen() -> None:
    photo = make_photo(picture(100, 200))
    with Image.open(io.BytesIO(photo.sizes[128])) as image:
        top, bottom = image.getpixel((64, 0)), image.getpixel((64, 127))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert abs(top[0] - 30 * 255 // 200) <= 3
    assert abs(bottom[0] - 129 * 255 // 200) <= 3


@pytest.mark.parametrize(
    ("wanted", "given"), [(1, 32), (32, 32), (33, 64), (64, 64), (65, 128), (128, 128), (999, 128)]
)
def test_the_smallest_size_that_is_large_enough(wanted: int, given: int) -> None:
    photo = make_photo(picture(10, 10))
    assert photo.at_least(wanted) == photo.sizes[given]


def test_see_through_pictures_stay_so() -> None:
    with Image.open(io.BytesIO(make_photo(picture(20, 20, mode="RGBA")).sizes[32])) as image:
        assert image.mode == "RGBA"


def _png_head(width: int, height: int) -> bytes:
    """A PNG that claims to be so large and has a little compressed data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100_000), 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (9000, 10), (5100, 5100), (60_000, 1), (2**31 - 1, 1)])
def test_bombs_are_refused_before_they_are_decoded(width: int, height: int) -> None:
    began = time.process_time()
    with pytest.raises(PhotoError) as refused:
        make_photo(_png_head(width, height))
    assert refused.value.reason.id in ("contacts.photo.bomb", "contacts.photo.broken")
    assert time.process_time() - began < 0.2


def test_a_bomb_as_bitmap_is_refused() -> None:
    head = (
        b"BM"
        + struct.pack("<IHHI", 60, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 30_000, 30_000, 1, 24, 0, 0, 0, 0, 0, 0)
    )
    with pytest.raises(PhotoError) as refused:
        make_photo(head + bytes(100))
    assert refused.value.reason.id == "contacts.photo.bomb"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "kind"),
        (b"%PDF-1.7", "kind"),
        (bytes(BYTES_MOST + 1), "too_large"),
        (picture(100, 100, "JPEG")[:300], "broken"),
        (picture(100, 100, "PNG")[:60], "broken"),
    ],
)
def test_what_is_no_picture_says_why(data: bytes, why: str) -> None:
    with pytest.raises(PhotoError) as refused:
        make_photo(data)
    assert refused.value.reason.id == f"contacts.photo.{why}"


@settings(max_examples=60)
@given(st.sampled_from(("JPEG", "PNG", "BMP", "GIF", "WEBP")), st.data())
def test_broken_pictures_give_a_picture_or_the_documented_error(form: str, data: st.DataObject) -> None:
    whole = bytearray(picture(24, 40, form))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        photo = make_photo(bytes(whole[: data.draw(st.integers(1, len(whole)))]))
    except PhotoError:
        return
    assert set(photo.sizes) == set(SIZES)
