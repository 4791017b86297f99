"""The error tree. Adapters translate their client's exceptions into it at the seam.

    WenquError                   everything wenqu raises on purpose
    ├── NotFoundError            a knowledge base, document, model or dataset that is not there
    ├── ConflictError            it exists already, or is in use
    ├── InputError               something the user gave cannot be used as it is
    │   └── SettingsError        a setting is unknown or has a wrong value
    ├── ReadError                a file could not be read; costs that file and nothing else
    ├── SourceError              a page or a repository could not be fetched; likewise
    ├── IndexMismatchError       an index was made by another chunker, tokeniser or embedder
    ├── BusyError                too many are waiting for an answer
    ├── StoreError               the database cannot be opened, read or written
    └── ModelError               a model cannot be had or run
        ├── ModelMissingError    it is not on this machine yet
        ├── DownloadError        it could not be fetched, or its hash is wrong
        └── ChatError            the chat model failed in mid-work

An error names a key of the message catalogue, so that each door shows it in the user's language;
``str(error)`` is the English text. ``retryable`` says whether the same call may work later.
"""

from __future__ import annotations

from typing import ClassVar

from wenqu import messages

__all__ = [
    "BusyError",
    "ChatError",
    "ConflictError",
    "DownloadError",
    "IndexMismatchError",
    "InputError",
    "ModelError",
    "ModelMissingError",
    "NotFoundError",
    "ReadError",
    "SettingsError",
    "SourceError",
    "StoreError",
    "WenquError",
]


class WenquError(Exception):
    """Base of every error that wenqu raises on purpose.

    Args:
        key: The section of the message catalogue that says what happened.
        values: What the text's placeholders stand for.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, key: str, /, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(self.message("en"))

    def message(self, locale: messages.Locale) -> str:
        """Return what happened, in the user's language."""
        return messages.text(self.key, locale, **self.values)

    @property
    def phrase(self) -> messages.Phrase:
        """What happened, to be told later in whatever language is wanted then."""
        return messages.Phrase(self.key, **self.values)

    def hint(self, locale: messages.Locale = "en") -> str | None:
        """Return what to do about it, or None where there is nothing to say."""
        return messages.hint(self.key, locale, **self.values)

    def __reduce__(self) -> tuple[object, ...]:
        # Readers raise in a worker process: the key and values must survive pickling by the pool.
        return (_rebuild, (type(self), self.key, self.values))


def _rebuild(cls: type[WenquError], key: str, values: dict[str, object]) -> WenquError:
    return cls(key, **values)


class NotFoundError(WenquError):
    """What was asked for does not exist."""


class ConflictError(WenquError):
    """What was to be made exists already, or is in use."""


class InputError(WenquError):
    """Something the user gave cannot be used as it is."""


class SettingsError(InputError):
    """A setting is unknown or has a wrong value."""


class ReadError(WenquError):
    """A file could not be read into a document."""


class SourceError(WenquError):
    """A page or a repository could not be fetched."""

    retryable = True


class IndexMismatchError(WenquError):
    """An index was made by another chunker, tokeniser or embedder than those in use."""


class BusyError(WenquError):
    """Too many are waiting for an answer.

    ``values`` has how many are ``ahead``, and the ``seconds`` after which to ask again.
    """

    retryable = True


class StoreError(WenquError):
    """The database cannot be opened, read or written."""


class ModelError(WenquError):
    """A model cannot be had or run."""


class ModelMissingError(ModelError):
    """A model is not on this machine yet."""


class DownloadError(ModelError):
    """A model could not be fetched, or what came is not what was asked for."""

    retryable = True


class ChatError(ModelError):
    """A chat model failed while it was answering."""

    retryable = True
