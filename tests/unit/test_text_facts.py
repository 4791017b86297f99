from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.facts import Known, altered, facts, lists_as_many, missing_share


def claimed(text: str, kind: str) -> list[str]:
    return [fact.text for fact in facts(text) if fact.kind == kind]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("年假有三十天。", "每年30天年假"),
        ("年假有30天。", "每年三十天年假"),
        ("二〇二四年三月五日发布。", "发布于2024-03-05"),
        ("2024年3月5日发布。", "Released on March 5th, 2024."),
        ("Released on 5 March 2024.", "二〇二四年三月五日发布"),
        ("Released in March 2024.", "2024/3/5 发布"),
        ("共1,200人。", "1200 people in all"),
        ("共1200人。", "一千二百人"),
        ("占50%。", "百分之五十"),
        ("占百分之五十。", "50 percent"),
        ("三分之二的人同意。", "2/3：三分之二"),
        ("价格为15000元。", "价格1.5万元"),
        ("价格为1.5万元。", "15,000 yuan"),
        ("价格为1.5万元。", "| 单位：万元 | 1.5 |"),
        ("共3万5千人。", "35,000"),
        ("There are three million users.", "3 million users"),
        ("It has 3,000,000 users.", "three million users"),
        ("It takes twenty-five days.", "25 days"),
        ("The 3rd day.", "the third day"),
        ("全长5千米。", "全长5公里"),
        ("两百三十元。", "230元"),
        ("他生于1998年。", "他出生于一九九八年"),
        ("第三章规定了它。", "第3章"),
    ],
)
def test_the_same_number_or_date_is_found_however_it_is_written(said: str, written: str) -> None:
    counted = [fact for fact in facts(said) if fact.kind != "name"]
    assert counted
    assert [fact.text for fact in counted if not Known(written).has(fact)] == []


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("年假有31天。", "每年三十天年假"),
        ("2024年3月6日发布。", "2024年3月5日发布，2023年4月6日修订"),
        ("2024年4月6日发布。", "2024年3月5日发布，2023年4月6日修订"),
        ("Released in April 2024.", "2024-03-05"),
        ("价格为15万元。", "价格1.5万元"),
        ("It has 3 million users.", "3 thousand users"),
        ("占三分之一。", "三分之二"),
        ("三个人。", "3月的某一天有人来过"),
        ("版本为 v1.2.4。", "v1.2.3"),
    ],
)
def test_another_number_or_date_is_not(said: str, written: str) -> None:
    assert any(not Known(written).has(fact) for fact in facts(said))


def test_a_date_may_have_its_year_elsewhere_in_the_passage() -> None:
    passage = "比赛于2012年举行。3月5日，队伍抵达；同年四月六日离开。"
    known = Known(passage)
    assert all(known.has(fact) for fact in facts("队伍于2012年4月6日离开。"))
    assert missing_share("队伍于2013年4月6日离开。", passage) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "一般来说，一些人一起统一行动，十分重要，万一出错，千万小心。",
        "四川和九江是两地，三国时期。",
        "这是一个好办法。",
        "One of them is the first, and hundreds came.",
        "1. 先提交申请",
        "(2) File the request",
    ],
)
def test_words_and_list_marks_that_hold_a_numeral_claim_no_number(text: str) -> None:
    assert claimed(text, "number") == []


def test_names_are_codes_titles_and_what_the_dictionary_knows() -> None:
    assert claimed("请用 pip 安装 RTX4090 的驱动 v1.2.3。", "name") == ["pip", "RTX4090", "v1.2.3"]
    assert claimed("He met Nikola Tesla in New York.", "name") == ["Nikola", "Tesla", "New", "York"]
    assert claimed("赵鹏于1997年写了《红楼梦》。", "name") == ["红楼梦", "赵鹏"]
    assert claimed("The request is filed. Then wait.", "name") == []


def test_a_name_is_found_whatever_its_case_form_or_script() -> None:
    known = Known("RTX-4090 显卡由 NVIDIA 發佈，見《紅樓夢》。The servers of Tesla's plant.")
    for text in ("用 nvidia 的 RTX4090。", "《红楼梦》", "It is owned by Tesla, not by others."):
        assert [fact.text for fact in facts(text) if not known.has(fact)] == []


def test_a_name_of_somebody_else_is_missing() -> None:
    known = Known("2005年，白磊被家人改名为白岳峰。")
    assert [fact.text for fact in facts("赵鹏的女儿叫白岳峰。") if not known.has(fact)] == ["赵鹏"]


def test_units_and_times_are_no_names() -> None:
    assert claimed("全长 5 km，重 3.5kg。", "name") == []


@given(
    st.text(
        alphabet="0123456789年月日,.，。-/一二三十百千万亿零〇两第分之个天 abcMarch%[]", max_size=40
    )
)
def test_a_text_has_every_fact_that_it_claims(text: str) -> None:
    known = Known(text)
    assert [fact.text for fact in facts(text) if not known.has(fact)] == []


@given(st.text(max_size=60))
def test_any_text_is_read_without_complaint(text: str) -> None:
    assert 0.0 <= missing_share(text, text[::-1]) <= 1.0


@given(number=st.integers(0, 99_999_999))
def test_grouped_digits_are_the_same_number(number: int) -> None:
    assert missing_share(f"共{number:,}个", f"{number}个") == 0.0
    assert missing_share(f"共{number}个", f"{number:,}个") == 0.0


@pytest.mark.parametrize(
    ("said", "passage"),
    [
        ("员工每年有八天年假。", "员工每年有5天年假，须提前八个工作日申请。"),
        ("It weighs 11 kg.", "It weighs 8 kg and carries 11 people."),
        ("It opened on 3 May 1990.", "It opened on 5 May 1990, and closed in 1993."),
        ("It grew by 30%.", "It grew by 20% in 30 months."),
        ("陪产假15天。", "陪产假20天，共155人。"),
    ],
)
def test_another_number_in_the_same_place_is_an_altered_one(said: str, passage: str) -> None:
    assert any(altered(said, fact, passage) for fact in facts(said))


@pytest.mark.parametrize(
    ("said", "passage"),
    [
        ("员工每年有5天年假。", "员工每年有五天年假，须提前三天申请。"),
        ("1949年设立。", "1949年5月设立，1985年撤销。"),
        ("8.15亿", "2006年拨款8.15亿美元。"),
        ("23.9%", "23.9% were under 18, 10.5% from 18 to 24."),
        ("It carries 11 people.", "It weighs 8 kg and carries 11 people."),
        ("They filed 7 requests.", "They filed requests within 3 days, seven in all."),
        ("陪产假15天。", "产假158天，难产的增加15天；男员工享受陪产假15天。"),
        ("The notice takes 15 days.", "It has 15 pages; the notice takes 15 days, or 20 days."),
    ],
)
def test_a_number_that_stands_there_too_or_is_alone_is_not(said: str, passage: str) -> None:
    assert not any(altered(said, fact, passage) for fact in facts(said))


def test_a_number_may_be_that_of_the_things_a_sentence_lists() -> None:
    said = "Liu and Yao were two of the 2000 advisers."
    assert [fact.text for fact in facts(said) if lists_as_many(said, fact)] == ["two"]
    said = "三种颜色：红、黄、蓝。"
    assert [fact.text for fact in facts(said) if lists_as_many(said, fact)] == ["三"]
