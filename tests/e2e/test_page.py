"""The page as its reader sees it: a real browser on a real server."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from wenqu.app import open_app
from wenqu.messages import text
from wenqu.settings import Settings
from wenqu.testing.chat import ScriptedChat
from wenqu.testing.embedder import FakeEmbedder

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=120_000)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from wenqu.types import Message

    Serving = Callable[..., AbstractContextManager[str]]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("chromium") is None, reason="there is no chromium: apt-get install chromium"
    ),
]

LEAVE = "员工每年享有十五天年假，当年未休完的年假可以顺延到次年三月。"
INJECTION = (
    "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
)
QUESTION = "员工每年享有多少天年假？"


def reply(messages: Sequence[Message]) -> str:
    prompt = messages[-1].text
    asked = prompt.rsplit("\n", 1)[-1]
    if "table" in asked:
        return "𠮷：\n| Who | When |\n| --- | --- |\n| Taxi | ten \\| days |\n\nTravel is free [1]."
    if "Taxi" in asked:
        return "Taxis are free for everyone on Sundays and holidays [1]."
    return "员工每年享有十五天年假[1]。当年未休完的年假可以顺延到次年三月[1]。"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    files = tmp_path_factory.mktemp("files")
    (files / "leave.md").write_text(f"# 请假制度\n\n## 年假\n\n{LEAVE}病假需要证明。", "utf-8")
    (files / "travel.md").write_text(
        "# Travel\n\nTravel costs are paid within ten days. Taxis need a receipt.", "utf-8"
    )
    (files / "markup.txt").write_text(f"标记示例：{INJECTION} 这是正文。", "utf-8")

    async def add() -> None:
        async with open_app(Settings(home=folder), embedder=FakeEmbedder(floor=0.75)) as app:
            await app.add("handbook", [files])

    # Playwright keeps an event loop in this thread.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, add()).result()
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        yield opened
        opened.close()


@contextmanager
def opened_page(browser: Browser, url: str, **options: object) -> Iterator[Page]:
    """Open the page; anything that the browser complains of fails the test."""
    complaints: list[str] = []
    context = browser.new_context(**{"locale": "zh-CN", **options})
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    page.set_default_timeout(120_000)
    page.goto(url)
    yield page
    context.close()
    assert complaints == []


def ask(page: Page, question: str) -> None:
    """Ask, and wait until the answer is whole."""
    page.fill("#question", question)
    page.press("#question", "Enter")
    expect(page.locator("#facts")).not_to_be_empty()


def test_a_question_gets_an_answer_with_sources_and_its_quotes_marked(
    browser: Browser, home: Path, tmp_path: Path, serving: Serving
) -> None:
    with (
        serving(home, ScriptedChat(reply), kb="handbook") as url,
        opened_page(browser, url) as page,
    ):
        expect(page.locator("#kb")).to_have_value("handbook")
        ask(page, QUESTION)
        assert "员工每年享有十五天年假[1]" in page.inner_text("#answer")
        assert page.inner_text("#asked") == QUESTION
        links = page.locator("#answer a")
        assert links.count() == 2
        assert links.first.get_attribute("href") == "#source-1"
        assert links.first.get_attribute("class") in {None, ""}
        source = page.locator("#source-1")
        assert "请假制度 › 年假" in source.locator(".place").inner_text()
        assert source.locator(".source").inner_text().endswith("leave.md")
        marked = "".join(source.locator("mark").all_inner_texts())
        assert "员工每年享有十五天年假" in marked
        assert text("web.supported", "zh") in source.inner_text()
        assert "scripted" in page.inner_text("#facts")
        page.screenshot(path=tmp_path / "answer.png", full_page=True)
        assert (tmp_path / "answer.png").stat().st_size > 5_000


def test_an_answer_is_copied_with_its_question_and_the_sources_that_it_cites(
    browser: Browser, home: Path, serving: Serving
) -> None:
    may = ["clipboard-read", "clipboard-write"]
    with (
        serving(home, ScriptedChat(reply), kb="handbook") as url,
        opened_page(browser, url, permissions=may) as page,
    ):
        expect(page.locator("#copy")).to_be_hidden()
        ask(page, QUESTION)
        page.click("#copy")
        expect(page.locator("#copy")).to_have_text(text("web.copied", "zh"))
        question, answer, sources = page.evaluate("navigator.clipboard.readText()").split("\n\n")
        assert question == QUESTION
        assert answer == page.inner_text("#answer")
        heading, first, place = sources.rstrip().split("\n")
        assert heading == text("web.sources", "zh")
        assert first == "[1] 请假制度 › 年假"
        assert place.endswith("leave.md")


def test_a_sentence_that_no_source_confirms_is_flagged(
    browser: Browser, home: Path, serving: Serving
) -> None:
    with (
        serving(home, ScriptedChat(reply), kb="handbook") as url,
        opened_page(browser, url) as page,
    ):
        ask(page, "Do Taxis need a receipt?")
        assert text("web.unsupported", "zh") in page.inner_text("#sources")
        assert page.locator("#answer a.doubt").count() == 1
        # In words too, not by a colour alone.
        assert text("web.unconfirmed", "zh") in page.inner_text("#answer .doubted")


def test_a_table_of_an_answer_is_one_and_the_sentence_after_it_is_doubted(
    browser: Browser, home: Path, serving: Serving
) -> None:
    with (
        serving(home, ScriptedChat(reply), kb="handbook") as url,
        opened_page(browser, url) as page,
    ):
        ask(page, "Travel costs are paid within how many days? A table, please.")
        assert page.locator("#answer th").all_inner_texts() == ["Who", "When"]
        cells = page.locator("#answer td").all_inner_texts()
        assert [cell.split(" [")[0] for cell in cells] == ["Taxi", "ten | days"]
        # Counted in code points by the server: the letter outside the first plane is one.
        assert "Travel is free" in page.inner_text("#answer .doubted >> nth=-1")


def test_without_a_model_the_best_sentences_are_quoted(
    browser: Browser, home: Path, serving: Serving
) -> None:
    with serving(home, None, kb="handbook") as url, opened_page(browser, url) as page:
        ask(page, QUESTION)
        assert LEAVE in page.inner_text("#answer")
        assert page.locator("#sources mark").count() >= 1
        assert text("web.extractive", "zh") in page.inner_text("#facts")


def test_a_refusal_shows_no_sources(browser: Browser, home: Path, serving: Serving) -> None:
    with (
        serving(home, ScriptedChat(reply), kb="handbook") as url,
        opened_page(browser, url) as page,
    ):
        ask(page, "你好")
        assert text("answer.not_a_question", "zh") in page.inner_text("#answer")
        assert page.locator("#sources li").count() == 0
        assert not page.locator("#sources-title").is_visible()
        assert text("web.refused", "zh") in page.inner_text("#facts")


def test_the_page_speaks_both_languages(browser: Browser, home: Path, serving: Serving) -> None:
    with serving(home, None, kb="handbook") as url, opened_page(browser, url) as page:
        expect(page.locator("#submit")).to_have_text(text("web.ask", "zh"))
        page.click("#language")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        expect(page.locator("#submit")).to_have_text(text("web.ask", "en"))
        assert page.get_attribute("#question", "placeholder") == text("web.placeholder", "en")
        missing = page.locator("[data-text]").all_inner_texts()
        assert all(missing[:4])
    with (
        serving(home, None, kb="handbook") as url,
        opened_page(browser, url, locale="en-US") as page,
    ):
        expect(page.locator("#submit")).to_have_text(text("web.ask", "en"))


def test_what_was_chosen_is_kept_when_the_page_is_loaded_again(
    browser: Browser, home: Path, serving: Serving
) -> None:
    with serving(home, None, kb="handbook") as url, opened_page(browser, url) as page:
        page.click("#language")
        expect(page.locator("#submit")).to_have_text(text("web.ask", "en"))
        page.fill("#question", "Half a quest")
        page.reload()
        expect(page.locator("#submit")).to_have_text(text("web.ask", "en"))
        expect(page.locator("#question")).to_have_value("Half a quest")


def test_a_source_names_the_page_on_which_its_quote_stands(
    browser: Browser, home: Path, serving: Serving
) -> None:
    # As the server gives it: the passage begins on page 1, what is quoted of it stands on page 3.
    source = {"marker": 1, "title": "Rules", "heading": [], "document": "rules.pdf", "page": 1}
    evidence = [{**source, "text": "Page one. Cars are charged for three hours."}]
    quote = "Cars are charged for three hours."
    citation = {**source, "page": 3, "quote": quote, "sentence": quote, "supported": True}
    sentence = {"start": 0, "end": 37, "text": quote, "supported": True}
    answer = {
        "outcome": "answered",
        "answer": f"{quote} [1]",
        "citations": [citation],
        "sentences": [sentence],
        "skipped": [{"stage": "rerank", "reason": "took too long"}],
        "model": None,
    }
    events = {"evidence": evidence, "text": f"{quote} [1]", "answer": answer}
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events.items())
    with serving(home, None, kb="handbook") as url, opened_page(browser, url) as page:
        page.route(
            "**/api/ask*", lambda route: route.fulfill(body=body, content_type="text/event-stream")
        )
        ask(page, "How long may a car be charged?")
        assert (
            page.inner_text("#source-1 .place") == f"[1] Rules · {text('web.page', 'zh', page=3)}"
        )
        assert page.inner_text("#source-1 mark") == quote
        assert text("stage.rerank", "zh") in page.inner_text("#facts")


def test_an_answer_that_breaks_off_is_not_taken_for_whole(
    browser: Browser, home: Path, serving: Serving
) -> None:
    body = 'event: evidence\ndata: []\n\nevent: text\ndata: "Half an"\n\n'
    with serving(home, None, kb="handbook") as url, opened_page(browser, url) as page:
        page.route(
            "**/api/ask*", lambda route: route.fulfill(body=body, content_type="text/event-stream")
        )
        page.fill("#question", QUESTION)
        page.click("#submit")
        expect(page.locator("#status.error")).to_have_text(text("web.unreachable", "zh"))


def test_the_text_of_a_document_never_becomes_part_of_the_page(
    browser: Browser, home: Path, serving: Serving
) -> None:
    with serving(home, None, kb="handbook") as url, opened_page(browser, url) as page:
        ask(page, "标记示例 这是正文 img src onerror document title broken script")
        assert "<script>" in page.inner_text("#sources")
        assert page.locator("#result img, #result script").count() == 0
        assert page.title() == text("web.title", "zh")


def test_an_answer_can_be_stopped(browser: Browser, home: Path, serving: Serving) -> None:
    chat = ScriptedChat("一字一句。" * 2, piece_characters=5, hold_at=1)
    with serving(home, chat, kb="handbook") as url, opened_page(browser, url) as page:
        page.fill("#question", QUESTION)
        page.click("#submit")
        expect(page.locator("#answer")).to_contain_text("一字一句。")
        assert page.inner_text("#submit") == text("web.stop", "zh")
        assert page.get_attribute("#answer", "aria-busy") == "true"
        page.click("#submit")
        expect(page.locator("#submit")).to_have_text(text("web.ask", "zh"))
        expect(page.locator("#status")).to_have_text(text("web.stopped", "zh"))
        assert page.get_attribute("#answer", "aria-busy") is None
        until = time.monotonic() + 120
        while not chat.stopped and time.monotonic() < until:
            page.wait_for_timeout(50)
        assert chat.stopped == 1


def test_a_server_that_is_gone_is_said_in_words(
    browser: Browser, home: Path, serving: Serving
) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    with serving(home, None, kb="handbook") as url:
        page.goto(url)
        expect(page.locator("#kb option")).to_have_count(1)
    page.fill("#question", QUESTION)
    page.click("#submit")
    expect(page.locator("#status.error")).to_have_text(text("web.unreachable", "zh"))
    context.close()


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_is_wider_than_the_window(
    browser: Browser, home: Path, width: int, serving: Serving
) -> None:
    size = {"width": width, "height": 800}
    with (
        serving(home, None, kb="handbook") as url,
        opened_page(browser, url, viewport=size) as page,
    ):
        ask(page, "标记示例 这是正文 img src onerror document title broken script")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_control_has_a_name_for_those_who_do_not_see_it(
    browser: Browser, home: Path, serving: Serving
) -> None:
    with serving(home, None, kb="handbook") as url, opened_page(browser, url) as page:
        tree = page.locator("body").aria_snapshot()
        assert re.search(r'textbox "[^"]+"', tree), tree
        assert re.search(r'combobox "[^"]+"', tree), tree
        assert len(re.findall(r'button "[^"]+"', tree)) == 2
