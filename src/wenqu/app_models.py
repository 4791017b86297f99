"""The models of the composition root: which ones the settings ask for, fetched and opened."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from wenqu.errors import ModelError, ModelMissingError, SettingsError, WenquError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from wenqu.models.catalog import ModelEntry
    from wenqu.protocols import ChatModel, Embedder
    from wenqu.settings import ChatServer, Settings
    from wenqu.types import Document

    Read = Callable[[Path, str], Awaitable[Document]]
    Progress = Callable[[str, int, int], None]

__all__ = ["DEFAULT_CHAT_MODEL", "OCR_MODEL", "AppModels"]

DEFAULT_CHAT_MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
OCR_MODEL = "pp-ocrv6-small"


class AppModels:
    """The part of ``App`` that has to do with models; each is opened when first used."""

    def __init__(
        self,
        settings: Settings,
        *,
        on_download: Progress,
        embedder: Embedder | None,
        chat: ChatModel | None,
    ) -> None:
        self.settings = settings
        self._on_download = on_download
        self._embedder = embedder
        self._chat = chat
        self._loading = asyncio.Lock()
        self._ocr_sought = False

    async def embedder(self) -> Embedder:
        """Return the embedder, fetching its model where it is not on this machine.

        Raises:
            ModelError: It cannot be had or run.
        """
        async with self._loading:
            if self._embedder is None:
                from wenqu.models.catalog import find
                from wenqu.models.e5 import open_embedder

                entry = find(self.settings.models.embedder)
                await asyncio.to_thread(self.pull, entry.name)
                self._embedder = await asyncio.to_thread(
                    open_embedder,
                    entry,
                    self.settings.models_dir,
                    self.settings.models.embedder_engine,
                    self.settings.models.threads,
                )
            return self._embedder

    async def try_embedder(self) -> tuple[str, str | None]:
        """Embed a word; return the engine that did, and why it was not the first choice, if so.

        Raises:
            ModelError: The model cannot be had or run.
        """
        from wenqu.models.e5 import E5Embedder

        embedder = await self.embedder()
        await embedder.embed(["wenqu"], "query")
        if isinstance(embedder, E5Embedder):
            return embedder.engine, embedder.note
        return type(embedder).__name__, None

    @property
    def ocr_weights(self) -> Path:
        """Where the weights for text recognition are, once they are on this machine."""
        from wenqu.models.catalog import find

        return self.settings.models_dir / find(OCR_MODEL).file

    def recognizing(self, read: Read) -> Read:
        """Return ``read``, but fetching those weights before the first file that may need them.

        Where they cannot be had, the files that do need them say so, and the others are read.
        """
        from wenqu.readers.pages.ocr import may_show_text

        async def read_it(path: Path, source: str) -> Document:
            if (
                self.settings.read.ocr
                and not self._ocr_sought
                and await asyncio.to_thread(may_show_text, path)
            ):
                async with self._loading:
                    await self._seek_ocr()
            return await read(path, source)

        return read_it

    async def _seek_ocr(self) -> None:
        if not self._ocr_sought:
            with suppress(ModelError):
                await asyncio.to_thread(self.pull, OCR_MODEL)
            self._ocr_sought = True

    async def use_chat_model(self, name: str) -> None:
        """Let another model answer from now on: one of the catalog, or of the server in use.

        Raises:
            NotFoundError: The catalog has no such model.
            ModelMissingError: It is not on this machine.
        """
        chat = self.settings.chat.model_copy(update={"model": name})
        before = self.settings
        self.settings = before.model_copy(update={"chat": chat})
        try:
            new = self._new_chat_model()
        except WenquError:
            self.settings = before
            raise
        if new is None:
            self.settings = before
            raise ModelMissingError("error.model_missing", name=name, path=before.models_dir)
        old, self._chat = self._chat, new
        if old is not None:
            await old.close()

    def chat_model(self) -> ChatModel | None:
        """Return the chat model, or None where none is configured or on this machine."""
        if self._chat is None:
            self._chat = self._new_chat_model()
        return self._chat

    def pull(self, name: str) -> Path:
        """Return the file of a model, fetching it where it is not on this machine; blocks.

        Raises:
            NotFoundError: The catalog has no such model.
            DownloadError: No source has it, or what came is not what was asked for.
        """
        from wenqu.models.catalog import find
        from wenqu.models.fetch import pull

        return pull(find(name), self.settings.models_dir, self._on_download)

    def models(self) -> list[tuple[ModelEntry, Path | None]]:
        """Return the models of the catalog, each with its file where it is on this machine."""
        from wenqu.models.catalog import CATALOG
        from wenqu.models.fetch import located

        return [(entry, located(entry, self.settings.models_dir)) for entry in CATALOG.values()]

    def verify(self, entry: ModelEntry) -> bool:
        """Say whether a model's file has the right hash; reads all of it."""
        from wenqu.models.fetch import verify

        return verify(entry, self.settings.models_dir)

    def _new_chat_model(self) -> ChatModel | None:
        chat = self.settings.chat
        models = [self._chat_model_of(one) for one in (chat, *chat.fallback)]
        there = [model for model in models if model is not None]
        if len(there) < 2:  # noqa: PLR2004  # nothing to fall back to
            return there[0] if there else None
        from wenqu.models.fallback import FallbackChat

        return FallbackChat(there)

    def _chat_model_of(self, chat: ChatServer) -> ChatModel | None:
        waits = self.settings.chat
        if chat.base_url is not None:
            from wenqu.models.openai import OpenAIChat, Patience

            return OpenAIChat(
                base_url=chat.base_url,
                model=chat.model or "default",
                api_key=_key(chat),
                patience=Patience(
                    first_s=waits.first_token_s,
                    next_s=waits.timeout_s,
                    retries=waits.retries,
                    busy_s=waits.busy_s,
                ),
            )
        from wenqu.models.catalog import find
        from wenqu.models.fetch import located

        entry = find(chat.model or DEFAULT_CHAT_MODEL)
        path = located(entry, self.settings.models_dir)
        if path is None:
            return None
        from wenqu.models.llamacpp import LlamaCppChat

        return LlamaCppChat(
            path,
            name=entry.name,
            threads=self.settings.models.threads,
            timeout_s=waits.timeout_s,
        )


def _key(chat: ChatServer) -> str | None:
    """Return the key of a server, or None where it wants none.

    Raises:
        SettingsError: Its file cannot be read.
    """
    if chat.api_key is not None:
        return chat.api_key.get_secret_value()
    if chat.api_key_file is None:
        return None
    path = chat.api_key_file.expanduser()
    try:
        return path.read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "UTF-8"
        raise SettingsError("error.chat_key_file", path=path, reason=reason) from None
