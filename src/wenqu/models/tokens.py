"""The tokeniser of XLM-RoBERTa models, quick to start: unigram pieces over normalised text.

Loading all 250,002 pieces takes seconds and 270 MB. A piece that does not occur in a text cannot
be part of its best segmentation, so short texts are cut with just the pieces that do occur in
them, by the same library and with the same outcome; the whole vocabulary is loaded when long
texts come.
"""

from __future__ import annotations

import bisect
import threading
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wenqu.models.blob import Blob

__all__ = ["Tokens"]

_SPACE = "▁"
_CONTINUES = 0x80  # the high bits of a byte of UTF-8 that begins no character

# Up to so many characters, finding the pieces that occur is cheaper than loading all of them.
_FEW = 20_000

# Stands for a special piece. No text can spell it, because spaces become ▁ before pieces are
# matched; so a document that says "</s>" is words, and not the end of itself.
_UNSPELLABLE = " {}"


class Tokens:
    """Cuts texts into the ids and places of their pieces. Safe to share between threads."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._lock = threading.Lock()
        self._whole: Tokenizer | None = None
        self._vocabulary: _Vocabulary | None = None
        self._normalizer = _normalizer()

    def ids(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        """Return the ids of each text, with the begin and end pieces, ``limit`` at most."""
        special = self._blob.special
        tokenizer, numbers = self._for(texts)
        found = []
        for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False):
            ids = encoding.ids[: limit - 2]
            if numbers is not None:
                ids = [numbers[number] for number in ids]
            found.append([special.begin, *ids, special.end])
        return found

    def starts(self, text: str) -> list[int]:
        """Return where each piece of ``text`` begins, in code points, ascending."""
        lines = text.splitlines(keepends=True)
        tokenizer, _ = self._for((text,))
        starts: list[int] = []
        at = 0
        for line, encoding in zip(
            lines, tokenizer.encode_batch(lines, add_special_tokens=False), strict=True
        ):
            starts.extend(at + start for start, _ in encoding.offsets)
            at += len(line)
        return starts

    def _for(self, texts: Sequence[str]) -> tuple[Tokenizer, list[int] | None]:
        """Return a tokeniser that knows every piece of ``texts``, and the true ids of its ids."""
        with self._lock:
            if self._whole is not None:
                return self._whole, None
            if self._vocabulary is None:
                self._vocabulary = _Vocabulary(self._blob)
            vocabulary = self._vocabulary
            if sum(map(len, texts)) > _FEW:
                self._whole = self._tokenizer(vocabulary, range(len(vocabulary.pieces)))
                self._vocabulary = None
                return self._whole, None
        normal = {_SPACE + self._normalizer.normalize_str(text) for text in texts}
        numbers = sorted(vocabulary.occurring(normal))
        return self._tokenizer(vocabulary, numbers), numbers

    def _tokenizer(self, vocabulary: _Vocabulary, numbers: Sequence[int]) -> Tokenizer:
        pieces, scores = vocabulary.pieces, vocabulary.scores
        scored = [(pieces[number].decode(), scores[number]) for number in numbers]
        unknown = bisect.bisect_left(numbers, self._blob.special.unknown)
        tokenizer = Tokenizer(models.Unigram(scored, unk_id=unknown))
        tokenizer.normalizer = self._normalizer
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
            replacement=_SPACE, prepend_scheme="always"
        )
        return tokenizer


class _Vocabulary:
    """All pieces, and which of them occur in a text."""

    def __init__(self, blob: Blob) -> None:
        special = blob.special
        self.scores = blob.scores
        self.pieces = blob.pieces
        for number in (special.begin, special.end, special.pad, special.unknown):
            self.pieces[number] = _UNSPELLABLE.format(number).encode()
        self._numbers = dict(zip(self.pieces, range(len(self.pieces)), strict=True))
        self._longest = max(map(len, self.pieces))
        # What an unknown character costs depends on the least score of all, so that one is kept.
        self._always = {special.unknown, self.scores.index(min(self.scores))}

    def occurring(self, texts: Iterable[str]) -> set[int]:
        """Return the ids of all pieces that occur in normalised ``texts``, and of those needed."""
        numbers = self._numbers
        longest = self._longest
        found = set(self._always)
        for text in texts:
            raw = text.replace(" ", _SPACE).encode()
            edges = [at for at, byte in enumerate(raw) if byte & 0xC0 != _CONTINUES]
            edges.append(len(raw))
            substrings = {
                raw[start:end]
                for at, start in enumerate(edges)
                for end in edges[at + 1 : at + 1 + longest]
                if end - start <= longest
            }
            found.update(numbers[piece] for piece in substrings & numbers.keys())
        return found


def _normalizer() -> normalizers.Normalizer:
    """Return what the model's authors did to text: NFKC, control characters away, one space."""
    return normalizers.Sequence(
        [
            normalizers.Nmt(),
            normalizers.NFKC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(left=False, right=True),
        ]
    )
