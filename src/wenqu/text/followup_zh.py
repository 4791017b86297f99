"""What in a Chinese question leans on what was said before it; see followup."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from wenqu.text.leaning import Leaning

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["about", "leans"]

_LEAD = re.compile(
    r"^(?:那么?|然后|接着|另外|还有|而且|但是?|可是|不过|所以|因此|好的?|嗯|哦|噢|请问一?下?|请|"
    r"麻烦|"
    r"我?想(?:问|知道|了解)一?下?|能(?:不能|否)?告诉我|你?知道|[,，、。\s])+"
)
_TAIL = re.compile(r"[\s?？!！。.,，~～]+$")
# What stands in for something said before. Not 其他, 其实, 应该, 那么多, 这几年, 因此, 此外.
_REFERENCE = re.compile(
    r"(?<!其)[它牠](?:们|俩)?|(?<!其)[他她](?!人|乡|国)(?:们|俩)?"
    r"|(?<![与极尤及])其(?!他|它|实|中之|余|间|次|一|二|三)"
    r"|这(?:个(?!世界|月|年|星期|周)|种|些(?!年)|样|里|儿|边|款|项|两|三|件|类|条|份|部|本|家|"
    r"位|方面|时|"
    r"(?=[是会能要和与跟对又算可有]|怎|为))"
    r"|那(?:个(?!年代|时候)|种|些|样|里|儿(?!童)|边|款|项|两|三|件|类|条|份|部|本|家|位|方面|"
    r"时(?!候)|(?=是(?!什么|谁|怎)|会|能不能|可以吗|要))"
    r"|(?<![应活本])该(?!怎|如|不|做|去|用|给|有|是|走|选|找|在|向|由|交|付|承|注|准|买|吃|说|"
    r"问|多|谁|赔|"
    r"隐|知|学|看|写|补|负|罚|还|起|找|办)[\u4e00-\u9fff]"
    r"|前者|后者|两者|二者|上述|如上|以上(?=的?(?:方法|步骤|内容|几|所|这|说|问题|情况))|"
    r"(?:上面|前面|刚才|刚刚|前文|上文)(?:的|提|说|讲|那|所|介|列)"
    r"|之前(?:提到|说|讲|列|介绍)的|你(?:刚才|刚刚|上面|前面|之前)?(?:说|提到|讲|列|介绍)的|"
    r"(?<![因彼从至到如据由])此(?!外|后|前|次|类|时此)"
)
_ORDINAL = re.compile(
    r"^(?:其中)?(?:(?:第[一二两三四五六七八九十\d]+|最后一|倒数第[一二三\d]+)"
    r"(?:个|种|点|步|项|款|部分|条|类|篇|代|章|节|届|本|集|期|轮)|其中)"
)
_CATAPHORA = re.compile("这(?:个世界|世上|辈子|年头|几年)|那么[多大高好]")
_ASK = re.compile(
    r"什么|怎么|怎样|如何|为何|为什么|为啥|咋|啥|哪|谁|多少|几[个种条年天次月岁点步位]|"
    r"多[大长久高远快重宽深]|"
    r"吗|是否|能否|可否|是不是|能不能|可不可以|会不会|有没有|要不要|需不需要|[?？]"
)
_BARE = re.compile(
    r"(?:具体|详细|大概|一般|到底|究竟|又|还|再|也|都|分别|主要)*(?:"
    r"(?:这是)?为(?:什么|啥|何)(?:呢|会这样)?|怎么(?:说|办|做|弄|用|样|会|理解|操作|解决|处理|"
    r"来的)?(?:呢|的)?|"
    r"如何(?:呢|操作|解决|处理|做|使用)?|然后(?:呢)?|还有(?:呢|吗|别的吗|其他的?吗|什么|哪些|谁)?|"
    r"有(?:例子|示例)吗|(?:能)?(?:再)?举(?:一?个|几个)?例(?:子|说明)?(?:吗)?|(?:比如|例如)(?:说|"
    r"呢|什么)?|"
    r"真的吗?|是吗|对吗|确定吗|可以吗|行吗|什么意思|(?:需要)?多少(?:钱|个|天|人|次|年)?|多久|"
    r"多长时间|几(?:天|个|年|次)|"
    r"在?哪(?:里|儿|个|些|种|年)?|什么时候|何时|谁|是谁|啥|什么|是什么|有(?:什么|哪些|几个|几种|"
    r"多少)|"
    r"(?:能|可以|请)?(?:不能)?(?:再)?(?:说|讲|解释|介绍|展开|描述)(?:得|的)?(?:更|再)?(?:详细|"
    r"清楚|具体|明白|仔细|简单|通俗)?"
    r"(?:一?(?:点|些|下))?(?:说|讲)?(?:吗)?|继续(?:说)?|接着说|下一(?:个|步|条)|换(?:一)?个|"
    r"再来一个|"
    r"有什么(?:区别|不同|差别|优势|好处|坏处|影响|关系|要求|条件|限制)|什么区别|依据(?:是什么)?|"
    r"出处|来源"
    r")"
)
_COMPARED = re.compile(
    r"^(?:和|跟|与|同)[^，,]{1,20}?(?:比|有(?:什么|啥|何|哪些)(?:区别|不同|差别|关系|联系)|"
    r"的?区别|一样|不同)"
    r"|^(?:比起|相比(?:于|之下)?|相较于?|较之)|^比[^\s，,]{1,10}(?:更|还|好|快|贵|大|强|便宜|多|"
    r"少)|"
    r"^(?:哪|谁)[个种款一者]?(?:方法|方案|模型|版本)?(?:更|最|比较)|"
    r"^(?:有没有|有|还有)?(?:没有)?更[^\s]{1,3}(?:的|一点)"
)
_ELSE = re.compile(
    r"^(?:还|也|又|再|同样|都)(?!款|债|钱|清|贷|本付)|^除(?:此|了这|了它)|^(?:之|以|然|随|最)后"
    r"|^其[他它余]|^(?:后来|后续|当时|当年|最初|起初|期间)"
)
_WH_OBJECT = re.compile(
    r"^(?:可以|能够?|会|要|应该?|一般|最[多少快晚早迟]|至少|大概|主要|具体|目前|现在|都|最终|"
    r"当时|一共|总共|"
    r"通常|必须|需要?|是|在|从|由|被)*(?P<verb>[\u4e00-\u9fff]{0,4}?)"
    r"(?:哪些|什么|多少|几[个种条年天次月]|谁|哪[里儿个种年国]|多[大长久高]|何时)(?P<rest>.*)$"
)
_OWNED = (
    "作者|导演|主演|编剧|创始人|负责人|发明人|老板|总裁|校长|价格|价钱|费用|成本|原因|理由|结果|"
    "结局|优点|缺点|"
    "优势|劣势|特点|特征|区别|不同|好处|坏处|作用|用途|功能|性能|效果|效率|首都|人口|面积|长度|"
    "高度|宽度|深度|重量|"
    "身高|年龄|生日|父亲|母亲|父母|妻子|丈夫|儿子|女儿|孩子|老师|学生|地址|电话|期限|流程|步骤|"
    "手续|材料|条件|要求|"
    "标准|参数|格式|大小|版本|速度|精度|准确率|限制|默认值|返回值|含义|定义|意义|意思|影响|背景|"
    "内容|主题|时间|地点|"
    "日期|数量|比例|名字|名称|全称|简称|官网|文档|源码|代码|许可证|协议|上限|下限|范围|单位|"
    "颜色|材质|品牌|型号|产地|"
    "成分|副作用|剂量|用法|用量|方法|办法|方式|代表作|作品|成就|职业|国籍|学历|经历|死因|祖籍|"
    "别名|原理|结构|组成|"
    "架构|依赖|端口|密码|账号|权限|后果|责任|处罚|赔偿|罚款|例外|前提|目的|目标|任务|对象|时长|"
    "频率|周期|总部|"
    "市值|收入|票房|评分|演员|角色|剧情|歌手|专辑|歌词|出版社|语言|平台|环境|系统|数据集|模型|"
    "学费|分数线|专业"
)
_OWNED_ONLY = re.compile(
    rf"^(?:它|的|其|具体|主要|最大|最|所|全部|一般|当前|默认|"
    rf"推荐)*(?:的)?(?:{_OWNED})(?:的?(?:{_OWNED}))?"
    r"(?:上|方面|大概|一般|分别|都|又|具体|主要)*"
    r"(?:(?:是|有|为|叫|在|要|需要|怎么(?:样|计算|算|设置|改|定)?|如何(?:计算|设置|修改)?|多)?"
    r"(?:什么|谁|多少|哪些|哪[里儿个年]?|几[个种条年天次]?|怎么样|如何|[大长久高快远重])?"
    r"(?:呢|样|吗)?|高吗|大吗|贵吗|快吗|好吗|严格吗|有限制吗)$"
)
_HOW_VERB = re.compile(
    r"^(?:具体|到底|究竟|应该?|要|可以|能|我|我们|又|还|该)*(?:怎么|怎样|如何|咋)(?:去|来|才能|"
    r"样)?"
    r"(?P<rest>[\u4e00-\u9fff]{1,4})(?:呢|的|啊|了)?$"
)
_SUBJECTLESS = re.compile(
    r"^(?:可以|能够?|会不会|能不能|可不可以|能否|是否|是不是|要不要|有没有|需不需要|需要|会|要|"
    r"支持|属于|包括|"
    r"包含|适合|兼容|依赖|开源|收费|免费|安全|合法|难|贵|好用|什么时候|何时|在哪[里儿个]?|"
    r"为什么|为何|为啥|"
    r"多久|多大|多少钱|哪年|哪一年|由谁|被谁|是谁|谁)"
)
_ASKED = re.compile(
    rf"(?:哪|几|多少|第?[一二三四五]|什么)[一]?[年个种些里儿天月位名条款项部颗次届人]|"
    rf"{_ASK.pattern}"
)
_CONTENT_TAGS = ("n", "eng", "v", "a", "i", "l", "j", "t", "s", "z")
_NOUN_TAGS = ("n", "eng", "j", "l", "i")
_EMPTY = frozenset(
    """
    是 有 在 能 会 要 可以 需要 应该 能够 想 知道 请问 告诉 说 讲 做 进行 使用 用 时候 情况
    问题 方面 什么
    怎么 如何 哪些 多少 怎么办 怎么样 为什么 一下 介绍 解释 了解 没有 不能 不要 可能 必须 是否
    能不能 有没有
    得 到 去 来 给 让 被 把 吗 呢 的 了 支持 包括 包含 提供 叫 叫做 属于 发生 目前 现在 一般
    具体 主要 比较
    谁 哪里 哪儿 哪个 几个 多久 还 也 都 又 再 就 才 对 多大 多长 多高 谢谢 帮 帮我 请 列出 说明
    which what how who when where why
    """.split()  # noqa: SIM905
)
_DEFINES = re.compile("^(?:什么是|什么叫|何为|何谓|啥是|啥叫)..")
_TOO = re.compile(r"^[^\s，,]{1,8}也(?:是|可以|能|会|要|支持|行|需要|算|有|得|应该)")
_EVENT = re.compile(
    r"^(?P<event>[\u4e00-\u9fff]{2})(?:之后|以后|后|之前|以前|期间|的时候|时|完)(?!来)"
)
_PLACED = re.compile(r"^(?:能|可以|会|要)(?:不能)?(?:在|用|通过|从|对|给|跟|和).*吗?$")
_ELLIPTIC = 14
_SIGNS = "-_./+#:"
_BRIEF = 12
_SEVERAL = 2
_AFTER = 6
_ONLY_OBJECT = re.compile(
    r"(?:能不能|是否|可以|能|会|有没有)?(?:支持|兼容|适合|包括|包含|依赖|属于|用于)"
)
_NAMES = ("nr", "ns", "nt", "nz", "eng")


def leans(text: str) -> Leaning | None:
    """Return by what a folded question leans on its conversation; None where it stands alone."""
    bare = _LEAD.sub("", _TAIL.sub("", text)) or _TAIL.sub("", text)
    tests = (
        (_BARE.fullmatch, Leaning.ELLIPSIS),
        (_refers, Leaning.REFERENCE),
        (_breaks_off, Leaning.ELLIPSIS),
        (_compares_one, Leaning.COMPARISON),
        (_misses, Leaning.MISSING),
        (_adds_another, Leaning.ELLIPSIS),
        (_nameless, Leaning.PERHAPS),
    )
    return next((leaning for test, leaning in tests if test(bare)), None)


def _breaks_off(bare: str) -> bool:
    return bare.endswith("呢") and not _ASK.search(bare) and len(bare) <= _ELLIPTIC


def _compares_one(bare: str) -> bool:
    return _COMPARED.match(bare) is not None and not _compares_both(bare)


def _adds_another(bare: str) -> bool:
    return _TOO.match(bare) is not None and len(bare) <= _BRIEF


def _nameless(bare: str) -> bool:
    if len(bare) > _BRIEF:
        return False
    tags = [tag for word, tag in _tagger()(bare) if word not in _EMPTY]
    if any(tag.startswith(_NAMES) for tag in tags):
        return False
    # 企业 版 is one thing.
    nouns = [tag.startswith(_NOUN_TAGS) for tag in tags]
    return sum(noun and not before for before, noun in pairwise([False, *nouns])) < _SEVERAL


def _refers(bare: str) -> bool:
    if _ORDINAL.match(bare) and len(bare) <= _ELLIPTIC:
        return True
    plain = _CATAPHORA.sub("", bare)
    for found in _REFERENCE.finditer(plain):
        # 员工辞职了，他还能拿年终奖吗: what is meant was named in the same question.
        clauses = re.split("[,，;；。:：?？]", plain[: found.start()])
        if not any(_nouns(clause) for clause in clauses):
            return True
    return False


def _compares_both(bare: str) -> bool:
    if bare[0] in "哪谁":
        return bool(_nouns(bare[2:]))
    return len(re.split("(?<=[^和跟与同])[和跟与、]|还是", bare)) > 1


def _misses(bare: str) -> bool:
    """Say whether what is asked of is missing, as in 支持哪些模型 and 作者是谁."""
    if _DEFINES.match(bare):
        return False
    if _OWNED_ONLY.match(bare):
        return True
    if how := _HOW_VERB.match(bare):
        return not _nouns(how["rest"])
    tests = (_goes_on, _asks_object, _lacks_subject, _follows_event)
    return any(test(bare) for test in tests)


def _goes_on(bare: str) -> bool:
    return _ELSE.match(bare) is not None and _nouns(bare) < _SEVERAL + 1


def _asks_object(bare: str) -> bool:
    found = _WH_OBJECT.match(bare)
    if not found or (not found["verb"] and found["rest"].startswith(("是", "叫"))):
        return False
    rest = found["rest"]
    return _is_verb(found["verb"]) and _nouns(rest) < _SEVERAL and len(rest) <= _AFTER


def _lacks_subject(bare: str) -> bool:
    if _PLACED.match(bare) and _nouns(bare) < _SEVERAL:
        return True
    if not _SUBJECTLESS.match(bare):
        return False
    return not _nouns(bare) or (len(bare) <= _ELLIPTIC and _ONLY_OBJECT.match(bare) is not None)


def _follows_event(bare: str) -> bool:
    event = _EVENT.match(bare)
    if event is None:
        return False
    return not _nouns(event["event"]) and len(bare) - event.end() <= _AFTER


def _is_verb(text: str) -> bool:
    tags = [tag for _, tag in _tagger()(text)]
    return (
        all(tag.startswith(("v", "u", "d", "p")) for tag in tags)
        and len(tags) <= _SEVERAL
        and tags[1:] != ["v"]
    )


def _nouns(text: str) -> int:
    return sum(tag.startswith(_NOUN_TAGS) and word not in _EMPTY for word, tag in _tagger()(text))


def about(turn: str) -> list[str]:
    """Return the words of a turn that say what it is about, as they are written."""
    text = _REFERENCE.sub(" ", _LEAD.sub("", turn))
    text = _ASKED.sub(" ", text)
    words: list[str] = []
    joined = ""
    for word, tag in _tagger()(text):
        # LMDeploy, 3.11 and 7714-2015 are cut at their signs.
        sign = word in _SIGNS
        code = sign or tag == "eng" or word[0].isdigit()
        if joined and not code:
            words.append(joined.rstrip(_SIGNS))
            joined = ""
        if code and (joined or not sign):
            joined += word
        elif not code and _says(word, tag):
            words.append(word)
    return [*words, joined.rstrip(_SIGNS)] if joined else words


def _says(word: str, tag: str) -> bool:
    if len(word) == 1:
        # 年假 and 多模态 are cut into a numeral and a noun.
        return tag.startswith(_NOUN_TAGS) or (tag == "m" and word in "年月日多半双单")
    return word not in _EMPTY and tag.startswith(_CONTENT_TAGS)


@cache
def _tagger() -> Callable[[str], list[tuple[str, str]]]:
    import rjieba  # 0.2 s and 33 MB, so only once something is tokenised

    tag: Callable[[str], list[tuple[str, str]]] = rjieba.tag
    return tag
