"""Tells by words alone what no document can answer.

Small talk: greetings, thanks, assent, laughter, wishes, parting, mere signs; what is said in a
group and to nobody (lunch, going home, ``+1``, links without a word); questions about the assistant
itself. The present moment: today's weather, the time, the date.

A word that may be looked for is never small talk by itself: 打卡, 红包 and 沙发 are left out.
"""

from __future__ import annotations

import re

from wenqu.text.normalize import fold

__all__ = ["asks_about_now", "is_small_talk", "reply"]

# One phrase a word; within a pattern the longer ones come first, see _longest_first.
_PHRASES = {
    "greeting": (
        "你好 您好 大家好 哈喽 哈啰 嗨 嘿 早 早上好 早安 上午好 中午好 下午好 晚上好 在吗 在么"
        " 在不在 有人吗 hi hello hey hiya howdy good_morning good_afternoon good_evening good_day"
        " nice_to_meet_you"
    ),
    "thanks": (
        "谢谢 谢 多谢 感谢 非常感谢 十分感谢 太感谢 万分感谢 感恩 辛苦 麻烦你 麻烦您"
        " thanks many_thanks thank_you thankyou thx ty cheers much_appreciated"
    ),
    "parting": (
        "再见 拜拜 拜 回见 下次见 明天见 晚安 bye bye_bye goodbye good_night see_you see_you_later"
        " see_you_tomorrow ttyl cya gtg g2g have_a_nice_day have_a_good_day have_a_great_day"
        " have_a_nice_weekend have_a_good_weekend have_a_good_one"
    ),
    # Thanks returned, assent, wishes, joining in, wondering, waiting.
    "aside": (
        "不客气 没事 没关系 no_problem you_are_welcome you're_welcome"
        " 好 好的 好滴 好吧 好嘞 行 可以 是的 对 对的 没错 收到 明白 知道 懂 了解 原来如此 不错"
        " 真棒 厉害 太好 太棒 牛 赞 okay ok okey k yes yep yeah no nope sure fine great cool nice"
        " perfect awesome good got_it i_see understood all_right alright wow well_done never_mind"
        " nevermind 恭喜 恭喜恭喜 祝贺 生日快乐 新年快乐 新年好 节日快乐 中秋快乐 国庆快乐"
        " 圣诞快乐 春节快乐 元旦快乐 周末愉快 周末快乐 一路平安 早日康复 congrats congratulations"
        " happy_birthday happy_new_year merry_christmas good_luck get_well_soon 同问 同求 同感"
        " 同意 赞同 我也是 俺也一样 附议 路过 围观 前排围观 支持一下 笑死 笑死我 绝了 真香 羡慕"
        " 酸了 无语 服了 醉了 我去 我晕 天哪 天啊 牛逼 yyds 真的吗 真的假的 是吗 不是吧 随便 都行"
        " 无所谓 不知道 稍等 等一下 等下 等等 马上 马上来 来了 我来了 me_too same_here agreed"
        " exactly indeed interesting wonderful amazing awesome_work nice_one good_job good_point"
        " well_said brb afk omg wtf lmao rofl ikr wait_a_minute one_moment just_a_moment no_idea"
        " who_knows really for_real no_way"
    ),
}
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


_YOU_ALL = "大家|各位|兄弟们?|姐妹们?|同学们|小伙伴们?|朋友们?|你们|咱们?|我们|家人们"
_WHEN = "今天|今晚|明天|中午|早上|晚上|下午|周末|待会儿?|一会儿?|等会儿?"
_MOODS = "累|困|饿|热|冷|烦|无聊|开心|忙|惨|难受|卷"
_GROUP = re.compile(
    # What is eaten: said to somebody, or in a word that one uses only in talk.
    rf"(?:(?:{_YOU_ALL})(?:{_WHEN}|都|想|一起|去|一般)*(?:吃|喝)(?:点|些)?(?:啥|什么|饭)"
    rf"|(?:{_WHEN})*吃点?啥)(?:好|去|呢|呀|啊|了|吗|没|没有)*"
    # Coming and going, moods, plans.
    r"|(?:大家|各位|你们?)?都?(?:吃过?|吃饭|下班|到家|起床|睡)了(?:吗|没|没有|么)"
    r"|(?:我|俺)?(?:也|先|要|得|准备)*"
    r"(?:下班|撤|溜|闪|睡觉?|去?吃饭|干饭|去?开会|回家)去?(?:了|啦|咯|喽)+"
    rf"|(?:我|今天|最近|大家|都|感觉)*(?:好|太|真的?|有点)+(?:{_MOODS})(?:了|啊|呀|哦|呢|哈|吧)*"
    rf"|(?:我|今天|都|快)*(?:{_MOODS})死(?:我|了|啦)+"
    rf"|(?:{_WHEN}|下班)*(?:有没有人|有人|谁|一起|要不要|{_YOU_ALL})(?:{_WHEN}|下班|一起|想|去|来|约)*"
    r"(?:打球|开黑|吃饭|喝酒|喝咖啡|喝奶茶|拼车|拼单|聚餐|撸串|吃火锅|打牌|打游戏|爬山|逛街|唱歌|看电影)"
    r"(?:去|吗|么|不|呀|啊|呢|吧|的)*"
    r"|(?:what's|what is|whats) for (?:lunch|dinner|breakfast)(?: today)?"
    r"|(?:anyone|anybody|who's|who is)(?: else)?(?: up| in| down)? for (?:a )?(?:quick )?"
    r"(?:lunch|dinner|coffee|tea|beers?|drinks?|pizza|game|walk)(?: today| tonight| later)?"
    r"|let'?s (?:grab|get|have) (?:a |some )?(?:lunch|dinner|coffee|beers?|drinks?)"
    r"|(?:i am|i'm|im)?(?: ?(?:so+|too|very))+ (?:tired|hungry|bored|sleepy)(?: today| now)?"
    r"|(?:i am|i'm|im) (?:tired|hungry|bored|sleepy|back|off|leaving|going home|on my way)(?: now)?"
    r"|(?:what's|whats|what is) up(?: guys| everyone)?|sup|long time no see"
    r"|how (?:are|r) (?:you|u)(?: doing)?(?: today)?"
    r"|how(?:'s| is) (?:it going|everyone|everything)(?: today)?"
    # The assistant itself.
    r"|(?:请问)?(?:你|您)(?:是谁|叫什么(?:名字)?|会做?什么|能[做干]什么|能干嘛|是(?:机器人|真?人|ai)吗|好吗)"
    r"(?:呀|啊|呢)?"
    r"|who are you|what(?:'s| is) your name|what can you do"
    r"|are you (?:an? )?(?:robot|bot|human|real|ai|person)"
)
_LINK = re.compile(r"(?:https?://|www\.)[!-~]+")
_POINTING = re.compile(
    r"(?:看看|看下|看一下|分享|分享一下|转发|转一下|推荐|推荐一下)?(?:这个|这篇|这篇文章|一个|链接|一下)?"
    r"|fyi|(?:look at|check)(?: out)?(?: this)?(?: out)?|this|link"
)
_ASIDE = re.compile(
    r"(?:^|(?<=\s))@[^\s@]{1,24}(?=\s|$)"  # somebody who is addressed
    "|\\[[\u4e00-\u9fff]{1,4}\\]"  # [微笑]: a picture, as chat programs write it
    r"|(?:^|(?<=\s))\+1+(?=\W|$)"
)

_WORD_ENDS = r"(?![a-z0-9'])"
_KINDS = {
    phrase.replace("_", " "): kind
    for kind, phrases in _PHRASES.items()
    for phrase in phrases.split()
}
_PHRASE = re.compile(
    rf" ?(?:({_longest_first(' '.join(_PHRASES.values()))})|{_SOUNDS}){_WORD_ENDS}"
)
_TAIL = re.compile(rf" ?(?:{_longest_first(_TAILS)}){_WORD_ENDS}")
_SIGNS = re.compile(r"[^\w']+|_+")
_LONGEST = 40


def is_small_talk(text: str) -> bool:
    """Say whether ``text`` is nothing but small talk, or has no letter or digit at all.

    Everything it says must be: "hello" is, "hello, how do I install it?" is not, nor is a word
    that may be looked for.
    """
    return _kinds(text) is not None


def reply(text: str) -> str:
    """Return the key of what is said to small talk; of several things, to the last that counts."""
    kinds = [kind for kind in _kinds(text) or () if kind != "aside"]
    return _REPLIES[kinds[-1] if kinds else "aside"]


_REPLIES = {
    "greeting": "answer.not_a_question",
    "thanks": "answer.thanks",
    "parting": "answer.parting",
    "aside": "answer.aside",
}


def _kinds(text: str) -> list[str] | None:
    """Return what kind each phrase of small talk is of, in order; None where there is more."""
    unlinked, links = _LINK.subn(" ", fold(text))
    words = _SIGNS.sub(" ", _ASIDE.sub(" ", unlinked)).strip()
    if len(words) > _LONGEST:
        return None
    if _GROUP.fullmatch(words) or (links and _POINTING.fullmatch(words)):
        return []
    # Phrase by phrase and never back: a pattern for the whole would try every way to cut 哈哈哈哈.
    kinds: list[str] = []
    position = 0
    while position < len(words):
        tail = _TAIL.match(words, position) if position else None
        phrase = tail or _PHRASE.match(words, position)
        if not phrase:
            return None
        if not tail:
            kinds.append(_KINDS.get(phrase[1] or "", "aside"))
        position = phrase.end()
    return kinds


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
