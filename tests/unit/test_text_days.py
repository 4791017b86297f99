from __future__ import annotations

import pytest

from wenqu.text.days import days_of


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2024", "2024-01-01", "2024-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2024-03-05", "2024-03-05", "2024-03-05"),
        ("2024-03-05T23:59:00+08:00", "2024-03-05", "2024-03-05"),
        ("2024/3/5 10:00", "2024-03-05", "2024-03-05"),
        ("2024.03.05", "2024-03-05", "2024-03-05"),
        ("20240305", "2024-03-05", "2024-03-05"),
        ("20240305120000", "2024-03-05", "2024-03-05"),
        ("2024年3月5日", "2024-03-05", "2024-03-05"),
        ("2024 年 3 月", "2024-03-01", "2024-03-31"),
        ("2024年", "2024-01-01", "2024-12-31"),
        ("5 March 2024", "2024-03-05", "2024-03-05"),
        ("5th of Mar. 2024", "2024-03-05", "2024-03-05"),
        ("March 5th, 2024", "2024-03-05", "2024-03-05"),
        ("Sept 2024", "2024-09-01", "2024-09-30"),
        ("Tue, 05 Mar 2024 10:00:00 GMT", "2024-03-05", "2024-03-05"),
        (" 2024-03-05 ", "2024-03-05", "2024-03-05"),
    ],
)
def test_a_date_is_the_days_that_it_means(written: str, first: str, last: str) -> None:
    assert days_of(written) == (first, last)


@pytest.mark.parametrize(
    "written",
    ["", "soon", "03/04/2024", "2024-13-01", "2024-02-30", "12345", "2024-00", "\n", "5 May"],
)
def test_what_is_no_day_or_more_than_one_is_none(written: str) -> None:
    assert days_of(written) is None


@pytest.mark.parametrize("written", ["2024", "2024-02", "2024-02-29"])
def test_an_exact_date_is_a_year_a_month_or_a_day(written: str) -> None:
    assert days_of(written, exact=True) == days_of(written)


@pytest.mark.parametrize("written", ["2024-2-9", "2024/02/09", "2024-02-30", "20240209", "today"])
def test_nothing_else_is_an_exact_date(written: str) -> None:
    assert days_of(written, exact=True) is None
