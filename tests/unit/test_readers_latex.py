"""LaTeX as it reads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wenqu.protocols import Sample
from wenqu.readers.markup.latex import LatexReader
from wenqu.testing.contracts_reader import ReaderContract
from wenqu.testing.reading import blocks

if TYPE_CHECKING:
    from wenqu.types import Document

PAPER = r"""% a comment
\documentclass[a4paper]{article}
\usepackage{graphicx}
\title{A \textbf{Short} Paper}
\author{Ada \and Bob}
\begin{document}
\maketitle
\begin{abstract}
We show 5\% of $x_1 + y$.
\end{abstract}
\section{Introduction}\label{sec:intro}
Text \emph{here}, see~\cite[p.~3]{ada}. % not this
``Quoted'' --- yes.

Second \href{https://a.example}{link}.
\begin{itemize}
  \item one
  \item \textbf{two} words
\end{itemize}
\subsection*{Table}
\begin{tabular}{|l|c|}
\hline A & B \\ \hline 1 & 2\&3 \\
\end{tabular}
\begin{verbatim}
x = 1 % kept
\end{verbatim}
\begin{equation}
E = mc^2
\end{equation}
\end{document}
after the end
"""


class TestLatexReader(ReaderContract):
    def reader(self) -> LatexReader:
        return LatexReader()

    def samples(self) -> dict[str, bytes]:
        chinese = "\\section{引言}\n\n本文研究检索。\n"
        return {"paper.tex": PAPER.encode(), "论文.tex": chinese.encode("gb18030")}


def read(text: str) -> Document:
    return LatexReader().read(text.encode(), "x.tex")


def test_a_paper_becomes_its_words() -> None:
    document = read(PAPER)
    assert document.title == "A Short Paper"
    assert document.meta["author"] == "Ada , Bob" or document.meta["author"] == "Ada, Bob"
    assert blocks(document) == [
        ("heading", "A Short Paper"),
        ("paragraph", "We show 5% of $x_1 + y$."),
        ("heading", "Introduction"),
        ("paragraph", "Text here, see. “Quoted” — yes."),
        ("paragraph", "Second link."),
        ("list", "- one\n- two words"),
        ("heading", "Table"),
        ("table", "| A | B |\n| --- | --- |\n| 1 | 2&3 |"),
        ("code", "```\nx = 1 % kept\n```"),
        ("paragraph", "$$E = mc^2$$"),
    ]
    assert document.blocks[-1].heading == ("A Short Paper", "Introduction", "Table")


def test_an_environment_that_is_not_closed_loses_nothing() -> None:
    assert "words" in read("\\begin{itemize}\n\\item words").text


def test_braces_that_are_not_closed_take_no_time() -> None:
    begin = time.process_time()
    assert "end" in read("\\section{" * 3000 + "\\textbf{{{" * 1000 + " end").text
    assert time.process_time() - begin < 20


def test_latex_is_known_by_its_document_class() -> None:
    assert LatexReader().accepts(Sample(name="paper.txt", head=PAPER.encode()))
    assert not LatexReader().accepts(Sample(name="notes.txt", head=b"\\alpha is a letter"))
