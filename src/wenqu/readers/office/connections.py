"""Where a workbook takes data from: its connections and its links to other files.

Excel lists them in a dialog. Connection strings hold users and passwords, and addresses hold keys:
only what names the place is kept of them.
Source: ECMA-376-1:2016, 18.13 (connections), 18.14 (external links).
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from wenqu.readers.builder import collapse
from wenqu.readers.office.ooxml import local
from wenqu.readers.office.package import attribute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

    from wenqu.readers.office.ooxml import SalvagedPackage

__all__ = ["bare", "data_sources"]

_MAX_SOURCES = 200
_PAIR = re.compile(r"""([^=;]+)=("(?:[^"]|"")*"|'(?:[^']|'')*'|\{[^}]*\}|[^;]*)""")
_PLACES = frozenset({"data source", "server", "address", "addr", "network address", "dsn", "dbq", "initial catalog", "database"})  # fmt: skip  # noqa: E501
_LINKS = ("{*}externalBook", "{*}oleLink", "{*}ddeLink")
_ITSELF = "$Workbook$"


def data_sources(package: SalvagedPackage, workbook: str) -> list[str]:
    """Return each as ``name: place``, or the place alone where it has no name.

    Args:
        package: The file.
        workbook: Name of its main part.
    """
    found = (*_connections(package, workbook), *_links(package, workbook))
    return list(dict.fromkeys(islice(filter(None, map(collapse, found)), _MAX_SOURCES)))


def _connections(package: SalvagedPackage, workbook: str) -> Iterator[str]:
    parts = list(package.related(workbook, "connections")) or ["xl/connections.xml"]
    for part in filter(package.__contains__, parts):
        root = package.salvage(part)
        for connection in () if root is None else root.iter("{*}connection"):
            if place := _place(connection):
                name = connection.get("name") or ""
                yield f"{name}: {place}" if name else place


def _place(connection: _Element) -> str:
    for part in connection.iter("{*}webPr", "{*}textPr", "{*}dbPr"):
        if local(part) == "dbPr":
            place = _named(part.get("connection") or "")
        else:
            place = bare(part.get("url") or part.get("sourceFile") or "")
        if place:
            return place
    return bare(connection.get("sourceFile") or "")


def _named(connection: str) -> str:
    """Return server and database of a connection string, and nothing else of it."""
    values = [
        bare(value.strip().strip("\"'{}"))
        for key, value in _PAIR.findall(connection)
        if key.strip().lower() in _PLACES
    ]
    return ", ".join(value for value in values if value and value != _ITSELF)


def bare(address: str) -> str:
    """Return an address without user, password, query and fragment; a path as it is."""
    if "://" not in address:
        return address.strip()
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{unquote(parts.path)}"


def _links(package: SalvagedPackage, workbook: str) -> Iterator[str]:
    for part in package.related(workbook, "externalLink"):
        root = package.salvage(part)
        relations = package.relations(part)
        for link in (
            () if root is None else root.iter("{*}externalBook", "{*}oleLink", "{*}ddeLink")
        ):
            if local(link) == "ddeLink":
                yield f"{link.get('ddeService') or ''}|{link.get('ddeTopic') or ''}"
            elif (target := relations.get(attribute(link, "id") or "")) is not None:
                yield bare(target.target) if target.external else ""
