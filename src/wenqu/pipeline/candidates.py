"""Asks an index by words and by meaning at once, and joins both into one ranking of chunk ids."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from wenqu.errors import ModelError
from wenqu.pipeline.likeness import Likeness
from wenqu.protocols import LexicalHits
from wenqu.text.fusion import NOT_TRANSLATED, Translated, coverage, fuse, merge, rrf
from wenqu.text.language import detect
from wenqu.types import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from wenqu.pipeline.stopwatch import Stopwatch
    from wenqu.protocols import Dictionary, Embedder, Index, Scored, Senses
    from wenqu.types import Language, Query

    Vector = NDArray[np.float32]

__all__ = ["Candidates", "Finder", "Fusion"]

Fusion = Literal["weighted", "rrf"]

_ASKING = 0.6
"""How much of a typical question is taken out of a question's vector before it is looked up.

Part of every question's vector says "a question in Chinese", and is near whatever resembles one.
"""
_FEEDBACK = 0.3
"""What likeness to the best candidate counts beside likeness to the question, at full coverage.

The best candidate says in the documents' words what the question says in the user's. Where it has
few of the question's terms it may be the wrong one, and in a mixed base it would draw its own
language after it: so it counts less by coverage, and nothing beside another language.
"""
_IMAGINED = 0.5
"""What an imagined passage counts in the vector that is looked up, beside the question's own 1."""
_NOTHING = LexicalHits((), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Chunk ids with their scores by origin, and the vector of the question.

    Dense scores are inner products with that vector, on the embedder's own scale; the fused ranking
    rests on levelled ones. Levelled and translated scores are there only where a candidate is in
    another language than the question.
    """

    scores: Mapping[Origin, Mapping[str, float]]
    vector: Vector


@dataclass(frozen=True, slots=True)
class _Found:
    """What one wording of the question found on each side, and what was looked for.

    ``senses`` are its words in the other language, ``translated`` what has them; both are empty
    where all that is near is in the question's language.
    """

    text: str
    language: Language
    vector: Vector
    words: LexicalHits
    meaning: Sequence[Scored]
    senses: tuple[Senses, ...]
    translated: LexicalHits

    @property
    def crosses(self) -> bool:
        """Whether anything near in meaning is in another language."""
        return any(hit.language not in {self.language, None} for hit in self.meaning)


class _Joined(NamedTuple):
    """The scores of what one wording found.

    ``foreign`` are the candidates in another language, with their share of the most that their
    language could have of the question's words, or None where those are not known.
    """

    lexical: dict[str, float]
    likeness: Likeness
    fused: dict[str, float]
    foreign: dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Finds candidates.

    Args:
        embedder: Embeds the question.
        per_side: Chunks taken from each side.
        lexical_weight: Share of the lexical score in the fused one, 0 … 1.
        fusion: How both sides are joined.
        typical: The mean vector of questions in each language, as the embedder gives them.
        dictionary: Says a question's words in the other language.
    """

    embedder: Embedder
    per_side: int
    lexical_weight: float
    fusion: Fusion = "weighted"
    typical: Mapping[Language, Vector] = field(default_factory=lambda: MappingProxyType({}))
    dictionary: Dictionary | None = None

    async def find(
        self,
        index: Index,
        query: Query,
        documents: Collection[str] | None,
        watch: Stopwatch,
    ) -> Candidates:
        """Return the candidates for a query.

        Args:
            index: Where to look.
            query: What to look for.
            documents: Ids of the only documents to look in, where given.
            watch: Told of the stages embed, dense, lexical and fuse.

        Raises:
            ModelError: The embedder failed.
        """
        texts = list(dict.fromkeys([query.text, *query.variants]))
        with watch.stage("embed"):
            # Alone: its threads wait for one another, so what runs beside them costs them double.
            vectors = await self.embedder.embed(texts, "query")
            passages = await self._imagined(query)
        found = [
            await self._look(index, text, vector + passages, documents, watch)
            for text, vector in zip(texts, vectors, strict=True)
        ]
        with watch.stage("fuse"):
            every = [await self._joined(index, one) for one in found]
            first = every[0]
            scores = {
                Origin.LEXICAL: first.lexical,
                Origin.DENSE: _scored(every, vectors[0]),
                Origin.FUSED: merge(first.fused, [one.fused for one in every[1:]]),
            }
            if any(one.foreign for one in every):
                asked = self._unasked(query.text, vectors[0])
                known = {one: share for one, share in first.foreign.items() if share is not None}
                scores[Origin.LEVELLED] = _scored(every, asked, self.typical)
                scores[Origin.TRANSLATED] = known
        return Candidates(scores=scores, vector=vectors[0])

    def _unasked(self, text: str, vector: Vector) -> Vector:
        """Return the vector of a text less what it shares with all questions in its language."""
        typical = self.typical.get(detect(text))
        return vector if typical is None else vector - _ASKING * typical

    async def _imagined(self, query: Query) -> Vector | float:
        """Return what the query's passages add to the vector that is looked up."""
        if not query.passages:
            return 0.0
        vectors = await self.embedder.embed(query.passages, "passage")
        added: Vector = _IMAGINED * vectors.mean(axis=0, dtype=np.float32)
        return added

    async def _look(
        self,
        index: Index,
        text: str,
        vector: Vector,
        documents: Collection[str] | None,
        watch: Stopwatch,
    ) -> _Found:
        """Ask both sides for one wording."""
        language = detect(text)
        vector = self._unasked(text, vector)

        async def by_meaning() -> Sequence[Scored]:
            with watch.stage("dense"):
                return await index.dense(vector, self.per_side, documents, level=True)

        async def by_words() -> LexicalHits:
            with watch.stage("lexical"):
                return await index.lexical(text, self.per_side, documents)

        words, meaning = await asyncio.gather(by_words(), by_meaning())
        found = _Found(text, language, vector, words, meaning, (), _NOTHING)
        if self.dictionary is None or self.fusion == "rrf" or not found.crosses:
            return found
        # Not beside the others: what these wait for is memory, and a third slows them both.
        try:
            with watch.stage("translated"):
                senses = await asyncio.to_thread(self.dictionary.translate, text)
                translated = await index.lexical(senses, self.per_side, documents)
        except ModelError as error:
            watch.skip("translated", error.phrase)
            return found
        return replace(found, senses=senses, translated=translated)

    async def _joined(self, index: Index, found: _Found) -> _Joined:
        """Join what one wording found on each side."""
        lexical, dense, translated = (
            {hit.chunk_id: hit.score for hit in hits}
            for hits in (found.words.hits, found.meaning, found.translated.hits)
        )
        every = lexical.keys() | dense.keys() | translated.keys()
        # What one side found is scored by the other too: fusion compares like with like.
        likeness = Likeness(await index.vectors(every))
        foreign = likeness.foreign(found.language)
        to_translate = foreign - translated.keys() if found.senses else ()
        more_words, more_translated = await asyncio.gather(
            index.lexical(found.text, 0, also=every - lexical.keys()),
            index.lexical(found.senses, 0, also=to_translate),
        )
        lexical |= {hit.chunk_id: hit.score for hit in more_words.hits}
        translated |= {hit.chunk_id: hit.score for hit in more_translated.hits}
        abroad = {one: translated[one] for one in foreign & translated.keys()}
        limit = found.translated.limit
        # Without a limit no text at all has any of the senses, or no sense is known.
        unknown = 0.0 if found.senses else None
        shares = {one: abroad.get(one, 0.0) / limit if limit else unknown for one in foreign}
        return _Joined(
            lexical=lexical,
            likeness=likeness,
            fused=self._fused(found, lexical, Translated(abroad, limit), likeness, foreign),
            foreign=shares,
        )

    def _fused(
        self,
        found: _Found,
        lexical: Mapping[str, float],
        translated: Translated,
        likeness: Likeness,
        foreign: Collection[str],
    ) -> dict[str, float]:
        dense = likeness.levelled(found.vector)
        if self.fusion == "rrf":
            return rrf(lexical, dense, lexical_weight=self.lexical_weight)
        fused = self._weighted(lexical, dense, found.words, foreign, translated)
        share = 0.0 if foreign else _FEEDBACK * coverage(lexical, found.words.limit)
        if not (share and dense):
            return fused
        like_the_first = likeness.levelled(likeness.of(min(dense, key=_best_of(fused))))
        dense = {one: score + share * like_the_first[one] for one, score in dense.items()}
        return self._weighted(lexical, dense, found.words)

    def _weighted(
        self,
        lexical: Mapping[str, float],
        dense: Mapping[str, float],
        words: LexicalHits,
        foreign: Collection[str] = (),
        translated: Translated = NOT_TRANSLATED,
    ) -> dict[str, float]:
        return fuse(
            lexical,
            dense,
            lexical_weight=self.lexical_weight,
            lexical_limit=words.limit,
            foreign=foreign,
            named=words.named,
            translated=translated,
        )


def _best_of(scores: Mapping[str, float]) -> Callable[[str], tuple[float, str]]:
    """Return a key that sorts best first, and equal ones in the order of ids."""
    return lambda one: (-scores[one], one)


def _scored(
    found: Sequence[_Joined], vector: Vector, less: Mapping[Language, Vector] | None = None
) -> dict[str, float]:
    """Return what all wordings found by its likeness to a vector."""
    return {one: score for each in found for one, score in each.likeness.to(vector, less).items()}
