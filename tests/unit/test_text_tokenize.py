import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.tokenize import terms

DOCUMENTS = """\
参考文献著录规则见 GB/T 7714-2015，自2015年12月1日起实施。
参考文献著录规则的旧版是 GB/T 7714-2005，已经废止。
信息与文献的术语见 GB/T 4894-2009。
2015 年 7 月 14 日发布了 T 系列产品的 GB 级存储。
模型 internlm2_5-7b 支持一百万字上下文。
模型 internlm2_5-20b 需要两张显卡。
模型 internlm2-chat-7b 是上一代的对话模型。
模型 internlm-xcomposer2d5-7b 能看图。
lmdeploy v0.2.1 修复了显存泄漏。
lmdeploy v0.2.0 增加了量化。
lmdeploy v0.1.2 是最早的版本，2021 年没有发布。
Written in C++ for speed, with bindings.
Written in C for portability.
Written in C# for Windows.
COVID-19 was first reported in Wuhan.
COVID research in 19 countries.
The VectorStoreIndex class keeps vectors in a store.
The vector index is stored on disk; a store of vectors has an index.
Set max_new_tokens to limit the output.
The max number of new tokens per minute.
张雪峣是书生浦语的工程师。
张雪是浦东的书生，峣山在远方。
请把 tokenizer_config.json 放到模型目录。
请把 config.json 与 tokenizer 放到模型目录。
Send an e-mail to the list.
Mail the form; press E to continue.
An RTX 4090 has 24 GB of memory.
RTX cards: 3090, 4080, model 40 and 90.
pip install transformers==4.37.2 即可。
pip install transformers，版本 2.4.37 不行。
错误码 0x80070005 表示拒绝访问。
错误码 0x80070002 表示找不到文件。
The paper is arXiv:2403.17297 by the team.
The paper is arXiv:2403.17927 by others.
調用 lmdeploy serve api_server 啟動服務。
调用 lmdeploy chat 启动对话。
蒽貖鬽是一种虚构的草药。
人参是一种常见的草药。
""".splitlines()


def best(query: str) -> str:
    """Return the document that BM25 (k1 1.2, b .75) ranks first."""
    counts = [Counter(terms(document)) for document in DOCUMENTS]
    mean = sum(count.total() for count in counts) / len(counts)

    def score(count: Counter[str]) -> float:
        total = 0.0
        for term in terms(query):
            having = sum(1 for other in counts if term in other)
            idf = math.log(1 + (len(counts) - having + 0.5) / (having + 0.5))
            length = 1.2 * (0.25 + 0.75 * count.total() / mean)
            total += idf * count[term] * 2.2 / (count[term] + length)
        return total

    return max(zip(map(score, counts), DOCUMENTS, strict=True))[1]


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("GB/T 7714-2015", "参考文献著录规则见"),
        ("GB/T7714-2015", "参考文献著录规则见"),
        ("GB/T 7714—2015", "参考文献著录规则见"),
        ("GB∕T 7714－2015", "参考文献著录规则见"),
        ("gb/t 7714-2015 是什么", "参考文献著录规则见"),
        ("GBT 7714 2015", "参考文献著录规则见"),
        ("GB/T 7714-2005", "参考文献著录规则的"),
        ("internlm2_5-7b", "模型 internlm2_5-7"),
        ("InternLM2.5-7B", "模型 internlm2_5-7"),
        ("internlm2.5-20b", "模型 internlm2_5-2"),
        ("internlm2_5 7b", "模型 internlm2_5-7"),
        ("v0.2.1", "lmdeploy v0.2.1"),
        ("0.2.1 修复了什么", "lmdeploy v0.2.1"),
        ("v0.2.0", "lmdeploy v0.2.0"),
        ("C++", "Written in C+"),
        ("c#", "Written in C#"),
        ("what is C++ used for", "Written in C+"),
        ("covid19", "COVID-"),
        ("COVID-19", "COVID-"),
        ("VectorStoreIndex", "The V"),
        ("vectorstoreindex", "The V"),
        ("max_new_tokens", "Set "),
        ("max-new-tokens", "Set "),
        ("张雪峣是谁", "张雪峣是"),
        ("tokenizer_config.json", "请把 t"),
        ("email", "Send"),
        ("E-Mail", "Send"),
        ("RTX4090", "An R"),
        ("rtx 4090", "An R"),
        ("transformers 4.37.2", "pip install transformers="),
        ("0x80070005", "错误码 0x80070005"),
        ("0x80070002 是什么意思", "错误码 0x80070002"),
        ("2403.17297", "The paper is arXiv:2403.172"),
        ("arxiv 2403.17927", "The paper is arXiv:2403.179"),
        ("启动服务 api-server", "調用 l"),
        ("調用 對話", "调用 l"),
        ("蒽貖鬽", "蒽貖鬽是"),
        ("ＲＴＸ　４０９０", "An R"),
    ],
)
def test_a_code_or_name_finds_the_document_that_has_it(query: str, document: str) -> None:
    assert best(query).startswith(document)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("COVID-19", "covid19"),
        ("e-mail", "E‑Mail"),
        ("書生浦語", "书生浦语"),
        ("ＧＰＵ", "gpu"),
        ("1,000", "1000"),
        ("LLMs", "LLM"),
        ("deploying", "deployed"),
        ("naïve", "naive"),
        ("InternLM's", "InternLM’s"),
        ("internlm2_5-7b", "InternLM2.5-7B"),
    ],
)
def test_two_spellings_share_their_most_special_term(one: str, other: str) -> None:
    assert max(terms(one), key=len) in terms(other)


def test_decimals_are_not_joined_into_other_numbers() -> None:
    assert "2.5" in terms("2_5")
    assert "25" not in terms("2.5")


def test_a_version_is_found_with_and_without_its_v() -> None:
    assert {"v0.2.1", "0.2.1"} <= set(terms("v0.2.1"))


def test_the_parts_of_an_identifier_are_terms() -> None:
    assert {"vector", "store", "index", "vectorstoreindex"} <= set(terms("VectorStoreIndex"))
    assert {"max", "new", "token"} <= set(terms("max_new_tokens"))


def test_a_name_is_not_broken_into_single_letters() -> None:
    assert terms("iPhone") == ["iphon", "phone"]


def test_an_unseen_name_is_found_by_its_pairs() -> None:
    assert "蒽貖" in terms("蒽貖鬽")


@pytest.mark.parametrize(("short", "long"), [("锁", "门锁"), ("北大", "北京大学"), ("卡", "显卡")])
def test_a_short_form_shares_a_term_with_the_long_one(short: str, long: str) -> None:
    assert set(terms(short)) & set(terms(long))


def test_languages_without_spaces_have_terms_too() -> None:
    assert terms("カタカナ") == ["カタ", "タカ", "カナ"]
    assert terms("한국어") == ["한국", "국어"]
    assert terms("Привет, мир") == ["привет", "мир"]


@pytest.mark.parametrize("text", ["", "？！……", "、。", " \n", "——", "😀"])
def test_a_text_without_letters_or_digits_has_no_terms(text: str) -> None:
    assert terms(text) == []


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_gives_terms_without_white_space(text: str) -> None:
    for term in terms(text):
        assert term
        assert not any(character.isspace() for character in term)


@given(st.text(st.sampled_from("aZ1中々が-_./:+#'’ &@,v한ก\u0301"), max_size=60))
def test_terms_are_short_and_the_same_each_time(text: str) -> None:
    found = terms(text)
    assert found == terms(text)
    assert all(len(term) <= 129 for term in found)


def test_a_text_joined_of_terms_has_the_whitespace_analysis_that_engines_do() -> None:
    found = terms("在 InternLM2.5-7B 上用 lmdeploy v0.2.1 部署大模型")
    assert " ".join(found).split() == found


def test_threads_get_the_same_terms() -> None:
    texts = [f"Deploying models {number} 部署大模型 running v{number}.2" for number in range(200)]
    alone = [terms(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(terms, texts)) == alone
