"""Measuring what the app serves, with a fake embedder and a scripted chat model."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from wenqu.app import App, open_app
from wenqu.app_measuring import DraftOptions, EvalOptions
from wenqu.app_tuning import TuneOptions
from wenqu.errors import InputError, ModelMissingError
from wenqu.evaluation.report import EvalReport
from wenqu.evaluation.suite import Step, Suite
from wenqu.testing.chat import ScriptedChat
from wenqu.testing.embedder import FakeEmbedder
from wenqu.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

SUBJECTS = (
    ("leave", "Staff have 15 days of paid leave each year.", "How much paid leave is there?", "15"),
    ("travel", "A hotel may cost 400 yuan a night.", "What may a hotel cost a night?", "400 yuan"),
    ("bridge", "李春设计了赵州桥。", "谁设计了赵州桥？", "李春"),
    ("bread", "面包需要面粉和酵母。", "面包需要什么？", "面粉"),
)


def _lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "sets" / "tiny"
    folder.mkdir(parents=True)
    _lines(
        folder / "corpus.jsonl",
        [{"id": name, "title": name, "text": text} for name, text, *_ in SUBJECTS],
    )
    queries: list[dict[str, object]] = [
        {"id": f"q-{name}", "text": question} for name, _, question, _ in SUBJECTS
    ]
    queries.append({"id": "q-none", "text": "Zebras gallop where?", "answerable": False})
    _lines(folder / "queries.jsonl", queries)
    _lines(
        folder / "answers.jsonl",
        [
            {"id": f"q-{name}", "answers": [answer], "evidence": [text]}
            for name, text, _, answer in SUBJECTS
        ],
    )
    (folder / "qrels.tsv").write_text(
        "".join(f"q-{name}\t{name}\t1\n" for name, *_ in SUBJECTS), "utf-8"
    )
    return folder


def with_app(
    home: Path,
    work: Callable[[App], Awaitable[None]],
    chat: ScriptedChat | None = None,
    embedder: FakeEmbedder | None = None,
) -> None:
    async def run() -> None:
        async with open_app(
            home=home, embedder=embedder or FakeEmbedder(floor=0.75), chat=chat
        ) as app:
            await work(app)

    asyncio.run(run())


def test_a_data_set_is_measured_whole_and_what_it_depended_on_is_kept(
    tmp_path: Path, dataset: Path
) -> None:
    async def work(app: App) -> None:
        record = await app.measuring.evaluate(dataset, EvalOptions(answers="extractive"))
        report = EvalReport(record)
        assert record.knowledge_base == "eval-tiny"
        assert report.flat()["recall@10"] == 1
        assert len(record.queries) == 5
        assert report.refusal()
        answers = report.answers()
        assert answers is not None
        assert answers.asked == 5
        assert answers.citations["precision"].n >= 1
        assert record.fingerprints["embedder"] == "fake:1"
        assert "retrieval" in record.settings
        assert "home" not in json.dumps(record.settings)
        saved = app.measuring.runs.save(record)
        assert app.measuring.runs.load("tiny") == saved

    with_app(tmp_path / "home", work)


def test_answers_are_not_kept_among_those_that_users_were_given(
    tmp_path: Path, dataset: Path
) -> None:
    async def work(app: App) -> None:
        await app.measuring.evaluate(dataset, EvalOptions(answers="extractive"))
        assert await app.answers.list(None, 10) == []

    with_app(tmp_path / "home", work)


def test_a_sample_is_the_same_at_each_run_and_part_of_a_larger_one(
    tmp_path: Path, dataset: Path
) -> None:
    async def work(app: App) -> None:
        async def asked(limit: int, seed: int = 0) -> list[str]:
            record = await app.measuring.evaluate(dataset, EvalOptions(limit=limit, seed=seed))
            return [query.id for query in record.queries]

        assert await asked(3) == await asked(3)
        assert set(await asked(3)) < set(await asked(4))
        assert len({tuple(await asked(3, seed)) for seed in range(8)}) > 1

    with_app(tmp_path / "home", work)


def test_written_answers_name_their_model_and_need_one(tmp_path: Path, dataset: Path) -> None:
    chat = ScriptedChat("Staff have 15 days of paid leave each year [1].")

    async def work(app: App) -> None:
        how = EvalOptions(answers="generate", answers_limit=2)
        record = await app.measuring.evaluate(dataset, how)
        answered = [query.answer for query in record.queries if query.answer]
        assert len(answered) == 2
        assert record.fingerprints["chat"] == "scripted"
        written = [one for one in answered if one.outcome is Outcome.ANSWERED]
        assert all(one.model == "scripted" for one in written)

    async def without(app: App) -> None:
        with pytest.raises(ModelMissingError):
            await app.measuring.evaluate(dataset, EvalOptions(answers="generate"))

    with_app(tmp_path / "home", work, chat)
    with_app(tmp_path / "other", without)


def test_a_suite_goes_on_where_it_was_and_begins_anew_when_told_to(
    tmp_path: Path, dataset: Path
) -> None:
    embedder = FakeEmbedder(floor=0.75)

    async def work(app: App) -> None:
        told: list[str] = []

        def on_step(number: int, of: int, step: Step) -> None:
            told.append(f"{number}/{of} {step.name}")

        suite = Suite(queries=4, quoted=2, written=1)
        measuring = app.measuring
        first = await measuring.evaluate_all([dataset.parent], suite, on_step=on_step)
        # Some question of the set is unanswerable, and without a chat model nothing is written.
        assert told == ["1/1 tiny-4"]
        assert measuring.runs.names() == ["tiny-4"]
        asked = len(embedder.embedded)
        assert await measuring.evaluate_all([dataset.parent], suite) == first
        assert len(embedder.embedded) == asked
        again = await measuring.evaluate_all([dataset.parent], suite, again=True)
        assert len(embedder.embedded) > asked
        assert again[0].queries[0].values == first[0].queries[0].values

    async def otherwise(app: App) -> None:
        kept = app.measuring.runs.load("tiny-4")
        runs = await app.measuring.evaluate_all([dataset.parent], Suite(queries=4, quoted=2))
        assert runs[0].date > kept.date
        assert runs[0].settings != kept.settings

    with_app(tmp_path / "home", work, embedder=embedder)

    async def with_other_settings() -> None:
        async with open_app(
            home=tmp_path / "home",
            embedder=FakeEmbedder(floor=0.75),
            retrieval={"lexical_weight": 0.25},
        ) as app:
            await otherwise(app)

    asyncio.run(with_other_settings())


def test_hiding_documents_measures_refusals_on_a_knowledge_base_of_its_own(
    tmp_path: Path, dataset: Path
) -> None:
    async def work(app: App) -> None:
        whole = await app.measuring.evaluate(dataset)
        record = await app.measuring.evaluate(dataset, EvalOptions(hide=0.5))
        assert (record.knowledge_base, record.hidden) == ("eval-tiny-hidden50", 0.5)
        assert (record.documents, whole.documents) == (2, 4)
        kinds = [query.answerable for query in record.queries]
        assert (kinds.count(True), kinds.count(False)) == (2, 3)
        assert EvalReport(record).refusal()["auc"].n == 5
        assert (await app.base("eval-tiny")).documents == 4

    with_app(tmp_path / "home", work)


def _another(folder: Path, below: Path) -> Path:
    """Write a set of the same name, ids and questions as ``folder``'s, over other texts."""
    other = below / folder.name
    shutil.copytree(folder, other)
    rows = [{"id": name, "title": name, "text": f"另一篇：{text}"} for name, text, *_ in SUBJECTS]
    _lines(other / "corpus.jsonl", rows)
    return other


def test_sets_of_one_name_have_knowledge_bases_of_their_own_and_keep_them(
    tmp_path: Path, dataset: Path
) -> None:
    embedder = FakeEmbedder(floor=0.75)
    other = _another(dataset, tmp_path / "more")
    third = _another(dataset, tmp_path / "else" / "more")
    _lines(third / "corpus.jsonl", [{"id": name, "text": name} for name, *_ in SUBJECTS])

    async def work(app: App) -> None:
        measure = app.measuring.evaluate
        names = [(await measure(folder)).knowledge_base for folder in (dataset, other, third)]
        assert names == ["eval-tiny", "eval-more-tiny", "eval-tiny-2"]
        asked = len(embedder.embedded)
        again = [(await measure(folder)).knowledge_base for folder in (third, other, dataset)]
        assert again == names[::-1]
        questions = {question for _, _, question, _ in SUBJECTS} | {"Zebras gallop where?"}
        assert set(embedder.embedded[asked:]) == questions

    with_app(tmp_path / "home", work, embedder=embedder)


def test_a_set_whose_corpus_was_edited_keeps_its_knowledge_base(
    tmp_path: Path, dataset: Path
) -> None:
    async def work(app: App) -> None:
        await app.measuring.evaluate(dataset)
        rows = [{"id": name, "title": name, "text": text} for name, text, *_ in SUBJECTS]
        _lines(dataset / "corpus.jsonl", [*rows[:3], {"id": "bread", "text": "面包要烤。"}])
        assert (await app.measuring.evaluate(dataset)).knowledge_base == "eval-tiny"
        assert (await app.base("eval-tiny")).documents == 4

    with_app(tmp_path / "home", work)


def test_a_saved_run_of_another_set_or_of_other_questions_is_not_taken_for_this_one(
    tmp_path: Path, dataset: Path
) -> None:
    other = _another(dataset, tmp_path / "more")
    suite = Suite(queries=4, quoted=2, written=0)

    async def work(app: App) -> None:
        (first,) = await app.measuring.evaluate_all([dataset.parent], suite)
        (second,) = await app.measuring.evaluate_all([other.parent], suite)
        assert (first.knowledge_base, second.knowledge_base) == ("eval-tiny", "eval-tiny-2")
        assert [second] == await app.measuring.evaluate_all([other.parent], suite)
        queries = (other / "queries.jsonl").read_text("utf-8")
        (other / "queries.jsonl").write_text(queries.replace("Zebras", "Goats"), "utf-8")
        (third,) = await app.measuring.evaluate_all([other.parent], Suite(queries=None, quoted=2))
        (other / "queries.jsonl").write_text(queries.replace("Zebras", "Camels"), "utf-8")
        (fourth,) = await app.measuring.evaluate_all([other.parent], Suite(queries=None, quoted=2))
        assert fourth.date > third.date

    with_app(tmp_path / "home", work)


def test_what_another_version_measured_is_measured_again(tmp_path: Path, dataset: Path) -> None:
    suite = Suite(queries=4, quoted=2, written=0)

    async def work(app: App) -> None:
        runs = await app.measuring.evaluate_all([dataset.parent], suite)
        for run in runs:
            app.measuring.runs.save(run.model_copy(update={"version": "0.0.1"}), replace=True)
        later = await app.measuring.evaluate_all([dataset.parent], suite)
        assert [run.version for run in later] == [run.version for run in runs]

    with_app(tmp_path / "home", work)


def _documents(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text, *_ in SUBJECTS:
        (folder / f"{name}.md").write_text(f"# {name}\n\n{text}\n", "utf-8")
    return sorted(folder.iterdir())


def test_a_knowledge_base_is_measured_on_its_users_own_questions(tmp_path: Path) -> None:
    files = _documents(tmp_path)
    questions = tmp_path / "questions.jsonl"
    rows: list[dict[str, object]] = [
        {"question": question, "answer": answer, "document": f"{name}.md", "quote": text}
        for name, text, question, answer in SUBJECTS[:2]
    ]
    rows += [{"question": SUBJECTS[2][2], "quote": SUBJECTS[2][1]}]
    _lines(questions, rows)

    async def work(app: App) -> None:
        await app.add("handbook", files)
        base = await app.base("handbook")
        record = await app.measuring.evaluate_questions(
            base, questions, EvalOptions(answers="extractive")
        )
        assert record.dataset == "handbook-questions"
        assert EvalReport(record).flat()["recall@1"] == 1
        assert len(record.judged) == 3
        _lines(questions, [{"question": "what is known?", "answer": "nothing"}])
        with pytest.raises(InputError) as caught:
            await app.measuring.evaluate_questions(base, questions)
        assert caught.value.key == "error.questions_unjudged"

    with_app(tmp_path / "home", work)


def test_drafts_are_made_from_the_documents(tmp_path: Path) -> None:
    files = _documents(tmp_path)

    async def work(app: App) -> None:
        await app.add("handbook", files)
        base = await app.base("handbook")
        drafts = await app.measuring.draft(base, DraftOptions(number=3, use_llm=False))
        assert {draft.kind for draft in drafts} <= {"number", "definition", "gap"}
        assert {draft.answer for draft in drafts} & {"15", "400"}
        empty = await app.bases.create("empty")
        with pytest.raises(InputError):
            await app.measuring.draft(empty, DraftOptions())

    with_app(tmp_path / "home", work)


def test_tuning_tries_settings_on_copies_and_leaves_the_knowledge_base_as_it_was(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    rows: list[dict[str, object]] = []
    for at in range(20):
        word = f"thing{at}"
        text = f"# Part {at}\n\n" + " ".join(f"{word} filler{at % 3} word{n}" for n in range(60))
        (folder / f"{word}.md").write_text(text, "utf-8")
        rows.append({"question": f"Where is {word}?", "document": f"{word}.md"})
    questions = tmp_path / "questions.jsonl"
    _lines(questions, rows)

    async def work(app: App) -> None:
        await app.add("things", [folder])
        base = await app.base("things")
        how = TuneOptions(chunk_tokens=(64,))
        cost = await app.measuring.tuning_cost(base, questions, how)
        assert (cost.questions, cost.characters) == (20, base.characters)
        phases: set[str] = set()
        found = await app.measuring.tune(
            base, questions, how, on_progress=lambda phase, *_: phases.add(phase)
        )
        assert phases == {"documents", "searches"}
        assert len(found.means) == cost.settings
        assert {one.chunk_tokens for one in found.means} == {256, 64}
        assert found.gain.n == 20
        assert await app.base("things") == base
        assert list(await app.bases.ids()) == ["things"]
        _lines(questions, rows[:5])
        with pytest.raises(InputError) as caught:
            await app.measuring.tuning_cost(base, questions, how)
        assert caught.value.key == "error.tune_few"

    with_app(tmp_path / "home", work)
