"""Pictures become documents of what is written on them."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions, Sample
from wenqu.readers.pages.image import ImageReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.types import BlockKind, Document

if TYPE_CHECKING:
    from pathlib import Path

Draw = Callable[..., Image.Image]

CHINESE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAUoAAABAAQAAAABUvgN6AAAC50lEQVR4nO2VP2wcRRSHv5lb5w7F0RmFPxcE9iIa"
    "yhQUFjLeoadITcO5o0yEaMD45kxEKIKoKeC2g5IyFewGpDQoHIiGAnltEBEowB0+Et9lZx7Fru07k3XSUETKq2bm"
    "fXrze29Wv1XCfUaq75eEh+j/iE7KTXIvVIyGWMSSAXnMCGJA7H/QnWiuwXlez7trZ5TGcWI/6VSwrcwhevVT28mk"
    "pR69siQW9g7LWKApU1WfbgH+FQDq8iuKoEhtquckP9oWuPdYv1gs8/2zdclgqGbRbvh7zWJeVhn8KWNVsG4PaEoy"
    "hW6HnezjuY/eHyy+3dGcnNhS5tGRa1jM4DV/A/wG6+z8c008A2YanBYQgm+4GtCnDYTACNSCU3YaVeMBEGQ3AgvP"
    "ttp9gwG2HjFQkxkUbqbKyMJpAQz027IHfHc7kcERAePmzdUo0cl8bCFdM8DlUgQ/qvAQ/YV6/xwrxbtfJOol8VkP"
    "hQjqvZ9MiQYsOtLQbzBke21rA4CWO3Hwnp+82p7WGrddja1sqWcBxDCpqazINyNtDtDQinl+orn+OSgLeOZH2sbA"
    "WGk2ZyYwsU/9oTuPPwbQACyfqbjMf7Hpk31W/Mad1GWd1WtDy5JvWs7IeEu+jOQWSyJXaiuRiIhIgogvln85EfHl"
    "ufiO3JaZSNRDJ3wA0ZFYcn8vtPsM9GEYcPwja7rv7FzQrVNhbeAdkCpTia7nKmF+N4PgeOEaBx9eb4BbeHcuhKiX"
    "VLHyVRLJt8Ly6d3iu+zJ3SMJCHML7J5889jbAc0TjA2XToVuIV2u6qhEL71VhwuSNfMmQHctrETfmNrtu3AFWsxd"
    "mW5BdXpZJYoFiCbR6pC6eM5XVy0i1S/QBEoDvDta/EKigK8BkGVnKqtq9vDAyhDAX3btSvRJ0+dOCoWA3B9Y35EI"
    "YPRBAxXJ34W3jevVWvktOcstKJHvg9WkCv3hXPsl03Av7lx1YwPf1H6OK8rKtP8dFw+UE/4LZ4OC2/7RP4AAAAAA"
    "SUVORK5CYII="
)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def read(ocr_weights: Path) -> Callable[..., Document]:
    def read_it(data: bytes, name: str = "x.png", **options: Any) -> Document:
        return ImageReader().read(data, name, ReadOptions(ocr_weights=ocr_weights, **options))

    return read_it


class TestImageReader(ReaderContract):
    @pytest.fixture(autouse=True)
    def _drawings(self, ocr_weights: Path, drawn: Draw) -> None:
        self.weights = ocr_weights
        self.english = saved(drawn(("Tide room seats 24", 40, 80)), "JPEG")

    def reader(self) -> ImageReader:
        return ImageReader()

    def options(self) -> ReadOptions:
        return ReadOptions(ocr_weights=self.weights)

    def samples(self) -> dict[str, bytes]:
        return {"会议室.png": CHINESE, "photo": self.english}


def test_chinese_is_read_with_its_marks(read: Callable[..., Document]) -> None:
    document = read(CHINESE, "通知.png")
    assert document.text == "听泉会议室可坐六人，在三层。预订请提前一天。"
    assert document.language == "zh"
    assert document.title == "通知"
    (block,) = document.blocks
    assert block.page == 1
    assert block.box is not None
    assert 0 <= block.box.left < block.box.right <= 330
    assert 0 <= block.box.top < block.box.bottom <= 64


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_a_format_is_known_by_its_bytes_and_not_by_its_name(
    read: Callable[..., Document], drawn: Draw, kind: str
) -> None:
    data = saved(drawn(("Tide room seats 24", 40, 80)), kind)
    assert ImageReader().accepts(Sample(name="notes.txt", head=data[:4096]))
    document = read(data, "notes.txt")
    assert document.text == "Tide room seats 24"
    assert document.meta["format"] == kind.lower()


@pytest.mark.parametrize("text", [b"BM is a mark of books.", b"II. Rooms", b"RIFF raff", b"GIF"])
def test_a_text_that_begins_like_a_picture_is_none(text: bytes) -> None:
    assert not ImageReader().accepts(Sample(name="x.txt", head=text))


def test_each_page_of_a_fax_is_numbered_and_told_of(
    read: Callable[..., Document], drawn: Draw
) -> None:
    pages = [drawn((f"This is sheet {word}", 40, 80)) for word in ("one", "two", "three")]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    told: list[int] = []
    document = read(data, "fax.tif", alive=lambda: told.append(1))
    assert [block.page for block in document.blocks] == [1, 2, 3]
    assert "This is sheet two" in document.text
    assert document.meta["pages"] == "3"
    assert len(told) == 3


def test_a_page_that_is_damaged_costs_a_note_and_not_the_others(
    read: Callable[..., Document], drawn: Draw
) -> None:
    pages = [drawn((f"This is sheet {word}", 40, 80)) for word in ("one", "two")]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="jpeg")
    last = data.rindex(b"\xff\xd8\xff")
    document = read(data[:last] + bytes(200) + data[last + 200 :])
    assert document.text == "This is sheet one"
    assert document.meta["left_out"] == "p. 2"


def test_a_film_is_read_by_its_first_picture(read: Callable[..., Document], drawn: Draw) -> None:
    first, second = drawn(("First picture", 40, 80)), drawn(("Second picture", 40, 80))
    data = saved(first, "GIF", save_all=True, append_images=[second])
    assert read(data).text == "First picture"


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_90),
        (5, Image.Transpose.TRANSPOSE),
    ],
)
def test_a_photograph_is_turned_as_its_camera_says(
    read: Callable[..., Document], drawn: Draw, kind: str, orientation: int, turn: Image.Transpose
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = saved(drawn(("Tide room seats 24", 40, 80)).transpose(turn), kind, exif=exif)
    document = read(data)
    assert document.text == "Tide room seats 24"
    (block,) = document.blocks
    assert block.box is not None
    assert block.box.left < 60
    assert 60 < block.box.top < block.box.bottom < 130


@pytest.mark.parametrize("ink", ["black", "white"])
def test_what_is_transparent_is_paper_that_the_ink_stands_out_from(
    read: Callable[..., Document], drawn: Draw, ink: str
) -> None:
    mask = drawn(("Tide room seats 24", 40, 80)).convert("L").point(lambda level: 255 - level)
    image = Image.new("RGBA", mask.size, ink)
    image.putalpha(mask)
    assert read(saved(image)).text == "Tide room seats 24"


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16", "F"])
def test_a_scan_may_have_any_depth_of_colour(
    read: Callable[..., Document], drawn: Draw, mode: str
) -> None:
    image = drawn(("Tide room seats 24", 40, 80))
    if mode == "I;16":
        image = image.convert("L").convert("I").point(lambda level: level * 16).convert("I;16")
    else:
        image = image.convert(mode)
    assert read(saved(image, "TIFF")).text == "Tide room seats 24"


def test_words_in_columns_become_a_table(read: Callable[..., Document], drawn: Draw) -> None:
    rows = [("Room", "Seats", "Floor"), ("Spring", "16", "Third"), ("Tide", "24", "Fifth")]
    words = [
        (word, 20 + 220 * column, 20 + 50 * row)
        for row, cells in enumerate(rows)
        for column, word in enumerate(cells)
    ]
    document = read(saved(drawn(*words)))
    (block,) = document.blocks
    assert block.kind is BlockKind.TABLE
    assert document.text.split("\n")[0] == "| Room | Seats | Floor |"
    assert document.text.split("\n")[-1] == "| Tide | 24 | Fifth |"


def test_when_and_by_whom_a_photograph_was_taken_is_kept(
    read: Callable[..., Document], drawn: Draw
) -> None:
    exif = Image.Exif()
    exif[306] = "2024:05:06 07:08:09"
    exif[40091] = "Rooms on the third floor".encode("utf-16-le") + b"\0\0"
    notes = PngInfo()
    notes.add_itxt("Author", "李明")
    document = read(saved(drawn(("Tide room seats 24", 40, 80)), exif=exif, pnginfo=notes))
    assert document.meta["date"] == "2024-05-06"
    assert document.meta["author"] == "李明"
    assert document.meta["pixels"] == "640 × 200"
    assert document.title == "Rooms on the third floor"


def test_a_picture_without_writing_is_empty_and_no_failure(
    read: Callable[..., Document], drawn: Draw
) -> None:
    with pytest.raises(ReadError) as caught:
        read(saved(drawn()))
    assert caught.value.key == "read.empty"


def test_without_recognition_the_error_says_what_is_missing(drawn: Draw) -> None:
    with pytest.raises(ReadError) as caught:
        ImageReader().read(saved(drawn(("Tide", 40, 80))), "x.png", ReadOptions())
    assert caught.value.key == "read.no_text"
    assert "wenqu models pull" in (caught.value.hint() or "")


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_picture_that_would_fill_memory_is_refused(
    read: Callable[..., Document], side: int
) -> None:
    header = saved(Image.new("1", (8, 8)))
    bomb = bytearray(header)
    bomb[16:24] = side.to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bytes(bomb[12:29])).to_bytes(4, "big")
    with pytest.raises(ReadError) as caught:
        read(bytes(bomb))
    assert caught.value.key == "read.too_many_pixels"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_picture_cut_short_is_damaged(
    read: Callable[..., Document], drawn: Draw, kind: str, share: float
) -> None:
    data = saved(drawn(("Tide room seats 24", 40, 80)), kind)
    with pytest.raises(ReadError) as caught:
        read(data[: int(len(data) * share)])
    assert caught.value.key in {"read.damaged", "read.empty"}
