"""Rows that can be understood alone."""

from __future__ import annotations

import pytest

from wenqu.readers.csv import CsvReader
from wenqu.testing.contracts_reader import ReaderContract


class TestCsvReader(ReaderContract):
    def reader(self) -> CsvReader:
        return CsvReader()

    def samples(self) -> dict[str, bytes]:
        return {
            "会议室.csv": "会议室,座位\n听泉,6\n观澜,24\n".encode("gb18030"),
            "rooms.tsv": b"room\tseats\nspring\t6\n",
        }


def lines(text: str) -> list[str]:
    return CsvReader().read(text.encode(), "x.csv").text.split("\n")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_row_names_its_columns_whatever_the_delimiter(delimiter: str) -> None:
    rows = [["name", "seats", "floor"], ["spring", "6", "3"], ["tide", "", "5"]]
    text = "\n".join(delimiter.join(row) for row in rows)
    assert lines(text) == ["name: spring; seats: 6; floor: 3", "name: tide; floor: 5"]


def test_quoted_cells_keep_delimiters_and_lose_line_ends() -> None:
    assert lines('name,note\na,"x, y\nz"\n') == ["name: a; note: x, y z"]


def test_rows_without_a_head_stay_bare() -> None:
    assert lines("1,2\n3,4\n") == ["1 | 2", "3 | 4"]


def test_rows_longer_or_shorter_than_the_head_lose_nothing() -> None:
    assert lines("a,b\n1,2,3\n4\n") == ["a: 1; b: 2; 3", "a: 4"]


def test_twenty_rows_make_a_block() -> None:
    text = "number,word\n" + "".join(f"{n},w{n}\n" for n in range(45))
    document = CsvReader().read(text.encode(), "x.csv")
    assert len(document.blocks) == 3
    assert document.meta["rows"] == "45"
    assert document.title == "x"
