"""Tells by words alone what no document can answer.

Small talk: greetings, thanks, assent, laughter, parting, mere signs. The present moment: today's
weather, the time, the date.
"""

from __future__ import annotations

import re

from wenqu.text.normalize import fold

__all__ = ["asks_about_now", "is_small_talk"]

# One phrase a word; within a pattern the longer ones come first, see _longest_first.
_PHRASES = (
    # greeting
    "你好 您好 大家好 哈喽 哈啰 嗨 嘿 早 早上好 早安 上午好 中午好 下午好 晚上好 晚安 在吗"
    " 在么 在不在 有人吗"
    " hi hello hey hiya howdy good_morning good_afternoon good_evening good_night good_day"
    # thanks
    " 谢谢 谢 多谢 感谢 非常感谢 十分感谢 太感谢 万分感谢 感恩 辛苦 麻烦你 麻烦您 不客气"
    " 没事 没关系"
    " thanks many_thanks thank_you thankyou thx ty cheers much_appreciated no_problem"
    " you_are_welcome you're_welcome"
    # assent
    " 好 好的 好滴 好吧 好嘞 行 可以 是的 对 对的 没错 收到 明白 知道 懂 了解 原来如此 不错"
    " 真棒 厉害 太好"
    " 太棒 牛 赞 okay ok okey k yes yep yeah no nope sure fine great cool nice perfect"
    " awesome good"
    " got_it i_see understood all_right alright wow well_done never_mind nevermind"
    # parting
    " 再见 拜拜 拜 回见 下次见 明天见 bye bye_bye goodbye see_you see_you_later"
    " see_you_tomorrow"
)
_TAILS = (
    "了 啦 啊 呀 哦 哈 呢 吧 嘛 你 您 你们 您们 大家 小助手 助手 机器人 问渠 朋友 朋友们"
    " 各位 老师 亲"
    " 的帮助 帮助 的帮忙 帮忙 的回答 回答 的解答 解答 的支持 支持"
    " so_much very_much a_lot again there all everyone everybody wenqu for_your_help"
    " for_the_help"
)
_SOUNDS = (
    "哈+|呵+|嘿+|嘻+|额+|呃+|啊+|唉+|哇+|嗯+|哦+|噢+|喔+|6{2,}"
    "|ha(?:ha)+|he(?:he)+|lo+l|hmm+|um+|uh+"
)


def _longest_first(phrases: str) -> str:
    return "|".join(
        phrase.replace("_", " ") for phrase in sorted(phrases.split(), key=len, reverse=True)
    )


_WORD_ENDS = r"(?![a-z0-9'])"
_PHRASE = re.compile(rf" ?(?:{_longest_first(_PHRASES)}|{_SOUNDS}){_WORD_ENDS}")
_TAIL = re.compile(rf" ?(?:{_longest_first(_TAILS)}){_WORD_ENDS}")
_SIGNS = re.compile(r"[^\w']+|_+")
_LONGEST = 40


def is_small_talk(text: str) -> bool:
    """Say whether ``text`` is nothing but small talk, or has no letter or digit at all.

    Everything it says must be: "hello" is, "hello, how do I install it?" is not, nor is a word
    that may be looked for.
    """
    words = _SIGNS.sub(" ", fold(text)).strip()
    if len(words) > _LONGEST:
        return False
    # Phrase by phrase and never back: a pattern for the whole would try every way to cut 哈哈哈哈.
    position, after_phrase = 0, False
    while position < len(words):
        phrase = (after_phrase and _TAIL.match(words, position)) or _PHRASE.match(words, position)
        if not phrase:
            return False
        position, after_phrase = phrase.end(), True
    return True


_NOW = re.compile(
    r"(?:请问|你知道|告诉我|查一下)? ?(?:"
    r"(?:今天|今日|今晚|明天|后天|现在|这周末|本周)(?:[一-鿿]{2,4}?的?)?天气(?:怎么样|如何|怎样|好吗|预报)?"
    r"|(?:[一-鿿]{2,4}?的?)?(?:今天|今日|今晚|明天|后天|现在)?的?天气(?:怎么样|如何|怎样|好吗)"
    r"|(?:今天|今晚|明天|后天|周末)(?:会|要)?(?:不会)?下[雨雪]吗?"
    r"|(?:现在|此刻)是?(?:几点钟?|什么时间|什么时候)了?"
    r"|(?:今天|明天)是?(?:星期几|礼拜几|周几|几月几号|几号|什么日子)"
    r")[呢啊呀了]?"
    r"|(?:what is|what's|how is|how's) the (?:weather|temperature)(?: like)?"
    r"(?: (?:today|tomorrow|now|right now|outside|tonight|this weekend)| in [a-z]+(?: [a-z]+)?)*"
    r"|(?:will it|is it going to) (?:rain|snow)(?: (?:today|tomorrow|tonight|this weekend))?"
    r"|what time is it(?: now)?|what(?: is|'s) the time(?: now)?"
    r"|what (?:day|date) is (?:it|today|it today)|what(?: is|'s) today's date"
)


def asks_about_now(text: str) -> bool:
    """Say whether ``text`` asks for today's weather, the time or the date, and nothing else.

    Documents may well hold the very words, as an example of a question; they never hold the
    answer.
    """
    words = _SIGNS.sub(" ", fold(text)).strip()
    return len(words) <= _LONGEST and _NOW.fullmatch(words) is not None
