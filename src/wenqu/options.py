"""What a caller may ask of a search or an answer, beside the question itself.

The doors fill these in; pipelines follow them; an answer's record keeps them, so that it can be
asked again the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wenqu.types import Message, Origin

__all__ = ["AskOptions", "SearchFilter", "SearchOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFilter:
    """Which documents may be found; each condition that is given must hold.

    ``sources`` are shell patterns of a whole source, or of its end after a slash. ``folders`` are
    beginnings of sources, whole parts of a path. ``titles`` are parts of a title, in any case.
    ``tags`` are those that ``wenqu add --tag`` or the document's own keywords gave it; one of them
    is enough, as one source, folder or title is. ``since`` and ``until`` are dates as 2024,
    2024-03 or 2024-03-05, both inclusive; documents without a date never match them.
    """

    sources: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def __bool__(self) -> bool:
        return self != SearchFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How to search.

    ``order`` is whose ranking is wanted; None takes that of the last stage that ran. ``diversity``
    from 0 to 1 trades likeness to the question against unlikeness of the hits to one another (MMR);
    None leaves the ranking as it is. ``rerank`` says whether the configured reranker may run, and
    ``collapse`` whether chunks that say the same as a better one are left out.
    """

    top: int = 10
    order: Origin | None = None
    where: SearchFilter = field(default_factory=SearchFilter)
    diversity: float | None = None
    rerank: bool = True
    collapse: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """How to answer.

    ``history`` are earlier messages of the conversation, oldest first; a question that leans on
    them is rewritten. ``strict`` removes sentences that no source bears out. ``wordings`` is how
    many other wordings of the question the chat model may add to the search, ``imagine`` lets it
    write a passage to look for (HyDE), and ``split`` lets a question about several things be taken
    apart.
    """

    use_llm: bool = True
    history: tuple[Message, ...] = ()
    where: SearchFilter = field(default_factory=SearchFilter)
    strict: bool = False
    wordings: int = 0
    imagine: bool = False
    split: bool = False
