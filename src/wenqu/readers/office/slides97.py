"""PowerPoint presentations of 97–2003 (PPT): slide by slide, like those of today.

A file is a stream of records, appended to at each save; the last save says where the present
version of each slide is. Where that cannot be followed, all slides in the stream are read in the
order they stand in. Source: [MS-PPT] v20240416; [MS-ODRAW] for shapes.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.protocols import DEFAULT_OPTIONS
from wenqu.readers.attachments import Attachments
from wenqu.readers.builder import DocumentBuilder, collapse, only_text
from wenqu.readers.office.embedded import ole_payload
from wenqu.readers.office.encrypted import decrypt
from wenqu.readers.office.oleproperties import note_old_properties
from wenqu.readers.office.ppt_records import OUTLINE_REF, STRING, Record, Text, read_texts, records
from wenqu.readers.office.slide import Item, Slide, add_slide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wenqu.protocols import Reader, ReadOptions, Sample
    from wenqu.types import Document

__all__ = ["OldSlidesReader"]

# Record types. Source: [MS-PPT] 2.13.24, [MS-ODRAW] 2.2.
_DOCUMENT, _SLIDE, _SLIDE_ATOM, _NOTES, _MASTER = 0x03E8, 0x03EE, 0x03EF, 0x03F0, 0x03F8
_PERSIST_ATOM, _DRAWING, _PLACEHOLDER, _CLIENT_DATA = 0x03F3, 0x040C, 0x0BC3, 0xF011
_LATER_PLACEHOLDER = 0x0420
_OLE_ATOM, _EMBEDDED, _FOOTERS, _LIST = 0x0FC3, 0x0FCC, 0x0FD9, 0x0FF0
_USER_EDIT, _DIRECTORY, _STORAGE = 0x0FF5, 0x1772, 0x1011
_TAG_DATA, _COMMENT = 0x138B, 0x2EE0
_GROUP, _SHAPE, _FRAME, _CHILD_ANCHOR, _ANCHOR = 0xF003, 0xF004, 0xF00D, 0xF00F, 0xF010
_SHAPE_ATOM, _TABLE_OPTIONS = 0xF00A, 0xF122
_TABLE_PROPERTY = 0x039F
_DELETED = 0x8
_TITLES, _OUTLINES, _NOTES_TEXT = frozenset({0, 6}), frozenset({1, 5, 7, 8}), 2
_SLIDES, _MASTERS, _NOTES_LIST = 0, 1, 2
# Placeholders of a master hold prompts, those of dates, numbers and headers nothing of the text.
_PROMPTS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 10})
_RUNNING = frozenset({7, 8, 9, 10})
_FOOTER_STRING, _MENU_NAME = 2, 1
_ENCRYPTED = b"\xdf\xc4\xd1\xf3"
_MAX_DEPTH = 40
_MAX_EDITS = 1000
_MAX_STORAGE = 100 << 20
_SMALL_ANCHOR = 8
# What PowerPoint writes where nobody has given a title.
_NO_TITLE = re.compile(
    r"(?:(?:slide|幻灯片|投影片|スライド)\s*\d*|powerpoint"
    r" (?:presentation|演示文稿|簡報|プレゼンテーション))?",
    re.IGNORECASE,
)
_BROKEN = (OSError, ValueError, LookupError, TypeError, struct.error, AttributeError)


class OldSlidesReader:
    """Reads PPT, also under a password.

    Args:
        readers: Returns the readers of files that are embedded in a presentation.
    """

    name = "ppt/1"

    def __init__(self, readers: Callable[[], Sequence[Reader]] = tuple) -> None:
        self._attachments = Attachments(readers)

    def accepts(self, sample: Sample) -> bool:
        """Take what holds an old presentation."""
        return sample.container == "ppt"

    def read(self, data: bytes, source: str, options: ReadOptions = DEFAULT_OPTIONS) -> Document:
        """Return the presentation, slide by slide.

        Raises:
            ReadError: It is damaged, empty, too long, or asks for a password.
        """
        stream, user = _streams(data, source)
        if user[12:16] == _ENCRYPTED:
            data = decrypt(data, source, options)
            stream, user = _streams(data, source)
        deck = _Deck(memoryview(stream), user)
        builder = DocumentBuilder(source, "ppt", options)
        title = _properties(data, builder)
        count = 0
        for slide in deck.slides():
            add_slide(builder, slide)
            count = slide.number
        builder.note("slides", str(count))
        for name, content in deck.embedded():
            self._attachments.add(builder, name, content, options)
        try:
            return builder.build(title=title)
        except ReadError as error:
            if error.key == "read.empty" and not count:
                raise ReadError("read.damaged", source=source, reason="no slide found") from error
            raise


class _Deck:
    """The slides of a stream, found by its last edit or, failing that, one after the other."""

    def __init__(self, stream: memoryview, user: bytes) -> None:
        self._stream = stream
        self._said: set[str] = set()
        last = int.from_bytes(user[16:20], "little")
        edit = next(records(stream, last), None) if last else None
        if edit is None or edit.kind != _USER_EDIT:
            last = _last_edit(stream)
        self._places, document = _directory(stream, last)
        found = self._at(document)
        if found is None or found.kind != _DOCUMENT:
            found = next((one for one in records(stream) if one.kind == _DOCUMENT), None)
        self._document = found

    def slides(self) -> Iterator[Slide]:
        """Yield the slides in their order."""
        listed = [(self._at(reference), texts) for reference, _, texts in self._listed(_SLIDES)]
        notes = {number: reference for reference, number, _ in self._listed(_NOTES_LIST)}
        if not any(texts or _is_slide(record) for record, texts in listed):
            # Nothing leads to the slides: they are read as they come.
            listed = [(record, []) for record in records(self._stream) if _is_slide(record)]
        for number, (record, texts) in enumerate(listed, 1):
            yield self._slide(number, record if _is_slide(record) else None, texts, notes)

    def embedded(self) -> Iterator[tuple[str, bytes]]:
        """Yield names and bytes of the files that are embedded."""
        for object_ in self._document.find(_EMBEDDED) if self._document else ():
            atom = object_.child(_OLE_ATOM)
            storage = self._at(atom.number(16)) if atom is not None else None
            named = object_.child(STRING, _MENU_NAME)
            if storage is None or storage.kind != _STORAGE:
                continue
            try:
                data = _unpacked(storage)
            except zlib.error:
                continue
            yield ole_payload(data, named.text() if named else "embedded")

    def _at(self, reference: int) -> Record | None:
        place = self._places.get(reference)
        return None if place is None else next(records(self._stream, place), None)

    def _listed(self, instance: int) -> list[tuple[int, int, list[Text]]]:
        """Return reference, number and outline texts of each slide in a list of slides."""
        listed: list[tuple[int, int, list[Text]]] = []
        group: list[Record] = []
        parts = self._document.children() if self._document else iter(())
        for part in parts:
            if part.kind != _LIST or part.instance != instance:
                continue
            for record in part.children():
                if record.kind == _PERSIST_ATOM:
                    group = []
                    listed.append((record.number(0), record.number(12), []))
                elif listed:
                    group.append(record)
                    listed[-1] = (*listed[-1][:2], read_texts(iter(group)))
        return listed

    def _slide(
        self, number: int, record: Record | None, outline: list[Text], notes: dict[int, int]
    ) -> Slide:
        slide = Slide(number=number)
        if record is None:
            slide.items = [_item(text, (0.0, 0.0, 0.0)) for text in outline]
            return slide
        slide.items = list(_items(record, outline, _RUNNING))
        atom = record.child(_SLIDE_ATOM)
        if atom is not None:
            slide.after += self._once(self._master(atom.number(12)))
            slide.after += self._notes(notes.get(atom.number(16), 0))
        slide.after += self._once([*_footers(record), *self._footers()])
        for comment in record.find(_COMMENT, through=_TAG_DATA):
            said = comment.child(STRING, 1)
            slide.after.append(collapse(said.text()) if said else "")
        return slide

    def _notes(self, reference: int) -> Iterator[str]:
        record = self._at(reference)
        if record is None or record.kind != _NOTES:
            return
        for item in _flat(_items(record, [], frozenset())):
            if item.role == _NOTES_TEXT:
                yield "\n".join(paragraph.text for paragraph in item.text)

    def _master(self, number: int) -> Iterator[str]:
        """Yield what the master of a slide shows on it: all but its placeholders' prompts."""
        reference = next((ref for ref, one, _ in self._listed(_MASTERS) if one == number), 0)
        record = self._at(reference)
        if record is not None and record.kind in {_MASTER, _SLIDE}:
            for item in _flat(_items(record, [], _PROMPTS)):
                yield "\n".join(paragraph.text for paragraph in item.text)

    def _footers(self) -> Iterator[str]:
        return _footers(self._document) if self._document else iter(())

    def _once(self, texts: Iterable[str]) -> Iterator[str]:
        for text in texts:
            if only_text(text) and text not in self._said:
                self._said.add(text)
                yield text


def _streams(data: bytes, source: str) -> tuple[bytes, bytes]:
    """Return the presentation and what tells its last edit."""
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            user = ole.openstream("Current User").read() if ole.exists("Current User") else b""
            return ole.openstream("PowerPoint Document").read(), user
    except _BROKEN as error:
        raise ReadError("read.damaged", source=source, reason=str(error)) from error


def _properties(data: bytes, builder: DocumentBuilder) -> str | None:
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            title = note_old_properties(ole, builder) or ""
            return None if _NO_TITLE.fullmatch(title) else title
    except _BROKEN:
        return None


def _is_slide(record: Record | None) -> bool:
    return record is not None and record.kind == _SLIDE


def _last_edit(stream: memoryview) -> int:
    """Return where the last edit in the stream is, 0 for none."""
    at, last = 0, 0
    for record in records(stream):
        if record.kind == _USER_EDIT:
            last = at
        at += 8 + len(record.data)
    return last


def _directory(stream: memoryview, last: int) -> tuple[dict[int, int], int]:
    """Return where each persistent object is, newest first, and which one is the document."""
    places: dict[int, int] = {}
    document = 0
    seen: set[int] = set()
    while last and last not in seen and len(seen) < _MAX_EDITS:
        seen.add(last)
        edit = next(records(stream, last), None)
        if edit is None or edit.kind != _USER_EDIT:
            break
        directory = next(records(stream, edit.number(12)), None)
        if directory is not None and directory.kind == _DIRECTORY:
            for reference, place in _entries(directory):
                places.setdefault(reference, place)
        document = document or edit.number(16)
        last = edit.number(8)
    return places, document


def _entries(directory: Record) -> Iterator[tuple[int, int]]:
    at = 0
    while at + 4 <= len(directory.data):
        head = directory.number(at)
        first, count = head & 0xFFFFF, head >> 20
        at += 4
        for entry in range(min(count, (len(directory.data) - at) // 4)):
            yield first + entry, directory.number(at + 4 * entry)
        at += 4 * count


def _unpacked(storage: Record) -> bytes:
    if storage.instance != 1:
        return bytes(storage.data)
    return zlib.decompressobj().decompress(storage.data[4:], _MAX_STORAGE)


def _footers(record: Record) -> Iterator[str]:
    for part in record.children():
        if part.kind == _FOOTERS and (footer := part.child(STRING, _FOOTER_STRING)) is not None:
            yield collapse(footer.text())


def _items(record: Record, outline: list[Text], skipped: frozenset[int]) -> Iterator[Item]:
    """Yield what the drawing of a slide shows."""
    drawing = record.child(_DRAWING)
    root = None if drawing is None else next(drawing.find(_GROUP), None)
    if root is not None:
        yield from _group(root, outline, skipped, 0)


def _group(
    group: Record, outline: list[Text], skipped: frozenset[int], depth: int
) -> Iterator[Item]:
    for at, part in enumerate(group.children()):
        if part.kind == _SHAPE and at > 0:  # the first is the group itself
            yield from _shape(part, outline, skipped)
        elif part.kind == _GROUP and depth < _MAX_DEPTH:
            inner = tuple(_group(part, outline, skipped, depth + 1))
            head = part.child(_SHAPE)
            if not inner or head is None:
                continue
            top, left, height = _place(head)
            rows = _table(inner) if _is_table(head) else ()
            inner = () if rows else inner
            yield Item(top=top, left=left, height=height, rows=rows, group=inner)


def _shape(shape: Record, outline: list[Text], skipped: frozenset[int]) -> Iterator[Item]:
    atom, frame = shape.child(_SHAPE_ATOM), shape.child(_FRAME)
    if frame is None or (atom is not None and atom.number(4) & _DELETED):
        return
    data = shape.child(_CLIENT_DATA)
    if data is not None and not skipped.isdisjoint(_placeholders(data)):
        return
    # A frame is a run of records, whether or not it says that it is a container.
    parts = list(records(frame.data))
    reference = next((part.number(0) for part in parts if part.kind == OUTLINE_REF), None)
    if reference is not None and reference < len(outline):
        yield _item(outline[reference], _place(shape))
    for text in read_texts(iter(parts)):
        yield _item(text, _place(shape))


def _placeholders(data: Record) -> Iterator[int]:
    """Yield what a shape is a placeholder of: said twice, in the old way and in that of 2007."""
    for part in data.children():
        place = {_PLACEHOLDER: 4, _LATER_PLACEHOLDER: 0}.get(part.kind)
        if place is not None and place < len(part.data):
            yield part.data[place]


def _item(text: Text, place: tuple[float, float, float]) -> Item:
    top, left, height = place
    return Item(
        top=top, left=left, height=height, text=text.paragraphs, title=text.role in _TITLES,
        outline=text.role in _OUTLINES, role=text.role,
    )  # fmt: skip


def _place(shape: Record) -> tuple[float, float, float]:
    """Return top, left and height; a group's children count in the group's own units."""
    for part in shape.children():
        data = bytes(part.data)
        if part.kind == _ANCHOR and len(data) == _SMALL_ANCHOR:
            top, left, _, bottom = struct.unpack("<4h", data)
        elif part.kind == _ANCHOR and len(data) >= 2 * _SMALL_ANCHOR:
            top, left, _, bottom = struct.unpack_from("<4i", data)
        elif part.kind == _CHILD_ANCHOR and len(data) >= 2 * _SMALL_ANCHOR:
            left, top, _, bottom = struct.unpack_from("<4i", data)
        else:
            continue
        return float(top), float(left), float(bottom - top)
    return 0.0, 0.0, 0.0


def _is_table(head: Record) -> bool:
    options = head.child(_TABLE_OPTIONS)
    if options is None:
        return False
    entries = range(0, 6 * options.instance, 6)
    kinds = (int.from_bytes(options.data[at : at + 2], "little") & 0x3FFF for at in entries)
    return _TABLE_PROPERTY in kinds


def _table(cells: Sequence[Item]) -> list[list[str]]:
    """Return the cells of a table, which are shapes in rows and columns."""
    tops = {top: at for at, top in enumerate(sorted({cell.top for cell in cells}))}
    lefts = {left: at for at, left in enumerate(sorted({cell.left for cell in cells}))}
    rows = [[""] * len(lefts) for _ in tops]
    for cell in cells:
        text = " ".join(paragraph.text for paragraph in cell.text)
        rows[tops[cell.top]][lefts[cell.left]] = text
    return rows


def _flat(items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _flat(item.group)
