"""Small talk, told by its words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wenqu.text.smalltalk import asks_about_now, is_small_talk, reply


@pytest.mark.parametrize(
    "text",
    [
        "你好",
        "您好！",
        "你好啊~",
        "谢谢你的帮助！",
        "非常感谢您的帮助",
        "好的，谢谢",
        "好的，明白了，谢谢老师",
        "哈哈哈哈",
        "666",
        "在吗？",
        "再见",
        "👍",
        "。。。",
        "",
        "Hi there!",
        "hello",
        "Hello, wenqu",
        "Thank you very much!",
        "OK, thanks",
        "OK好的",
        "lol",
        "ＯＫ",
        "Good morning, everyone",
        "謝謝",
    ],
)
def test_small_talk_is_told(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "你好，xtuner 是什么？",
        "hello world 程序怎么写",
        "OK 镜像是什么",
        "好的论文怎么写",
        "Hi-Fi",
        "good practice",
        "no-code",
        "666端口",
        "赞助",
        "对账",
        "早餐",
        "可以商用吗",
        "谢谢的英文是什么",
        "C++",
        "bye law",
        "12345",
        "是的确定吗",
        "Who says hello?",
        "帮助",
        "hip",
    ],
)
def test_what_may_be_looked_for_is_not_small_talk(text: str) -> None:
    assert not is_small_talk(text)


@pytest.mark.parametrize("sound", ["哈", "谢", "嗯", "ha", "o", "6"])
def test_a_long_run_of_one_sound_is_cut_in_one_way_only(sound: str) -> None:
    # A backtracking pattern would need minutes here, and the test would never end.
    assert not is_small_talk(sound * (38 // len(sound)) + "镜")


@given(st.text("好的谢哈嗯你了ok ha!", max_size=60))
@settings(deadline=None)
def test_a_question_after_small_talk_is_never_small_talk(text: str) -> None:
    assert not is_small_talk(f"{text} 怎么安装")


@pytest.mark.parametrize(
    "text",
    [
        "今天天气怎么样？",
        "请问明天北京天气如何",
        "北京今天的天气怎么样？",
        "天气怎么样",
        "明天会下雨吗？",
        "现在几点了？",
        "今天星期几",
        "What is the weather like today?",
        "What's the weather in New York?",
        "Will it rain tomorrow?",
        "What time is it?",
    ],
)
def test_a_question_about_the_present_moment_is_told(text: str) -> None:
    assert asks_about_now(text)
    assert not is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "天气工具怎么用？",
        "天气",
        "天气预报的接口怎么调用",
        "lagent 怎么查询今天的天气？",
        "极端天气怎么赔偿？",
        "今天发布的版本有什么？",
        "How do I call the weather tool?",
        "What is the weather API?",
        "What time is it sent?",
        "现在几点钟发车",
    ],
)
def test_a_question_about_something_that_documents_may_hold_is_not(text: str) -> None:
    assert not asks_about_now(text)


@pytest.mark.parametrize(
    "text",
    [
        "大家中午吃啥",
        "中午吃啥",
        "你们都吃什么",
        "吃了吗",
        "我先下班了",
        "好累啊",
        "今天好热",
        "困死了",
        "有人打球吗",
        "周末一起吃火锅吗",
        "lol ok",
        "+1",
        "+1 谢谢",
        "@张三 谢谢",
        "[微笑][强]",
        "👍👍",
        "https://example.com/a/b?c=d",
        "看看这个 https://example.com/s/abc",
        "fyi https://example.com",
        "生日快乐！",
        "恭喜恭喜🎉",
        "Happy new year!",
        "what's for lunch?",
        "anyone up for coffee?",
        "I'm so tired",
        "me too",
        "Congrats!!",
        "你是谁？",
        "你叫什么名字",
        "What can you do?",
        "how are you?",
    ],
)
def test_what_is_said_in_a_group_and_to_nobody_is_small_talk(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/a 怎么安装",
        "https://example.com/a怎么安装",
        "+1 键怎么用",
        "糖尿病人吃什么",
        "早上吃什么好",
        "@property 是什么",
        "[附件] 怎么下载",
        "下班打卡时间",
        "吃饭报销标准",
        "谁负责打球场地预订",
        "周末加班有补贴吗",
        "how are you billed?",
        "what is your name field for",
        "interesting papers",
        "打卡",
        "红包",
        "沙发",
        "签到",
        "热",
        "卷",
        "推荐",
        "分享",
        "link",
        "nvm",
    ],
)
def test_what_only_looks_like_it_may_be_looked_for(text: str) -> None:
    assert not is_small_talk(text)


@pytest.mark.parametrize("piece", ["今天", "好", "我", "so ", "大家", "一起", "http://a "])
def test_a_long_run_of_one_piece_of_group_talk_takes_no_time(piece: str) -> None:
    # As above: a pattern that tries every way to cut it would not come back.
    assert not is_small_talk(piece * (38 // len(piece)) + "镜")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("你好", "answer.not_a_question"),
        ("Hello, wenqu", "answer.not_a_question"),
        ("谢谢你的帮助！", "answer.thanks"),
        ("你好，谢谢", "answer.thanks"),
        ("好的，明白了，谢谢老师", "answer.thanks"),
        ("thank you very much", "answer.thanks"),
        ("谢谢，好的", "answer.thanks"),
        ("谢谢，再见", "answer.parting"),
        ("晚安", "answer.parting"),
        ("Thanks, bye!", "answer.parting"),
        ("哈哈哈", "answer.aside"),
        ("收到", "answer.aside"),
        ("你是谁", "answer.aside"),
        ("👍", "answer.aside"),
    ],
)
def test_thanks_and_goodbyes_are_not_answered_with_hello(text: str, key: str) -> None:
    assert reply(text) == key
