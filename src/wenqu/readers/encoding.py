"""Bytes to text: byte order marks, UTF-8, UTF-16, then GB18030, Big5 and Windows-1252 by evidence.

The last three decode almost any bytes, so what tells them apart is how usual the characters are
that come out. Chinese national tables put usual characters first: rows B0–D7 of GB 2312 (level 1,
3,755 characters) and A4–C6 of Big5 (5,401 characters) carry nearly all of running text.
Source: GB/T 2312-1980; Big-5 (Institute for Information Industry, 1984).
"""

from __future__ import annotations

import codecs
import contextlib
import re

from wenqu.errors import ReadError

__all__ = ["decode", "looks_binary"]

_SAMPLE = 1 << 16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Labels that mean more than they say. Source: WHATWG Encoding Standard §4.2.
_LABELS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "ascii": "cp1252",
    "us-ascii": "cp1252",
}
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_XML = re.compile(rb"\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]+)")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
# First bytes of UTF-16 units that Chinese text is made of: ideographs, and its punctuation.
_ROWS = frozenset({*range(0x4E, 0xA0), 0x20, 0x30, 0xFF})
_PRINTABLE = frozenset({0x09, 0x0A, 0x0D, *range(0x20, 0x7F), *range(0xA0, 0x100)})
_PLAUSIBLE = 0.9
_GB2312_TRAIL = 0xA1  # smaller second bytes are the later extensions, of rare characters
_LATIN_LETTERS = 0xC0  # À; below are signs
_LATIN_RUN = 4  # accented letters in a row; Chinese text has longer runs
_CONTROL_SHARE = 0.02
_CONVINCING = 0.6
_BROKEN_SHARE = 0.02


def decode(data: bytes, source: str, *, declared: bool = False) -> tuple[str, str]:
    """Return the text in ``data`` and the name of its encoding.

    Args:
        data: The whole file.
        source: Named by the error.
        declared: Whether to believe a charset that an HTML or XML head declares.

    Raises:
        ReadError: It is not text, or in no encoding that can be told with confidence.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            # A mark settles it; single broken characters do not cost the file.
            return data.decode(name, errors="replace"), name.removesuffix("-sig")
    if looks_binary(data):
        raise ReadError("read.unsupported", source=source, kind="binary data")
    if b"\0" not in data[:_SAMPLE]:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("utf-8"), "utf-8"
    if (wide := _utf16(data)) is not None:
        return data.decode(wide, errors="replace"), wide
    told = (_declared(data) if declared else None) or _by_evidence(data)
    if told is None:
        raise ReadError("read.encoding", source=source)
    return data.decode(told, errors="replace"), told


def looks_binary(data: bytes) -> bool:
    """Say whether ``data`` (or its first KiB) is no text of any encoding: NULs, control bytes."""
    sample = data[:_SAMPLE]
    if sample.startswith(tuple(mark for mark, _ in _BOMS)) or _utf16(sample) is not None:
        return False
    controls = len(_CONTROL.findall(sample))
    return b"\0" in sample or controls > len(sample) * _CONTROL_SHARE


def _utf16(data: bytes) -> str | None:
    """Recognise UTF-16 without a mark by the first bytes of its units: 0, or those of Chinese.

    Plain ASCII can look like it, so a file without a NUL is tried as UTF-8 first.
    """
    sample = data[: min(_SAMPLE, len(data)) & ~1]
    if not sample:
        return None
    shares = {
        "utf-16-le": _plausible(sample[1::2], sample[0::2]),
        "utf-16-be": _plausible(sample[0::2], sample[1::2]),
    }
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= _PLAUSIBLE and min(shares.values()) < shares[best] else None


def _plausible(high: bytes, low: bytes) -> float:
    units = zip(high, low, strict=True)
    good = sum(1 for top, bottom in units if (bottom in _PRINTABLE if not top else top in _ROWS))
    return good / len(high)


def _declared(data: bytes) -> str | None:
    found = _XML.match(data[:1024]) or _META.search(data[:4096])
    if found is None:
        return None
    label = found[1].decode("ascii").lower()
    name = _LABELS.get(label, label)
    if name in {"utf-16", "utf-16le", "utf-16be", "utf-8"}:
        return None  # it was tried, or the declaration could not have been read in it
    try:
        data.decode(name)
    except (LookupError, UnicodeDecodeError):
        return None
    return name


def _by_evidence(data: bytes) -> str | None:
    sample = data[:_SAMPLE]
    if _nearly_utf8(sample):
        return "utf-8"
    scores = {
        "gb18030": _usual(sample, "gb18030", range(0xB0, 0xD8), range(0xA1, 0xAA)),
        "big5hkscs": _usual(sample, "big5hkscs", range(0xA4, 0xC7), range(0xA1, 0xA4)),
        "cp1252": _latin(sample),
    }
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= _CONVINCING else None


def _nearly_utf8(sample: bytes) -> bool:
    text = sample.decode("utf-8", errors="replace")
    high = sum(1 for character in text if character > "\x7f")
    # The sample may end in mid-character: one broken character is allowed for it.
    broken = text.count("\ufffd") - (len(sample) == _SAMPLE)
    return high > 0 and broken <= high * _BROKEN_SHARE


def _usual(sample: bytes, encoding: str, rows: range, signs: range) -> float:
    """Return which share of the characters beyond ASCII is usual in that encoding, 0 to 1."""
    text = sample.decode(encoding, errors="replace")
    wide = [character for character in text if character > "\x7f"]
    usual = 0.0
    for character in wide:
        coded = character.encode(encoding, errors="ignore") if character != "\ufffd" else b""
        if len(coded) != 2:  # noqa: PLR2004  # both tables are of two bytes
            continue
        # Signs count half: rows of signs are usual in both encodings, so they say little.
        table = coded[1] >= _GB2312_TRAIL or encoding != "gb18030"
        usual += (coded[0] in rows and table) or 0.5 * (coded[0] in signs and table)
    return usual / len(wide) if wide else 0.0


def _latin(sample: bytes) -> float:
    """Return which share of the high bytes stands alone, or in a short run of accented letters."""
    runs = _HIGH_RUN.findall(sample)
    total = sum(map(len, runs))
    alone = sum(
        len(run)
        for run in runs
        if len(run) == 1 or (len(run) <= _LATIN_RUN and min(run) >= _LATIN_LETTERS)
    )
    return alone / total if total else 0.0
