"""What parent and worker say to each other, as JSON.

A worker has had its hands on hostile bytes: what it says is data and is never unpickled.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wenqu.errors import ReadError
from wenqu.protocols import ReadOptions
from wenqu.readers.unpack import Member
from wenqu.types import Block, BlockKind, Box, Document, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ALIVE", "OUT_OF_MEMORY", "READY", "Request", "reply_bytes", "reply_of"]

READY = b'"ready"'
ALIVE = b'"alive"'
OUT_OF_MEMORY = b'"memory"'

_KINDS = {kind.value: kind for kind in BlockKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A file to be read; or, where ``into`` names a folder, an archive to be unpacked there."""

    path: Path
    source: str
    options: ReadOptions
    into: Path | None = None

    def to_bytes(self) -> bytes:
        """Return the request as it is sent."""
        options = {name: value for name, value in _fields(self.options).items() if name != "alive"}
        weights = self.options.ocr_weights
        options["ocr_weights"] = None if weights is None else os.fsencode(weights).hex()
        return _dump(
            {
                "path": os.fsencode(self.path).hex(),
                "source": self.source,
                "options": options,
                "into": None if self.into is None else str(self.into),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, alive: Callable[[], None]) -> Request:
        """Return the request that was sent; ``alive`` becomes its options'."""
        told = json.loads(data)
        options = told["options"]
        options["passwords"] = tuple(options["passwords"])
        weights = options["ocr_weights"]
        options["ocr_weights"] = Path(os.fsdecode(bytes.fromhex(weights))) if weights else None
        return cls(
            path=Path(os.fsdecode(bytes.fromhex(told["path"]))),
            source=told["source"],
            options=ReadOptions(**options, alive=alive),
            into=Path(told["into"]) if told["into"] else None,
        )


def reply_bytes(reply: Document | ReadError | Sequence[Member]) -> bytes:
    """Return what a request came to, as it is sent."""
    if isinstance(reply, ReadError):
        return _dump({"error": _error(reply)})
    if isinstance(reply, Document):
        fields = ("id", "source", "title", "text", "language", "version")
        told = {name: getattr(reply, name) for name in fields}
        blocks = _columns(reply.blocks)
        return _dump({"document": {**told, "blocks": blocks, "meta": dict(reply.meta)}})
    members = [
        {
            "name": member.name,
            "path": None if member.path is None else str(member.path),
            "error": None if member.error is None else _error(member.error),
        }
        for member in reply
    ]
    return _dump({"members": members})


def reply_of(data: bytes) -> Document | ReadError | list[Member]:
    """Return the reply that was sent.

    Raises:
        ValueError, KeyError, TypeError: It is none.
    """
    told = json.loads(data)
    if "error" in told:
        return _error_of(told["error"])
    if "document" in told:
        fields = dict(told["document"])
        fields["blocks"] = _blocks(fields["blocks"])
        return Document(**fields)
    return [
        Member(
            name=one["name"],
            path=Path(one["path"]) if one["path"] else None,
            error=_error_of(one["error"]) if one["error"] else None,
        )
        for one in told["members"]
    ]


def _columns(blocks: Sequence[Block]) -> dict[str, list[Any]]:
    """Return the blocks by columns: a book has ten thousand, and few paths of headings."""
    numbers: dict[tuple[str, ...], int] = {}
    return {
        "starts": [block.span.start for block in blocks],
        "ends": [block.span.end for block in blocks],
        "kinds": [block.kind.value for block in blocks],
        "path_numbers": [numbers.setdefault(block.heading, len(numbers)) for block in blocks],
        "paths": list(numbers),
        "pages": [block.page for block in blocks],
        "boxes": [
            (box.left, box.top, box.right, box.bottom) if (box := block.box) else None
            for block in blocks
        ],
    }


def _blocks(columns: dict[str, list[Any]]) -> tuple[Block, ...]:
    """Return the blocks that ``_columns`` was called on."""
    paths = [tuple(path) for path in columns["paths"]]
    names = ("starts", "ends", "kinds", "path_numbers", "pages", "boxes")
    return tuple(
        Block(
            span=Span(start=start, end=end),
            kind=_KINDS[kind],
            heading=paths[path],
            page=page,
            box=Box(left=box[0], top=box[1], right=box[2], bottom=box[3]) if box else None,
        )
        for start, end, kind, path, page, box in zip(*(columns[n] for n in names), strict=True)
    )


def _error(error: ReadError) -> dict[str, Any]:
    values = {
        name: value if isinstance(value, str | int | float) else str(value)
        for name, value in error.values.items()
    }
    return {"key": error.key, "values": values}


def _error_of(told: dict[str, Any]) -> ReadError:
    return ReadError(told["key"], **told["values"])


def _fields(options: ReadOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in options.__dataclass_fields__}


def _dump(value: object) -> bytes:
    # ASCII: half of a surrogate pair, which broken files hold, passes too.
    return json.dumps(value, ensure_ascii=True).encode("ascii")
