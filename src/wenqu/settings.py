"""Every setting an operator has; builds nothing.

Order: what the caller or the command line says > ``WENQU_*`` > ``wenqu.toml`` > the defaults below.
A nested setting is written ``WENQU_CHAT__BASE_URL`` or ``base_url`` under ``[chat]``. Unknown keys
are refused, so that a misspelt one never goes unnoticed.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as UnreadableValueError

from wenqu.errors import SettingsError
from wenqu.messages import Phrase, system_locale, wrong_value
from wenqu.types import MAX_CHUNK_OVERLAP, MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS, ChunkStrategy

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Settings", "load"]


def _default_home() -> Path:
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "wenqu"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Section):
    """Where the truth is kept."""

    url: str | None = Field(
        default=None, description="SQLAlchemy URL; default: a SQLite file in the home folder"
    )


class ModelsSettings(_Section):
    """Where models are kept."""

    dir: Path | None = Field(
        default=None, description="folder of the models; default: models in the home folder"
    )
    embedder: str = Field(default="multilingual-e5-small", description="catalog name")
    embedder_engine: Literal["auto", "openvino", "onnxruntime"] = Field(
        default="auto", description="auto takes the fastest for this CPU"
    )
    threads: int | None = Field(default=None, ge=1, description="CPU threads; default: all")
    dictionary: Literal["cc-cedict", "none"] = Field(
        default="cc-cedict",
        description="says a question's words in the other language, where it is on this machine",
    )


class ChatServer(_Section):
    """A language model, on a server or on this machine."""

    base_url: str | None = Field(
        default=None, description="OpenAI-compatible server, with its /v1; default: a local model"
    )
    api: Literal["openai", "ollama"] = Field(
        default="openai", description="what the server speaks: OpenAI's protocol, or Ollama's own"
    )
    model: str | None = Field(
        default=None,
        description="model name on the server; of a local model its catalog name, or any GGUF file",
    )
    api_key: SecretStr | None = Field(default=None, description="key of the server")
    api_key_file: Path | None = Field(
        default=None, description="file that holds the key, instead of the key itself"
    )


class ChatSettings(ChatServer):
    """Which language model answers."""

    fallback: tuple[ChatServer, ...] = Field(
        default=(), description="models asked in turn where this one cannot begin to answer"
    )
    first_token_s: float = Field(default=120.0, gt=0, description="seconds until the first token")
    timeout_s: float = Field(default=120.0, gt=0, description="seconds until a further token")
    retries: int = Field(
        default=2, ge=0, le=10, description="how often a busy server is asked again"
    )
    busy_s: float = Field(
        default=20.0, ge=0, description="most seconds spent waiting for a busy server"
    )
    slots: int | None = Field(
        default=None, ge=1, description="answers written at a time; default: 1 here, 64 on a server"
    )
    waiting: int | None = Field(
        default=None,
        ge=0,
        description=(
            "questions that may wait for a slot, more are told to come back;"
            " default: 200 on a server, 20 here"
        ),
    )
    max_tokens: int = Field(default=400, ge=16, description="longest answer, in tokens")
    evidence_tokens: int | None = Field(
        default=None, ge=100, description="tokens of evidence in a prompt; default: by model"
    )


class AnswerSettings(_Section):
    """What an answer may hold, and what is kept of it."""

    strict: bool = Field(default=False, description="leave out sentences that no source bears out")
    keep: bool = Field(
        default=True,
        description="keep answers, and how each came about, for `wenqu log` and `wenqu trace`",
    )
    cache: int = Field(
        default=0, ge=0, description="answers kept in memory for the same question; 0 keeps none"
    )


class ConversationSettings(_Section):
    """What a conversation remembers, and for how long it is kept."""

    history_tokens: int = Field(
        default=1000,
        ge=100,
        description="tokens of earlier turns that a model is told in full",
    )
    max_tokens: int = Field(default=800, ge=16, description="longest reply of a plain chat")
    idle_minutes: float = Field(
        default=60.0, gt=0, description="minutes after which an idle conversation is deleted"
    )
    system_prompt: str = Field(default="", description="what a plain chat begins with")


class ChunkSettings(_Section):
    """How documents are cut; a knowledge base may do otherwise (`wenqu kb set`)."""

    strategy: ChunkStrategy = Field(
        default=ChunkStrategy.AUTO, description="what chunks follow; auto follows the structure"
    )
    max_tokens: int = Field(
        default=256,
        ge=MIN_CHUNK_TOKENS,
        le=MAX_CHUNK_TOKENS,
        description="largest chunk, in tokens",
    )
    overlap: int = Field(
        default=32,
        ge=0,
        le=MAX_CHUNK_OVERLAP,
        description="tokens that neighbours share; only in recursive and character",
    )


class RetrievalSettings(_Section):
    """How passages are found."""

    candidates: int = Field(default=100, ge=10, le=1000, description="candidates a side")
    lexical_weight: float = Field(
        default=0.5, ge=0, le=1, description="share of the lexical score in the fused one"
    )
    fusion: Literal["weighted", "rrf"] = Field(
        default="weighted",
        description="how words and meaning are joined: by calibrated scores, or by ranks (rrf)",
    )
    reranker: str = Field(
        default="default",
        description="default (the server in rerank.base_url, if any), none, or a model: "
        "a folder with model.onnx, an .onnx or .gguf file",
    )
    reranker_language: Literal["all", "zh", "en"] = Field(
        default="all", description="language of the questions that the reranker understands"
    )
    rerank_candidates: int = Field(
        default=20, ge=2, le=200, description="hits that the reranker looks at"
    )
    rerank_budget_ms: int | None = Field(
        default=None,
        ge=1,
        description="milliseconds for reranking; default: 2000, or rerank.timeout_s for a server",
    )


class RerankSettings(_Section):
    """A server that reranks: Jina, Cohere, SiliconFlow, vLLM, llama.cpp, TEI and others."""

    base_url: str | None = Field(
        default=None, description="what stands before /rerank; default: no server"
    )
    model: str | None = Field(default=None, description="model name on the server")
    api_key: SecretStr | None = Field(default=None, description="key of the server")
    timeout_s: float = Field(default=2.0, gt=0, description="seconds until its answer is there")


class RewriteSettings(_Section):
    """What the language model may do to a question before the search."""

    budget_s: float | None = Field(
        default=None,
        ge=0,
        description=(
            "seconds to complete a follow-up, which rules do after that, and alone with 0;"
            " default: 8 with a server, 0 with a local model"
        ),
    )
    expand_budget_s: float = Field(
        default=20.0, gt=0, description="seconds for other wordings and an imagined passage"
    )


class ReadSettings(_Section):
    """What one file may cost."""

    timeout_s: float = Field(default=120.0, gt=0, description="seconds to read one file")
    total_timeout_s: float = Field(
        default=1800.0, gt=0, description="seconds for a file read part by part, as a scan is"
    )
    memory_mb: int = Field(default=2048, ge=256, description="memory to read one file")
    max_file_mb: int = Field(default=100, ge=1, description="largest file")
    max_characters: int = Field(
        default=20_000_000, ge=1000, description="longest text of one document"
    )
    ocr: bool = Field(default=True, description="recognise pages and images without text")
    max_members: int = Field(default=10_000, ge=1, description="most files in one archive")
    max_unpacked_mb: int = Field(default=2000, ge=1, description="most that one archive unpacks to")


class WebSettings(_Section):
    """What fetching pages and repositories may cost."""

    max_pages: int = Field(default=200, ge=1, description="most pages of one `wenqu add --depth`")
    timeout_s: float = Field(default=60.0, gt=0, description="seconds for one page")
    delay_s: float = Field(
        default=0.2, ge=0, description="seconds between two pages, or more where the site asks"
    )
    clone_timeout_s: float = Field(default=600.0, gt=0, description="seconds for one repository")


class ServerSettings(_Section):
    """Where the server listens."""

    host: str = Field(default="127.0.0.1", description="address")
    port: int = Field(default=8000, ge=0, le=65535, description="port; 0 takes a free one")


class Settings(BaseSettings):
    """All settings, frozen."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="WENQU_", env_nested_delimiter="__"
    )

    home: Path = Field(default_factory=_default_home, description="folder that holds all state")
    language: Literal["zh", "en"] = Field(
        default_factory=system_locale, description="language of messages; default: the system's"
    )
    database: DatabaseSettings = DatabaseSettings()
    models: ModelsSettings = ModelsSettings()
    chat: ChatSettings = ChatSettings()
    answer: AnswerSettings = AnswerSettings()
    conversation: ConversationSettings = ConversationSettings()
    chunk: ChunkSettings = ChunkSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    rerank: RerankSettings = RerankSettings()
    rewrite: RewriteSettings = RewriteSettings()
    read: ReadSettings = ReadSettings()
    web: WebSettings = WebSettings()
    server: ServerSettings = ServerSettings()

    @property
    def database_url(self) -> str:
        """The database in force."""
        return self.database.url or f"sqlite:///{self.home / 'wenqu.db'}"

    @property
    def models_dir(self) -> Path:
        """The model folder in force."""
        return self.models.dir or self.home / "models"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: caller, environment, wenqu.toml."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _toml_file())


def _toml_file() -> Path:
    named = os.environ.get("WENQU_CONFIG")
    if named and not Path(named).is_file():
        raise SettingsError("error.settings", name="WENQU_CONFIG", reason=f"no file {named}")
    return Path(named or "wenqu.toml")


def load(**overrides: object) -> Settings:
    """Return the settings in force.

    Args:
        overrides: What the caller or the command line says; None means it says nothing.

    Raises:
        SettingsError: A setting is unknown or has a wrong value; the hint names those there are.
    """
    _refuse_unknown_variables(os.environ)
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SettingsError("error.settings_unknown", name=name) from None
        raise SettingsError("error.settings", name=name, reason=wrong_value(first)) from None
    except UnreadableValueError as error:
        # It names the field, and its cause what is wrong with the JSON.
        name = re.findall(r'"(\w+)"', str(error))[0]
        raise SettingsError(
            "error.settings", name=name, reason=Phrase("value.json", reason=error.__cause__)
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError("error.settings", name=str(_toml_file()), reason=str(error)) from None
    return settings.model_copy(update={"home": settings.home.expanduser().absolute()})


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = {name.upper() for name in Settings.model_fields} | {"CONFIG"}
    for variable in environment:
        if not variable.startswith("WENQU_"):
            continue
        top = variable.removeprefix("WENQU_").split("__")[0]
        if top.upper() not in known:
            raise SettingsError(
                "error.settings_variable",
                name=variable,
                known=", ".join(f"WENQU_{name}" for name in sorted(known)),
            )
