"""Bytes to text: by marks, as Unicode, then by what the bytes tell and what the file declares.

A declared charset is believed only where it agrees with the bytes: pages lie, above all those that
were saved, converted or served by another program than the one that wrote them.

Chinese is told here, by how usual the characters are that come out; chardet tells the rest. Both
Chinese tables put usual characters first: rows B0–D7 of GB 2312 (level 1, 3,755 characters) and
A4–C6 of Big5 (5,401 characters) carry nearly all of running text.
Source: GB/T 2312-1980; Big-5 (Institute for Information Industry, 1984).
"""

from __future__ import annotations

import codecs
import contextlib
import re
import unicodedata

from wenqu.errors import ReadError

__all__ = ["decode", "looks_binary"]

_SAMPLE = 1 << 16
_WIDE_SAMPLE = 1 << 12
_MIXED_PARTS = 20  # one in so many bytes must surely be UTF-8
_MIXED_MAX = 1 << 24  # a larger file is not worth looking at line by line
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
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "big5-tw": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "sjis": "cp932",
    "windows-31j": "cp932",
    "x-euc-jp": "euc_jp",
    "euc-jp": "euc_jp",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "windows-949": "cp949",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-8-i": "iso8859-8",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "euc_kr": "cp949",
    "euc_jis_2004": "euc_jp",
    "shift_jis_2004": "cp932",
    "tis-620": "cp874",
}
_UNICODE = frozenset({"utf-8", "utf8", "unicode", "utf-16", "utf-16le", "utf-16be"})
# What is declared by programs that do not know; it says nothing of the bytes.
_UNKNOWING = frozenset({"cp1252"})
_WIDE_CODECS = frozenset({"gb18030", "big5hkscs", "cp932", "euc_jp", "cp949"})
# What texts come in; without the rest, short texts are told better.
_CANDIDATES = (
    "gb18030", "big5hkscs", "cp932", "euc-jp", "cp949", "cp1250", "cp1251", "cp1252",
    "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "iso-8859-2", "iso-8859-5",
    "iso-8859-6", "iso-8859-7", "iso-8859-8", "iso-8859-15", "koi8-r", "koi8-u", "cp866",
    "cp874",
)  # fmt: skip
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_XML = re.compile(rb"\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]+)")
_MARKS = re.compile(rb"<[!?/A-Za-z][^<>]{0,2000}>|&\w+;")
# Encodings of seven bits switch tables by escapes, so they are valid UTF-8 too.
_ESCAPES = ((re.compile(rb"\x1b\$[@B(]"), "iso2022_jp_2"),
            (re.compile(rb"~\{(?:[!-w][!-~])+~\}"), "hz"),
            (re.compile(rb"\x1b\$\)C"), "iso2022_kr"))  # fmt: skip
_SHIFTS = b"\x0e\x0f"  # what ISO 2022 changes tables by, once an escape has named them
_CONTROLS = bytes({*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20)})
# First bytes of UTF-16 units that Chinese text is made of: ideographs, and its punctuation.
_ROWS = frozenset({*range(0x4E, 0xA0), 0x20, 0x30, 0xFF})
_PRINTABLE = frozenset({0x09, 0x0A, 0x0D, *range(0x20, 0x7F), *range(0xA0, 0x100)})
_PLAUSIBLE = 0.9
# A tenth of Chinese text is these, and no pair of ASCII characters makes one of them.
_COMMON = "的了人和这這国國他们們我以会會，。、：；（）"
_COMMON_EVERY = 40
_GB2312_TRAIL = 0xA1  # smaller second bytes are the later extensions, of rare characters
_CONTROL_SHARE = 0.02
_SURE_CHINESE = 0.9
_LIKELY_CHINESE = 0.6
_SHORT = 24  # bytes beyond ASCII; so few carry no statistics
_FEW = 2  # likewise; so few are no reason to refuse what the other bytes say
_BROKEN_SHARE = 0.02
_MAX_NOISE = 0.2
_ODD = frozenset({"Cc", "Cn", "Co", "Cs", "Lm", "No", "Sk", "Sm", "So"})


def decode(data: bytes, source: str, *, declared: bool = False) -> tuple[str, str]:
    """Return the text in ``data`` and the name of its encoding.

    Args:
        data: The whole file.
        source: Named by the error.
        declared: Whether an HTML or XML head may declare a charset.

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
            return _utf8(data)
    if (wide := _wide(data)) is not None:
        return data.decode(wide, errors="replace"), wide
    if (mixed := _line_by_line(data)) is not None:
        return mixed, "mixed"
    told = _by_evidence(data, _declared(data) if declared else None)
    if told is None:
        raise ReadError("read.encoding", source=source)
    return data.decode(told, errors="replace"), told


def looks_binary(data: bytes) -> bool:
    """Say whether ``data`` (or its first KiB) is no text of any encoding: NULs, control bytes."""
    sample = data[:_SAMPLE]
    if _ESCAPES[-1][0].search(sample):
        sample = sample.translate(None, _SHIFTS)
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if not controls or (b"\0" not in sample and controls <= len(sample) * _CONTROL_SHARE):
        return False
    return not sample.startswith(tuple(mark for mark, _ in _BOMS)) and _wide(sample) is None


def _utf8(data: bytes) -> tuple[str, str]:
    text = data.decode("utf-8")
    if text.isascii():
        for pattern, name in _ESCAPES:
            if pattern.search(data):
                with contextlib.suppress(UnicodeDecodeError):
                    return data.decode(name), name
    return text, "utf-8"


def _wide(data: bytes) -> str | None:
    """Recognise UTF-16 and UTF-32 without a mark by the first bytes of their units.

    Plain ASCII can look like it, so a file without a NUL is tried as UTF-8 first.
    """
    sample = data[: min(_WIDE_SAMPLE, len(data)) & ~3]
    if sample and not any(sample[3::4]) and not any(byte > 0x10 for byte in sample[2::4]):  # noqa: PLR2004
        return "utf-32-le"
    if sample and not any(sample[0::4]) and not any(byte > 0x10 for byte in sample[1::4]):  # noqa: PLR2004
        return "utf-32-be"
    sample = data[: min(_WIDE_SAMPLE, len(data)) & ~1]
    if not sample:
        return None
    shares = {
        "utf-16-le": _plausible(sample[1::2], sample[0::2]),
        "utf-16-be": _plausible(sample[0::2], sample[1::2]),
    }
    best = max(shares, key=lambda name: shares[name])
    if shares[best] < _PLAUSIBLE or min(shares.values()) == shares[best]:
        return None
    # Without a NUL there is no ASCII in it: only Chinese is left, which other bytes resemble.
    return best if b"\0" in sample or _reads_as_chinese(sample, best) else None


def _reads_as_chinese(sample: bytes, encoding: str) -> bool:
    text = sample.decode(encoding, errors="replace")
    return sum(map(text.count, _COMMON)) >= len(text) / _COMMON_EVERY


def _plausible(high: bytes, low: bytes) -> float:
    units = zip(high, low, strict=True)
    good = sum(1 for top, bottom in units if (bottom in _PRINTABLE if not top else top in _ROWS))
    return good / len(high)


def _declared(data: bytes) -> str | None:
    found = _XML.match(data[:1024]) or _META.search(data[:4096])
    if found is None:
        return None
    label = found[1].decode("ascii").lower()
    if label in _UNICODE:
        return None  # it was tried, or the declaration could not have been read in it
    name = _LABELS.get(label, label)
    try:
        codec = codecs.lookup(name)
        codec.decode(data, "strict")
    except (LookupError, UnicodeError, ValueError, TypeError):
        return None
    # Python's registry also has codecs that are no charset, such as base64.
    return name if codec._is_text_encoding else None  # noqa: SLF001  # no public way to ask


def _by_evidence(data: bytes, declared: str | None) -> str | None:
    sample = _dense(data)
    if _nearly_utf8(sample):
        return "utf-8"
    chinese = {
        "gb18030": _usual(sample, "gb18030", range(0xB0, 0xD8), range(0xA1, 0xAA)),
        "big5hkscs": _usual(sample, "big5hkscs", range(0xA4, 0xC7), range(0xA1, 0xA4)),
    }
    likely = max(chinese, key=lambda name: chinese[name])
    high = len(sample) - len(sample.translate(None, bytes(range(0x80, 0x100))))
    if high <= _SHORT and declared is None and chinese[likely] >= _SURE_CHINESE:
        return likely
    if declared in chinese and chinese[declared] >= _LIKELY_CHINESE:
        return declared
    told = _by_statistics(sample)
    if told not in _WIDE_CODECS:
        told = _but_for_broken_bytes(sample) or told
    if declared is not None and not _outweighs(told, declared, sample):
        return declared
    if told is not None and _broken(sample, told) <= _BROKEN_SHARE and _is_writing(sample, told):
        return told
    last = "cp1252" if high <= _FEW < len(data) else None
    return likely if chinese[likely] >= _LIKELY_CHINESE else last


def _but_for_broken_bytes(sample: bytes) -> str | None:
    """Return the code of several bytes that the sample is in but for single broken ones."""
    for codec in sorted(_WIDE_CODECS):
        if 0 < _broken(sample, codec) <= _BROKEN_SHARE:
            mended = sample.decode(codec, errors="ignore").encode(codec, errors="ignore")
            if _by_statistics(mended) == codec:
                return codec
    return None


def _dense(data: bytes) -> bytes:
    """Return a sample of the lines that hold bytes beyond ASCII, without the marks of HTML or XML.

    In markup, and in code with a few comments, the bytes that tell anything are far between.
    """
    head = data[: 4 * _SAMPLE]
    plain = _MARKS.sub(b" ", head)
    text = plain if not plain.isascii() else data
    lines = [line for line in text[: 16 * _SAMPLE].splitlines(keepends=True) if not line.isascii()]
    return b"".join(lines)[:_SAMPLE] or data[:_SAMPLE]


def _by_statistics(sample: bytes) -> str | None:
    import chardet

    found = chardet.detect(
        sample, prefer_superset=False, compat_names=False, include_encodings=_CANDIDATES
    )
    name = found["encoding"]
    return _LABELS.get(name.lower(), name.lower()) if name else None


def _outweighs(told: str | None, declared: str, sample: bytes) -> bool:
    """Say whether what the bytes tell is more likely than what the file declares of itself."""
    if told is None or told == declared or _broken(sample, told):
        return False
    # A strict code of several bytes does not fit by chance; one of single bytes fits anything.
    return told in _WIDE_CODECS or declared in _WIDE_CODECS | _UNKNOWING


def _broken(sample: bytes, encoding: str) -> float:
    """Return which share of the characters beyond ASCII cannot be decoded."""
    text = sample.decode(encoding, errors="replace")
    high = sum(1 for character in text if character > "\x7f")
    # The sample may end in mid-character: one broken character is allowed for it.
    return max(0, text.count("\ufffd") - (len(sample) == _SAMPLE)) / high if high else 0.0


def _is_writing(sample: bytes, encoding: str) -> bool:
    """Say whether bytes beyond ASCII come out as letters and usual signs: noise decodes too."""
    if encoding in _WIDE_CODECS:
        return True
    text = sample.decode(encoding, errors="replace")
    high = [character for character in text if character > "\x7f"]
    odd = sum(1 for character in high if unicodedata.category(character) in _ODD)
    return odd <= len(high) * _MAX_NOISE


def _nearly_utf8(sample: bytes) -> bool:
    text = sample.decode("utf-8", errors="replace")
    return not text.isascii() and _broken(sample, "utf-8") <= _BROKEN_SHARE


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


def _line_by_line(data: bytes) -> str | None:
    """Decode a file that several programs wrote to, in UTF-8 and in GB18030, line by line.

    Returns None for any other: of the lines beyond ASCII, some are surely UTF-8, and the others
    are Chinese.
    """
    if len(data) > _MIXED_MAX:
        return None
    lines = data.splitlines(keepends=True)
    beyond = [line for line in lines if not line.isascii()]
    sure = sum(len(line) for line in beyond if len(line) >= _SHORT and _is_utf8(line))
    rest = b"".join(line for line in beyond if not _is_utf8(line))[:_SAMPLE]
    if sure * _MIXED_PARTS < sum(map(len, beyond)) or not rest:
        return None
    if _usual(rest, "gb18030", range(0xB0, 0xD8), range(0xA1, 0xAA)) < _SURE_CHINESE:
        return None
    return "".join(
        line.decode("utf-8" if _is_utf8(line) else "gb18030", errors="replace") for line in lines
    )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
