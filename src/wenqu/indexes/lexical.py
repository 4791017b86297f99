"""BM25 search by tantivy over terms that come from wenqu's own tokeniser."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import tantivy

from wenqu.protocols import LexicalHits, Scored
from wenqu.text.chunk import embedding_text
from wenqu.text.query import query_terms
from wenqu.text.tokenize import terms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from wenqu.protocols import Change

__all__ = ["LexicalIndex"]

_WRITER_BYTES = 64 * 1024 * 1024
_TOKENIZER = "spaces"
_K1 = 1.2
"""tantivy's term saturation, which it does not let us set."""


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
        self._index.reload()

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

    def search(
        self, text: str, top: int, documents: Collection[str] | None, also: Collection[str] = ()
    ) -> LexicalHits:
        """Return up to ``top`` chunks, and those of ``also`` that match, by BM25.

        Equal scores are in the order of chunk ids.
        """
        counted = Counter(query_terms(text))
        if not counted:
            return LexicalHits([], 0.0)
        should = tantivy.Occur.Should
        query = tantivy.Query.boolean_query(
            [
                (should, self._term(term) if count == 1 else self._boosted(term, count))
                for term, count in counted.items()
            ]
        )
        searcher = self._index.searcher()
        found: dict[str, float] = {}
        if top:
            within = query if documents is None else _both(query, self._documents(documents))
            found = _scored(searcher, within, top)
        if also:
            found |= _scored(searcher, _both(query, self._chunks(also)), len(also))
        ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        hits = [Scored(chunk, score) for chunk, score in ranked]
        return LexicalHits(hits, _limit(searcher, counted))

    def _documents(self, ids: Collection[str]) -> tantivy.Query:
        return tantivy.Query.term_set_query(self._schema, "document", [int(one, 16) for one in ids])

    def _chunks(self, ids: Collection[str]) -> tantivy.Query:
        # A hundred terms looked up cost a fifth of a set, which walks the whole dictionary.
        terms = (tantivy.Query.term_query(self._schema, "chunk", int(one, 16)) for one in ids)
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])

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

    def _boosted(self, term: str, count: int) -> tantivy.Query:
        return tantivy.Query.boost_query(self._term(term), float(count))


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


def _limit(searcher: tantivy.Searcher, counted: Mapping[str, int]) -> float:
    """Return the sum over the terms of idf · (k1 + 1), as tantivy reckons its idf.

    Source: Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, §3.4.
    """
    total = searcher.num_docs
    limit = 0.0
    for term, count in counted.items():
        frequency = min(searcher.doc_freq("terms", term), total)
        idf = math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))
        limit += count * idf * (_K1 + 1)
    return limit
