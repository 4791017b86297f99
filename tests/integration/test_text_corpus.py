"""The text functions over real documents: the seed corpus, when it is there."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from wenqu.text.chunk import chunk
from wenqu.text.language import detect
from wenqu.text.normalize import fold, normalize
from wenqu.text.sentences import sentences
from wenqu.text.tokenize import terms
from wenqu.types import Chunking, Document

pytestmark = pytest.mark.slow

MAX_TOKENS = 128
TOKEN = re.compile("[\u4e00-\u9fff]|[^\\W\u4e00-\u9fff]{1,6}|[^\\w\\s]")


def token_starts(text: str) -> Sequence[int]:
    return [match.start() for match in TOKEN.finditer(text)]


@pytest.fixture(scope="module")
def corpus(shared_data: Path) -> dict[str, str]:
    root = shared_data / "seed_corpus"
    files = (path for path in sorted(root.rglob("*")) if path.suffix in {".md", ".txt", ".rst"})
    return {str(path.relative_to(root)): path.read_text("utf-8", "replace") for path in files}


def test_real_documents_are_normalised_once_and_for_all(corpus: dict[str, str]) -> None:
    for name, text in corpus.items():
        once = normalize(text)
        assert normalize(once) == once, name
        assert fold(fold(once)) == fold(once), name


def test_real_documents_are_cut_into_whole_sentences(corpus: dict[str, str]) -> None:
    for name, raw in corpus.items():
        text = normalize(raw)
        pieces = [text[span.start : span.end] for span in sentences(text)]
        assert "".join("".join(pieces).split()) == "".join(text.split()), name


def test_real_documents_are_cut_into_exact_chunks(corpus: dict[str, str]) -> None:
    for name, raw in corpus.items():
        text = normalize(raw)
        document = Document(id=name, source=name, title=name, text=text, language=detect(text))
        chunks = chunk(document, Chunking(max_tokens=MAX_TOKENS), token_starts)
        assert all(text[each.start : each.end] == each.text for each in chunks), name
        assert all(len(token_starts(each.text)) <= MAX_TOKENS for each in chunks), name
        assert "".join("".join(each.text for each in chunks).split()) == "".join(text.split()), name
        assert len({each.id for each in chunks}) == len(chunks), name


def test_every_word_of_a_real_document_can_be_searched(corpus: dict[str, str]) -> None:
    for name, text in corpus.items():
        found = terms(text)
        assert " ".join(found).split() == found, name
        wanted = re.findall("[\u4e00-\u9fff]", fold(normalize(text)))
        assert set(wanted) <= set(found), name


def test_the_language_of_real_documents_is_that_of_their_folder(corpus: dict[str, str]) -> None:
    marked = {"zh_cn": "zh", "zh-CN": "zh", "en": "en"}
    wrong, seen = [], 0
    for name, text in corpus.items():
        languages = {marked[part] for part in Path(name).parts if part in marked}
        if len(languages) == 1 and len(text) > 500:
            seen += 1
            wrong += [name] if detect(text) not in languages else []
    # Some files are in the other language's folder because nobody has translated them yet.
    assert len(wrong) <= 0.1 * seen, wrong
