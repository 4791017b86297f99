"""Files inside files: what hangs on a message, is embedded in a document, or attached to a PDF.

An attachment becomes a section of the document it came with, headed by its name, so that it is
found, shown and cited with it. One that cannot be read costs nothing but a note in the meta.
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

from wenqu.errors import ReadError
from wenqu.readers import choose
from wenqu.readers.detect import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wenqu.protocols import Reader, ReadOptions
    from wenqu.readers.builder import DocumentBuilder

__all__ = ["Attachments"]

# Not worth a word of meta each: logos and lines of a signature are in every message.
_DECORATION_BYTES = 20_000


class Attachments:
    """Reads attachments into the document under construction.

    Args:
        readers: Returns the readers to choose from; called at each attachment, since a reader of
            containers is one of them.
    """

    def __init__(self, readers: Callable[[], Sequence[Reader]]) -> None:
        self._readers = readers

    def add(
        self, builder: DocumentBuilder, name: str, data: bytes, options: ReadOptions, level: int = 1
    ) -> None:
        """Add the text of an attachment below a heading of ``level`` that is its name.

        Raises:
            ReadError: The document as a whole grew beyond what is allowed.
        """
        known = sample(name, BytesIO(data))
        reader = choose(self._readers(), known)
        if reader is None or options.nesting < 1 or not data.strip():
            if len(data) > _DECORATION_BYTES:
                builder.leave_out(name)
            return
        try:
            document = reader.read(data, name, replace(options, nesting=options.nesting - 1))
        except ReadError as error:
            if error.key == "read.too_long":
                raise
            if error.key != "read.empty":
                builder.leave_out(name)
            return
        builder.include(document, name, level)
