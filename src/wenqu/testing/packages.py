"""Writes ZIP packages of XML parts, so that tests can make what Office and OpenDocument save."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KINDS", "relations", "zipped"]

KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP file of the parts, uncompressed and in their order."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def relations(*entries: tuple[str, str, str]) -> str:
    """Return the relations of an OOXML part: id, kind, target; addresses are outside."""
    items = "".join(
        f'<Relationship Id="{key}" Type="{KINDS}/{kind}" Target="{target}"'
        + (' TargetMode="External"/>' if "://" in target else "/>")
        for key, kind, target in entries
    )
    return f'<Relationships xmlns="{_RELATIONS}">{items}</Relationships>'
