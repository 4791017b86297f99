"""Names the commands. Each one's work is in the module of its name, imported when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from wenqu.choices import MAX_CHUNK_OVERLAP, MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS, ChunkStrategy
from wenqu.cli import answers, ask, chat, conversation, llm, load
from wenqu.cli.engine import tune_models
from wenqu.cli.evaluate import eval_app
from wenqu.cli.gate import gate_app
from wenqu.cli.helping import show_help_whole
from wenqu.cli.models import app as models_app
from wenqu.cli.search import search
from wenqu.cli.session import (
    Exit,
    HomeOption,
    JsonOption,
    KbOption,
    Session,
    system_text,
)
from wenqu.cli.tune import tune

__all__ = ["app", "run"]

app = typer.Typer(
    name="wenqu",
    help=system_text("cli.help"),
    epilog=system_text("cli.exit_codes"),
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
kb_app = typer.Typer(help=system_text("cli.kb.help"), no_args_is_help=True)
doc_app = typer.Typer(help=system_text("cli.doc.help"), no_args_is_help=True)
app.add_typer(kb_app, name="kb")
app.add_typer(eval_app, name="eval")
app.add_typer(gate_app, name="gate")
app.add_typer(doc_app, name="doc")
app.add_typer(models_app, name="models")
app.command(help=system_text("cli.search.help"))(search)
app.command(help=system_text("cli.ask.help"))(ask.ask)
app.command(help=system_text("cli.log.help"))(answers.log)
app.command(help=system_text("cli.trace.help"))(answers.trace)
app.command(help=system_text("cli.replay.help"))(answers.replay)
app.command(help=system_text("cli.tune.help"))(tune)
models_app.command("tune", help=system_text("cli.models.tune.help"))(tune_models)
app.add_typer(conversation.app, name="conversation")
app.add_typer(llm.app, name="llm")
app.command(help=system_text("cli.chat.help"))(chat.chat)
app.command(help=system_text("cli.load.help"))(load.load)

NameArgument = Annotated[str, typer.Argument(help=system_text("cli.argument.kb_name"))]
OptionalNameArgument = Annotated[
    str | None, typer.Argument(help=system_text("cli.option.kb"), show_default=False)
]
StrategyOption = Annotated[
    ChunkStrategy | None,
    typer.Option("--chunk-strategy", help=system_text("cli.kb.chunk_strategy"), show_default=False),
]
TokensOption = Annotated[
    int | None,
    typer.Option(
        "--chunk-tokens",
        min=MIN_CHUNK_TOKENS,
        max=MAX_CHUNK_TOKENS,
        help=system_text("cli.kb.chunk_tokens"),
        show_default=False,
    ),
]
OverlapOption = Annotated[
    int | None,
    typer.Option(
        "--chunk-overlap",
        min=0,
        max=MAX_CHUNK_OVERLAP,
        help=system_text("cli.kb.chunk_overlap"),
        show_default=False,
    ),
]
PromptOption = Annotated[
    str | None, typer.Option("--prompt", help=system_text("cli.kb.prompt.help"), show_default=False)
]
PromptFileOption = Annotated[
    Path | None,
    typer.Option("--prompt-file", help=system_text("cli.kb.prompt_file"), show_default=False),
]
DocumentArgument = Annotated[str, typer.Argument(help=system_text("cli.argument.document"))]


def run() -> None:
    """Run the command line; the program's entry point."""
    # A terminal or a pipe of another encoding must not turn an answer into an error.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    show_help_whole()
    app()


def _show_version(asked: bool) -> None:  # noqa: FBT001  # typer calls it with the flag
    if asked:
        from wenqu import __version__

        typer.echo(f"wenqu {__version__}")
        raise typer.Exit(Exit.DONE)


@app.callback()
def main(
    context: typer.Context,
    home: HomeOption = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help=system_text("cli.option.version"),
            is_eager=True,
            callback=_show_version,
        ),
    ] = False,
) -> None:
    """Options before the command count for every command."""
    del version  # its callback has done the work
    context.obj = home


@app.command(help=system_text("cli.add.help"))
def add(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    targets: Annotated[list[str], typer.Argument(help=system_text("cli.add.targets"))],
    kb: Annotated[
        str | None, typer.Option("--kb", "-k", help=system_text("cli.add.kb"), show_default=False)
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help=system_text("cli.add.ignore"))
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help=system_text("cli.add.prune"))] = False,
    password: Annotated[
        list[str] | None, typer.Option("--password", help=system_text("cli.add.password"))
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", min=0, max=10, help=system_text("cli.add.depth"))
    ] = 0,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help=system_text("cli.add.allow_private"))
    ] = False,
    tag: Annotated[list[str] | None, typer.Option("--tag", help=system_text("cli.add.tag"))] = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Add files, folders, pages and repositories."""
    from wenqu.app import DEFAULT_BASE, AddOptions
    from wenqu.cli.add import add_files

    add_files(
        Session.begin(context, home),
        kb or DEFAULT_BASE,
        targets,
        AddOptions(
            ignore=ignore or [],
            prune=prune,
            passwords=password or [],
            depth=depth,
            allow_private=allow_private,
            tags=tag or [],
        ),
        as_json=json_output,
    )


@app.command(help=system_text("cli.serve.help"))
def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option("--host", help=system_text("cli.serve.host"))] = None,
    port: Annotated[
        int | None, typer.Option("--port", help=system_text("cli.serve.port"), min=0, max=65535)
    ] = None,
    kb: Annotated[str | None, typer.Option("--kb", "-k", help=system_text("cli.serve.kb"))] = None,
    home: HomeOption = None,
) -> None:
    """Start the server and its web page."""
    from wenqu.cli.serve import serve_forever

    serve_forever(Session.begin(context, home), host=host, port=port, kb=kb)


@app.command(help=system_text("cli.doctor.help"))
def doctor(
    context: typer.Context, json_output: JsonOption = False, home: HomeOption = None
) -> None:
    """Say what is installed and what would go wrong."""
    from wenqu.cli.doctor import examine

    examine(Session.begin(context, home), as_json=json_output)


@kb_app.command("list", help=system_text("cli.kb.list.help"))
def kb_list(
    context: typer.Context, json_output: JsonOption = False, home: HomeOption = None
) -> None:
    """List knowledge bases."""
    from wenqu.cli.kb import list_bases

    list_bases(Session.begin(context, home), as_json=json_output)


@kb_app.command("create", help=system_text("cli.kb.create.help"))
def kb_create(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    name: NameArgument,
    chunk_strategy: StrategyOption = None,
    chunk_tokens: TokensOption = None,
    chunk_overlap: OverlapOption = None,
    prompt: PromptOption = None,
    prompt_file: PromptFileOption = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Create a knowledge base."""
    from wenqu.cli.kb import create_base, said_prompt
    from wenqu.types import KnowledgeBaseSettings

    session = Session.begin(context, home)
    settings = KnowledgeBaseSettings(
        chunk_strategy=chunk_strategy,
        chunk_tokens=chunk_tokens,
        chunk_overlap=chunk_overlap,
        prompt=said_prompt(session, prompt, prompt_file),
    )
    create_base(session, name, settings, as_json=json_output)


@kb_app.command("set", help=system_text("cli.kb.set.help"))
def kb_set(  # noqa: PLR0913, PLR0917  # one parameter an option
    context: typer.Context,
    name: NameArgument,
    chunk_strategy: StrategyOption = None,
    chunk_tokens: TokensOption = None,
    chunk_overlap: OverlapOption = None,
    prompt: PromptOption = None,
    prompt_file: PromptFileOption = None,
    no_prompt: Annotated[
        bool, typer.Option("--no-prompt", help=system_text("cli.kb.set.no_prompt"))
    ] = False,
    general: Annotated[
        bool, typer.Option("--general", help=system_text("cli.kb.set.general"))
    ] = False,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Change how a knowledge base cuts documents, and what the chat model is told about it."""
    from wenqu.cli.kb import Forgotten, configure_base, said_prompt
    from wenqu.types import KnowledgeBaseSettings

    session = Session.begin(context, home)
    settings = KnowledgeBaseSettings(
        chunk_strategy=chunk_strategy,
        chunk_tokens=chunk_tokens,
        chunk_overlap=chunk_overlap,
        prompt=said_prompt(session, prompt, prompt_file),
    )
    forgotten = Forgotten(everything=general, prompt=no_prompt)
    configure_base(session, name, settings, forgotten, as_json=json_output)


@kb_app.command("delete", help=system_text("cli.kb.delete.help"))
def kb_delete(
    context: typer.Context,
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=system_text("cli.option.yes"))] = False,
    home: HomeOption = None,
) -> None:
    """Delete a knowledge base."""
    from wenqu.cli.kb import delete_base

    delete_base(Session.begin(context, home), name, yes=yes)


@kb_app.command("stats", help=system_text("cli.kb.stats.help"))
def kb_stats(
    context: typer.Context,
    name: OptionalNameArgument = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Count what a knowledge base holds."""
    from wenqu.cli.kb import show_stats

    show_stats(Session.begin(context, home), name, as_json=json_output)


@doc_app.command("list", help=system_text("cli.doc.list.help"))
def doc_list(
    context: typer.Context,
    kb: KbOption = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """List documents."""
    from wenqu.cli.doc import list_documents

    list_documents(Session.begin(context, home), kb, as_json=json_output)


@doc_app.command("show", help=system_text("cli.doc.show.help"))
def doc_show(
    context: typer.Context,
    document: DocumentArgument,
    kb: KbOption = None,
    chunks: Annotated[
        bool, typer.Option("--chunks", help=system_text("cli.doc.show.chunks"))
    ] = False,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show a document's text or chunks."""
    from wenqu.cli.doc import show_document

    show_document(Session.begin(context, home), kb, document, chunks=chunks, as_json=json_output)


@doc_app.command("tag", help=system_text("cli.doc.tag.help"))
def doc_tag(
    context: typer.Context,
    documents: Annotated[list[str], typer.Argument(help=system_text("cli.argument.document"))],
    kb: KbOption = None,
    add: Annotated[
        list[str] | None, typer.Option("--add", help=system_text("cli.doc.tag.add"))
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", help=system_text("cli.doc.tag.remove"))
    ] = None,
    json_output: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Give tags to documents, or take them away."""
    from wenqu.cli.doc import tag_documents

    session = Session.begin(context, home)
    tag_documents(session, kb, documents, add=add or [], remove=remove or [], as_json=json_output)


@doc_app.command("remove", help=system_text("cli.doc.remove.help"))
def doc_remove(
    context: typer.Context,
    documents: Annotated[list[str], typer.Argument(help=system_text("cli.argument.document"))],
    kb: KbOption = None,
    home: HomeOption = None,
) -> None:
    """Remove documents."""
    from wenqu.cli.doc import remove_documents

    remove_documents(Session.begin(context, home), kb, documents)
