"""Reranking with a GGUF cross-encoder on this machine, by llama.cpp in a child process.

The child (``python -m wenqu.models.rerank_llamacpp``; see ``child``) is llama.cpp's own server with
its reranking route.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from wenqu.errors import ModelError, ModelMissingError
from wenqu.models.child import Child, ChildError, Parent
from wenqu.models.llama_set_up import parameters, serve_parent
from wenqu.models.memory import cores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wenqu.models.rerank_server import ServerReranker
    from wenqu.types import Hit

__all__ = ["LlamaCppReranker"]

# A pair must fit in one batch. llama.cpp takes less where the model was trained on less.
_PAIR_TOKENS = 1024
_TEXT_TOKENS = 800
_AT_ONCE = 4


class LlamaCppReranker:
    """A ``Reranker`` on a GGUF file; ``load`` starts it, as does the first question.

    One instance belongs to one event loop.

    Args:
        path: The GGUF file, of a model with a ranking head.
        threads: CPU threads; None takes all that this process may use.
        timeout_s: Seconds for loading, and for one answer.
    """

    def __init__(self, path: Path, *, threads: int | None = None, timeout_s: float = 60.0) -> None:
        self._path = path
        self._threads = threads or cores()
        self._timeout_s = timeout_s
        self._starting = asyncio.Lock()
        self._running: tuple[Child, ServerReranker] | None = None

    @property
    def name(self) -> str:
        """The name of its file."""
        return self._path.stem

    async def load(self) -> None:
        """Start the model, so that the first question does not wait for it.

        Raises:
            ModelMissingError: The file is not there.
            ModelError: llama.cpp does not take it.
        """
        await self._ready()

    async def rerank(self, question: str, hits: Sequence[Hit]) -> Sequence[float]:
        """Return the model's score of each hit (a logit), in the hits' order.

        Raises:
            ModelMissingError: The file is not there.
            ModelError: llama.cpp does not take it, ended, or failed.
        """
        child, client = await self._ready()
        try:
            return await client.rerank(question, hits)
        except ModelError:
            if await child.has_ended():
                raise self._broken(child.last_words()) from None
            raise

    async def close(self) -> None:
        """End the child and free its memory."""
        async with self._starting:
            await self._end()

    async def _ready(self) -> tuple[Child, ServerReranker]:
        async with self._starting:
            if self._running is not None and self._running[0].ended:
                await self._end()
            if self._running is None:
                self._running = await self._start()
            return self._running

    async def _end(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            child, client = running
            await client.close()
            await child.close()

    async def _start(self) -> tuple[Child, ServerReranker]:
        if not self._path.is_file():
            missing = self._path.name
            raise ModelMissingError("error.reranker_missing", path=self._path, missing=missing)
        arguments = ["--model", str(self._path), "--threads", str(self._threads)]
        module = "wenqu.models.rerank_llamacpp"
        try:
            child = await Child.start(module, arguments, timeout_s=self._timeout_s)
        except ChildError as error:
            raise self._broken(str(error)) from None
        from wenqu.models.rerank_server import ServerReranker

        client = ServerReranker(
            base_url=child.url,
            model=self.name,
            api_key=child.key,
            timeout_s=self._timeout_s,
            text_tokens=_TEXT_TOKENS,
            transport=child.transport(),
        )
        return child, client

    def _broken(self, reason: str) -> ModelError:
        return ModelError("error.reranker_broken", path=self._path, reason=reason)


def _serve(arguments: Sequence[str]) -> None:
    """Run llama.cpp until standard input closes: what the child process does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--socket")
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args(arguments)
    parent = Parent(given.socket)

    import xllamacpp

    params = parameters(given.model, threads=given.threads, batch=_PAIR_TOKENS)
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    params.n_parallel = _AT_ONCE
    params.n_ctx = _AT_ONCE * _PAIR_TOKENS
    serve_parent(params, given.socket, parent)


if __name__ == "__main__":
    _serve(sys.argv[1:])
