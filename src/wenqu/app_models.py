"""The models of the composition root: which ones the settings ask for, fetched and opened."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from wenqu.errors import ModelError, ModelMissingError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wenqu.models.catalog import ModelEntry
    from wenqu.protocols import ChatModel, Dictionary, Embedder
    from wenqu.settings import ChatServer, Settings
    from wenqu.types import Document

    Read = Callable[[Path, str], Awaitable[Document]]
    Progress = Callable[[str, int, int], None]

__all__ = ["DEFAULT_CHAT_MODEL", "OCR_MODEL", "AppModels"]

DEFAULT_CHAT_MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
OCR_MODEL = "pp-ocrv6-small"
_SERVER_SLOTS = 64
"""Answers that a server may write at a time: it queues by itself what is too much for it."""


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
        self._dictionary: Dictionary | None = None

    async def embedder(self) -> Embedder:
        """Return the embedder, fetching its model where it is not on this machine.

        Raises:
            ModelError: It cannot be had or run.
        """
        async with self._loading:
            if self._embedder is None:
                from wenqu.models.catalog import find
                from wenqu.models.e5 import open_embedder
                from wenqu.models.fetch import located

                entry = find(self.settings.models.embedder, "embedder")
                new = located(entry, self.settings.models_dir) is None
                await self.fetch(entry.name)
                if new:
                    await self._seek_dictionary()
                self._embedder = await asyncio.to_thread(
                    open_embedder,
                    entry,
                    self.settings.models_dir,
                    self.settings.models.embedder_engine,
                    self.settings.models.threads,
                )
            return self._embedder

    async def dictionary(self) -> Dictionary | None:
        """Return the dictionary, or None where none is wanted or on this machine."""
        from wenqu.models.catalog import find
        from wenqu.models.dictionary import open_dictionary

        name = self.settings.models.dictionary
        # Preparing it takes seconds: questions that come meanwhile wait for it, too.
        async with self._loading:
            if self._dictionary is None and name != "none":
                found = open_dictionary(find(name, "dictionary"), self.settings.models_dir)
                if found is not None:
                    # Where it cannot be prepared, each search says so.
                    with suppress(ModelError):
                        await asyncio.to_thread(found.prepare)
                self._dictionary = found
            return self._dictionary

    async def _seek_dictionary(self) -> None:
        """Fetch the dictionary; without it, search goes by meaning alone across languages."""
        if self.settings.models.dictionary != "none":
            with suppress(ModelError):
                await self.fetch(self.settings.models.dictionary)

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
                await self.fetch(OCR_MODEL)
            self._ocr_sought = True

    async def use_chat_model(self, name: str) -> None:
        """Let another model answer from now on: of the catalog, the server in use, or a GGUF file.

        Raises:
            NotFoundError: The catalog has no such model.
            ModelMissingError: It is not on this machine. The one in use stays.
        """
        from wenqu.models.fetch import is_path, locate

        chat = self.settings.chat.model_copy(update={"model": name})
        if is_path(name):
            # What a server answers at a time says nothing of this machine.
            chat = chat.model_copy(update={"base_url": None, "slots": None})
        if chat.base_url is None:
            locate(name, self.settings.models_dir)
        self.settings = self.settings.model_copy(update={"chat": chat})
        old, self._chat = self._chat, self._new_chat_model()
        vars(self).pop("queue", None)  # it was made for as many answers as the old one gives
        if old is not None:
            await old.close()

    def chat_model(self) -> ChatModel | None:
        """Return the chat model, or None where none is configured or on this machine."""
        if self._chat is None:
            self._chat = self._new_chat_model()
        return self._chat

    @property
    def answers_at_once(self) -> int:
        """How many answers the chat model writes at a time.

        One here: two questions about documents, which are mostly reading, would only both be late.
        """
        chat = self.settings.chat
        return chat.slots or (_SERVER_SLOTS if chat.base_url else 1)

    def chat_model_named(self, model: str | None) -> ChatModel:
        """Return a chat model of its own, to be closed by whoever asked for it.

        Args:
            model: A name of the catalog, the path of a GGUF file, or a name of the server in use;
                None is the one that answers.

        Raises:
            NotFoundError: The catalog has no such model.
            ModelMissingError: It is not on this machine.
        """
        from wenqu.models.catalog import CATALOG
        from wenqu.models.fetch import is_path, locate

        chat = self.settings.chat
        if model is not None:
            chat = chat.model_copy(update={"model": model})
            if is_path(model) or model in CATALOG:
                chat = chat.model_copy(update={"base_url": None})
        if chat.base_url is None:
            locate(chat.model or DEFAULT_CHAT_MODEL, self.settings.models_dir)
        found = self._chat_model_of(chat)
        if found is None:  # pragma: no cover - it was located above
            raise ModelMissingError(
                "error.model_missing", name=chat.model, path=self.settings.models_dir
            )
        return found

    async def fetch(self, name: str, origin: Path | None = None, *, link: bool = False) -> Path:
        """Do as ``pull`` does, without blocking; cancelling it ends the download, too.

        Raises:
            NotFoundError: The catalog has no such model, or there is no ``origin``.
            DownloadError: No source has it, or what came is not what was asked for.
        """
        stopped = threading.Event()
        try:
            return await asyncio.to_thread(self.pull, name, origin, link=link, stopped=stopped)
        finally:
            # A thread cannot be cancelled, and no program ends before its threads do.
            stopped.set()

    def pull(
        self,
        name: str,
        origin: Path | None = None,
        *,
        link: bool = False,
        stopped: threading.Event | None = None,
    ) -> Path:
        """Return the file of a model, fetching it where it is not on this machine; blocks.

        Args:
            name: Of the catalog.
            origin: A copy of the file, to take instead of any source.
            link: Point to ``origin`` instead of copying it.
            stopped: Once set, it is given up; the next pull goes on from there.

        Raises:
            NotFoundError: The catalog has no such model, or there is no ``origin``.
            DownloadError: No source has it, or what came is not what was asked for.
            ModelError: It was stopped.
        """
        from wenqu.models.catalog import find
        from wenqu.models.fetch import pull

        def tell(model: str, done: int, size: int) -> None:
            if stopped is not None and stopped.is_set():
                raise ModelError("error.model_stopped", name=model)
            self._on_download(model, done, size)

        return pull(find(name), self.settings.models_dir, tell, origin, link=link)

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
            return self._on_server(chat, chat.base_url)
        from wenqu.models.llamacpp import LlamaCppChat

        path = self._chat_file(chat.model or DEFAULT_CHAT_MODEL)
        if path is None:
            return None
        return LlamaCppChat(
            path,
            name=path.stem,
            threads=self.settings.models.threads,
            timeout_s=waits.timeout_s,
            slots=self.answers_at_once,
            prompts=self.settings.home / "prompts",
        )

    def _chat_file(self, model: str) -> Path | None:
        """Return a model's file, or None where one of the catalog is not on this machine.

        A path is returned as it is: that nothing is there is an error when it is to answer, and
        not a reason to answer without a model.
        """
        from wenqu.models.catalog import find
        from wenqu.models.fetch import is_path, located

        if is_path(model):
            return Path(model).expanduser()
        return located(find(model, "chat"), self.settings.models_dir)

    def _on_server(self, chat: ChatServer, address: str) -> ChatModel:
        from wenqu.models.ollama import OllamaChat
        from wenqu.models.openai import OpenAIChat, Patience

        waits = self.settings.chat
        adapter = OllamaChat if chat.api == "ollama" else OpenAIChat
        return adapter(
            base_url=address,
            model=chat.model or "default",
            api_key=_key(chat),
            patience=Patience(
                first_s=waits.first_token_s,
                next_s=waits.timeout_s,
                retries=waits.retries,
                busy_s=waits.busy_s,
            ),
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
