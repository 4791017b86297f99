"""BM25 search by tantivy over terms that come from wenqu's own tokeniser."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import tantivy

from wenqu.protocols import LexicalHits, Scored
from wenqu.text.chunk import embedding_text
from wenqu.text.pinyin import sounds
from wenqu.text.query import query_terms
from wenqu.text.tokenize import terms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from wenqu.protocols import Change, Sense, Senses
    from wenqu.text.pinyin import Sound

__all__ = ["LexicalIndex"]

_WRITER_BYTES = 64 * 1024 * 1024
_TOKENIZER = "spaces"
_K1 = 1.2
"""tantivy's term saturation, which it does not let us set."""
_KEPT = 8
"""Questions whose queries are kept: each is asked for hits, and then for scores of other chunks."""
_RARE_ENOUGH = 0.3
"""Least idf of a translated word: one that three of four chunks have tells nothing, but costs."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query, the most that it can score, and the share of that which is names."""

    query: tantivy.Query | None
    limit: float = 0.0
    named: float = 0.0


class LexicalIndex:
    """A tantivy index in a folder; every word it knows is a term that ``text.tokenize`` gave.

    Args:
        folder: Created with an empty index where it is missing.

    Raises:
        ValueError: The folder holds something that is not such an index.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        schema = (
            tantivy.SchemaBuilder()
            .add_unsigned_field("chunk", fast=True, indexed=True)
            .add_unsigned_field("document", fast=False, indexed=True)
            .add_text_field("terms", tokenizer_name=_TOKENIZER, index_option="freq")
            .build()
        )
        self._schema = schema
        self._index = tantivy.Index(schema, path=str(folder), reuse=True)
        spaces = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        self._index.register_tokenizer(_TOKENIZER, spaces)
        self._index.config_reader(reload_policy="manual")
        self.reload()

    @contextmanager
    def writing(self) -> Iterator[Callable[[Sequence[Change]], None]]:
        """Give a function that follows changes; durable when the block ends without an error.

        One writer at a time: the caller holds the lock.
        """
        writer = self._index.writer(_WRITER_BYTES, 1)
        self.reload()
        # Nothing can be replaced in an empty index but what this very block has written.
        written: set[int] | None = None if self._index.searcher().num_docs else set()
        try:
            yield lambda changes: self._write(writer, changes, written)
            writer.commit()
        except BaseException:
            writer.rollback()
            raise
        finally:
            writer.wait_merging_threads()
        self.reload()

    def reload(self) -> None:
        """See what has been committed, also by another process."""
        self._index.reload()
        # Queries weigh terms by how rare they were: they are made anew.
        self._asked = lru_cache(maxsize=_KEPT)(self._ask)

    def search(
        self,
        wanted: str | tuple[Senses, ...],
        top: int,
        documents: Collection[str] | None,
        also: Collection[str] = (),
    ) -> LexicalHits:
        """Return up to ``top`` chunks, and those of ``also`` that match, by BM25.

        Equal scores are in the order of chunk ids. What may be a Chinese name in Latin letters
        is looked up by its sound too.
        """
        asked = self._asked(wanted)
        if asked.query is None:
            return LexicalHits([], 0.0)
        searcher, query = self._index.searcher(), asked.query
        found: dict[str, float] = {}
        if top:
            within = query if documents is None else _both(query, self._documents(documents))
            found = _scored(searcher, within, top)
        if also:
            found |= _scored(searcher, _both(query, self._chunks(also)), len(also))
        ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        hits = [Scored(chunk, score) for chunk, score in ranked]
        return LexicalHits(hits, asked.limit * (_K1 + 1), asked.named)

    def _ask(self, wanted: str | tuple[Senses, ...]) -> _Asked:
        searcher = self._index.searcher()
        if isinstance(wanted, str):
            return self._ask_text(searcher, wanted)
        meant = [self._meant(searcher, senses) for senses in wanted]
        known = [one for one in meant if one is not None and one[1] >= _RARE_ENOUGH]
        if not known:
            return _Asked(None)
        return _Asked(_any_of([query for query, _ in known]), sum(idf for _, idf in known))

    def _ask_text(self, searcher: tantivy.Searcher, text: str) -> _Asked:
        counted = Counter(query_terms(text))
        if not counted:
            return _Asked(None)
        heard = [self._heard(searcher, sound) for sound in _names(searcher, text)]
        named = [one for one in heard if one is not None]
        written = [self._boosted(term, count) for term, count in counted.items()]
        names = sum(idf for _, idf in named)
        limit = _limit(searcher, counted, names)
        query = _any_of([*written, *(query for query, _ in named)])
        return _Asked(query, limit, names / limit)

    def _documents(self, ids: Collection[str]) -> tantivy.Query:
        return tantivy.Query.term_set_query(self._schema, "document", [int(one, 16) for one in ids])

    def _chunks(self, ids: Collection[str]) -> tantivy.Query:
        # A hundred terms looked up cost a fifth of a set, which walks the whole dictionary.
        return _any_of(
            [tantivy.Query.term_query(self._schema, "chunk", int(one, 16)) for one in ids]
        )

    def _write(
        self, writer: tantivy.IndexWriter, changes: Sequence[Change], written: set[int] | None
    ) -> None:
        for change in changes:
            document = int(change.document_id, 16)
            if written is None or document in written:
                # By query: by term, tantivy takes a number for a signed one and finds nothing.
                old = tantivy.Query.term_query(self._schema, "document", document)
                writer.delete_documents_by_query(old)
            else:
                written.add(document)
            for chunk in change.chunks:
                entry = tantivy.Document()
                entry.add_unsigned("chunk", int(chunk.id, 16))
                entry.add_unsigned("document", document)
                entry.add_text("terms", " ".join(terms(embedding_text(chunk, change.title))))
                writer.add_document(entry)

    def _term(self, term: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, "terms", term, "freq")

    def _boosted(self, term: str, weight: float) -> tantivy.Query:
        query = self._term(term)
        return query if weight == 1 else tantivy.Query.boost_query(query, float(weight))

    def _heard(
        self, searcher: tantivy.Searcher, sound: Sound
    ) -> tuple[tantivy.Query, float] | None:
        """Return a query for what sounds so, and its idf; None where nothing does."""
        frequency = searcher.doc_freq
        known: dict[Sense, list[int]] = {
            (one,): [count] for one in sound.terms() if (count := frequency("terms", one))
        }
        return self._best_of(searcher, known)

    def _meant(
        self, searcher: tantivy.Searcher, senses: Senses
    ) -> tuple[tantivy.Query, float] | None:
        """Return a query for what a word may mean, and its idf; None where no chunk has that."""
        counts = {sense: [_frequency(searcher, term) for term in sense] for sense in senses}
        return self._best_of(searcher, {sense: one for sense, one in counts.items() if all(one)})

    def _best_of(
        self, searcher: tantivy.Searcher, known: Mapping[Sense, Sequence[int]]
    ) -> tuple[tantivy.Query, float] | None:
        """Return a query for the best of several senses, and its idf; None where there are none.

        All of them count as one term, as rare as all together: most of them are not meant.

        Args:
            searcher: What is searched.
            known: Sense → how many chunks hold each of its terms.
        """
        if not known:
            return None
        total = searcher.num_docs
        idf = _idf(total, sum(map(min, known.values())))
        same = [
            self._said(sense, idf / sum(_idf(total, count) for count in counts))
            for sense, counts in known.items()
        ]
        return tantivy.Query.disjunction_max_query(same), idf

    def _said(self, sense: Sense, weight: float) -> tantivy.Query:
        """Return a query for the terms of a sense, which scores what of them a chunk has."""
        if len(sense) == 1:
            return self._boosted(sense[0], weight)
        return _any_of([self._boosted(term, weight) for term in sense])


def _any_of(queries: Sequence[tantivy.Query]) -> tantivy.Query:
    """Return what matches any of the queries and scores their sum."""
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


def _both(query: tantivy.Query, allowed: tantivy.Query) -> tantivy.Query:
    """Return ``query`` over the entries that are ``allowed``; scores stay."""
    must = tantivy.Occur.Must
    return tantivy.Query.boolean_query(
        [(must, query), (must, tantivy.Query.const_score_query(allowed, 0.0))]
    )


def _scored(searcher: tantivy.Searcher, query: tantivy.Query, top: int) -> dict[str, float]:
    found = searcher.search(query, top, count=False).hits
    ids = searcher.fast_field_values("chunk", [address for _, address in found])
    return {f"{chunk:016x}": float(score) for (score, _), chunk in zip(found, ids, strict=True)}


def _names(searcher: tantivy.Searcher, text: str) -> list[Sound]:
    """Return the sounds of ``text`` but those whose words the index knows as they are written."""
    return [
        sound
        for sound in sounds(text)
        if not sound.words or not all(_frequency(searcher, word) for word in sound.words)
    ]


def _limit(searcher: tantivy.Searcher, counted: Mapping[str, int], names: float) -> float:
    """Return the sum of the idf of all that is looked up.

    A term that no chunk has counts as the rarest there could be, unless names are heard: then the
    question is in other letters than the texts, and it says nothing that its words are not there.

    Args:
        searcher: Knows how many chunks hold a term.
        counted: The terms.
        names: The idf of all names that are heard.

    Source: Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, §3.4.
    """
    total = searcher.num_docs
    limit = names
    for term, count in counted.items():
        frequency = _frequency(searcher, term)
        if frequency or not names:
            limit += count * _idf(total, frequency)
    return limit


def _frequency(searcher: tantivy.Searcher, term: str) -> int:
    """Return how many chunks hold a term."""
    return min(searcher.doc_freq("terms", term), searcher.num_docs)


def _idf(total: int, frequency: int) -> float:
    """Return tantivy's idf; a ``frequency`` beyond ``total``, of several terms, counts as that."""
    frequency = min(frequency, total)
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))
