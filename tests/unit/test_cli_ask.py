from __future__ import annotations

from typing import TYPE_CHECKING

from wenqu.cli.ask import show_citations
from wenqu.cli.session import Session
from wenqu.settings import Settings
from wenqu.types import Chunk, Citation, DocumentInfo, Hit, Origin, Span

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TEXT = "Spring has a screen. Brook has two."


def cited(name: str, quote: str, marker: int) -> Citation:
    chunk = Chunk(id=name, document_id=name, text=TEXT, start=0, end=len(TEXT))
    document = DocumentInfo(id=name, source=f"/{name}.md", title=name, language="en")
    hit = Hit(chunk=chunk, document=document, score=1.0, origin=Origin.FUSED)
    start = TEXT.index(quote)
    return Citation(
        marker=marker,
        hit=hit,
        sentence=quote,
        quote=quote,
        span=Span(start=start, end=start + len(quote)),
        supported=True,
    )


def test_quotes_of_one_source_stand_below_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = "Spring has a screen.", "Brook has two."
    show_citations(
        Session(Settings(home=tmp_path, language="en")),
        [cited("rooms", first, 1), cited("rooms", second, 1), cited("copy", first, 2)],
    )
    assert capsys.readouterr().out.splitlines() == [
        "Citations",
        "[1] rooms · /rooms.md",
        f"    “{first}”",
        f"    “{second}”",
        "[2] copy · /copy.md",
        f"    “{first}”",
    ]
