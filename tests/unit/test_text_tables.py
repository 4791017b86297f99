from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.facts import facts
from wenqu.text.tables import Tables

HOTELS = (
    "住宿费按下表执行。\n"
    "| 城市 | 总监 | 部门经理 | 员工 |\n"
    "| --- | --- | --- | --- |\n"
    "| 北京、上海 | 900元 | 700元 | 500元 |\n"
    "| 杭州、南京 | 750元 | 550元 | 400元 |\n"
    "| 其他城市 | 600元 | 450元 | 300元 |\n"
    "春节期间可上浮200元。"
)
FEES = (
    "| No. | Service | Fee |\n|---|---|---|\n"
    "| 1 | Parking permit | 40 EUR |\n| 2 | Locker | 15 EUR |\n| 3 | Badge | free |"
)


def wrong(said: str, passage: str) -> list[str]:
    counted = [fact for fact in facts(said) if fact.kind != "name"]
    return [fact.text for fact in counted if Tables(passage).misplace(said, fact)]


@pytest.mark.parametrize(
    ("said", "passage", "numbers"),
    [
        ("部门经理去杭州出差，每晚可报700元。", HOTELS, ["700"]),
        ("去杭州出差，员工每晚可报550元。", HOTELS, ["550"]),
        ("去杭州出差每晚可报500元。", HOTELS, ["500"]),
        ("A parking permit costs 15 EUR.", FEES, ["15"]),
    ],
)
def test_a_number_of_another_row_or_column_is_misplaced(
    said: str, passage: str, numbers: list[str]
) -> None:
    assert wrong(said, passage) == numbers


@pytest.mark.parametrize(
    ("said", "passage"),
    [
        ("部门经理去杭州出差，每晚可报550元。", HOTELS),
        ("部门经理在北京每晚700元，在杭州每晚550元。", HOTELS),
        ("每晚可报700元。", HOTELS),
        ("在杭州过春节可上浮200元。", HOTELS),
        ("去杭州出差每晚可报999元。", HOTELS),
        ("A parking permit costs 40 EUR.", FEES),
        ("A badge is free, a locker costs 15 EUR.", FEES),
        ("A badge costs nothing, unlike the 15 EUR of others.", FEES),
    ],
)
def test_a_number_that_the_table_does_not_give_to_another_is_not(said: str, passage: str) -> None:
    assert wrong(said, passage) == []


def test_rows_without_a_header_are_told_apart_by_their_names() -> None:
    rows = "| 病假 | 12天 |\n| 婚假 | 10天 |\n| 陪产假 | 15天 |"
    assert wrong("婚假有15天。", rows) == ["15"]
    assert wrong("陪产假有15天。", rows) == []


@given(st.text(alphabet="|-: \n1甲a\\"), st.text(alphabet="甲a 1|"))
def test_whatever_a_passage_is_its_own_line_is_never_misplaced(passage: str, said: str) -> None:
    whole = f"{passage}\n\n{said}".replace("|", "")
    assert not any(Tables(whole).misplace(said, fact) for fact in facts(said))
