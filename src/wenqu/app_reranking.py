"""The reranker of the composition root: which one the settings ask for, opened, with its limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wenqu.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.pipeline.rerank import Reranking
    from wenqu.protocols import Reranker
    from wenqu.settings import Settings
    from wenqu.types import Hit

    Opened = tuple[Reranker, float]

__all__ = ["open_reranking"]

_MODEL_MS = 2000


async def open_reranking(settings: Settings) -> Reranking | None:
    """Return the reranker that the settings ask for, or None where there is none.

    A model is loaded here, so that its loading is not on the clock of the first question. Where
    that fails, each search says why it went without.

    Raises:
        SettingsError: ``retrieval.reranker`` is neither a word that it knows nor a file.
    """
    from wenqu.pipeline.rerank import Reranking

    opened = await _opened(settings)
    if opened is None:
        return None
    reranker, budget_ms = opened
    retrieval = settings.retrieval
    language = retrieval.reranker_language
    return Reranking(
        reranker=reranker,
        budget_s=(retrieval.rerank_budget_ms or budget_ms) / 1000,
        candidates=retrieval.rerank_candidates,
        language=None if language == "all" else language,
    )


async def _opened(settings: Settings) -> Opened | None:
    wanted = settings.retrieval.reranker
    if wanted == "none":
        return None
    if wanted != "default":
        return await _local(settings, wanted), _MODEL_MS
    if settings.rerank.base_url is None:
        return None
    return _server(settings, settings.rerank.base_url), settings.rerank.timeout_s * 1000


def _server(settings: Settings, base_url: str) -> Reranker:
    from wenqu.models.rerank_server import ServerReranker

    server = settings.rerank
    return ServerReranker(
        base_url=base_url,
        model=server.model,
        api_key=server.api_key.get_secret_value() if server.api_key else None,
        timeout_s=server.timeout_s,
    )


async def _local(settings: Settings, wanted: str) -> Reranker:
    path = _model_path(settings, wanted)
    threads = settings.models.threads
    if path.suffix == ".gguf":
        from wenqu.models.rerank_llamacpp import LlamaCppReranker

        reranker: LlamaCppReranker | OnnxReranker = LlamaCppReranker(path, threads=threads)
    else:
        from wenqu.models.rerank_onnx import OnnxReranker

        reranker = OnnxReranker(path, threads=threads)
    try:
        await reranker.load()
    except ModelError as error:
        await reranker.close()
        return _Unavailable(reranker.name, error)
    return reranker


def _model_path(settings: Settings, wanted: str) -> Path:
    for path in (Path(wanted).expanduser(), settings.models_dir / wanted):
        if path.exists():
            return path
    reason = f"no model at {wanted}"
    raise SettingsError("error.settings", name="retrieval.reranker", reason=reason)


class _Unavailable:
    """A reranker that could not be opened: it says why at each search, and costs it nothing."""

    def __init__(self, name: str, error: ModelError) -> None:
        self.name = name
        self._error = error

    async def rerank(self, question: str, hits: Sequence[Hit]) -> Sequence[float]:
        del question, hits
        raise self._error

    async def close(self) -> None:
        pass
