import pytest
from hypothesis import given
from hypothesis import strategies as st

from wenqu.text.language import detect
from wenqu.types import Language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("xtuner 是什么？", "zh"),
        ("今天天气怎么样？", "zh"),
        ("如何用 lmdeploy 部署 internlm2_5-7b-chat 并开启 KV cache int8 量化？", "zh"),
        ("LMDeploy 支持 InternLM2、Qwen2 与 Llama 3 的推理", "zh"),
        ("How do I deploy InternLM", "en"),
        ("用 lmdeploy 部署 internlm2_5-7b-chat", "zh"),
        ("What does 问渠 mean?", "en"),
        ("The name InternLM (书生·浦语) is that of a family of models made in Shanghai.", "en"),
        ("", "en"),
        ("42 ?!", "en"),
        ("請問怎麼安裝", "zh"),
    ],
)
def test_a_text_has_the_language_that_its_reader_would_name(text: str, language: Language) -> None:
    assert detect(text) == language


def test_a_chinese_guide_full_of_commands_is_chinese() -> None:
    guide = (
        "安装环境：\n```\npip install -U xtuner\nxtuner train config.py\n```\n"
        "然后运行下面的命令即可开始训练模型。"
    )
    assert detect(guide) == "zh"


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_has_a_language(text: str) -> None:
    assert detect(text) in {"zh", "en"}
