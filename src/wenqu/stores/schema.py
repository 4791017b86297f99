"""Tables of the database. ``migrations`` builds them; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    func,
    text,
)

__all__ = [
    "answers",
    "changes",
    "chunks",
    "conversations",
    "documents",
    "embeddings",
    "gate_models",
    "knowledge_bases",
    "metadata",
    "tags",
    "turns",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

knowledge_bases = Table(
    "knowledge_bases",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("settings", JSON, nullable=False, server_default=text("'{}'")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # An index folder is named by this id: a deleted one must never come back as another's.
    sqlite_autoincrement=True,
)

documents = Table(
    "documents",
    metadata,
    Column("kb_id", ForeignKey("knowledge_bases.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String(16), primary_key=True),
    Column("source", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("language", String(2), nullable=False),
    Column("text", Text, nullable=False),
    Column("blocks", JSON, nullable=False),
    Column("meta", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("recipe", Text, nullable=False),
    Column("characters", Integer, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # What is counted: in the table it lies behind the whole text.
    Index(None, "kb_id", "chunk_count", "characters"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("kb_id", Integer, primary_key=True),
    Column("id", String(16), primary_key=True),
    Column("document_id", String(16), nullable=False),
    Column("position", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("heading", JSON, nullable=False),
    Column("pages", JSON, nullable=False),
    Column("embedding_key", String(64), nullable=False),
    Column("header", Text, nullable=False, server_default=text("''")),
    ForeignKeyConstraint(
        ["kb_id", "document_id"], ["documents.kb_id", "documents.id"], ondelete="CASCADE"
    ),
    Index(None, "kb_id", "document_id", "position"),
    Index(None, "embedding_key"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("model", String(128), primary_key=True),
    Column("vector", LargeBinary, nullable=False, comment="float16, little endian"),
)

changes = Table(
    "changes",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("kb_id", ForeignKey("knowledge_bases.id", ondelete="CASCADE"), nullable=False),
    Column("document_id", String(16), nullable=False),
    Column("version", Integer, nullable=False, comment="0 where the document was removed"),
    Index(None, "kb_id", "number"),
    # A document's next version is looked up at each put.
    Index(None, "kb_id", "document_id"),
    # Numbers must only grow, also when the newest rows are gone.
    sqlite_autoincrement=True,
)

tags = Table(
    "tags",
    metadata,
    Column("kb_id", ForeignKey("knowledge_bases.id", ondelete="CASCADE"), primary_key=True),
    # No foreign key: a document that is read again is another row, and keeps its tags.
    Column("document_id", String(16), primary_key=True),
    Column("tag", String(64), primary_key=True),
)

answers = Table(
    "answers",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(26), nullable=False, unique=True),
    Column("kb_id", ForeignKey("knowledge_bases.id", ondelete="SET NULL"), nullable=True),
    Column("kb_name", String(64), nullable=False),
    Column("question", Text, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("record", JSON, nullable=False, comment="how it was asked, all that came, each stage"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index(None, "kb_id", "number"),
    sqlite_autoincrement=True,
)

gate_models = Table(
    "gate_models",
    metadata,
    Column("kb_id", ForeignKey("knowledge_bases.id", ondelete="CASCADE"), primary_key=True),
    Column("embedder", String(128), nullable=False, comment="fingerprint; it holds for no other"),
    Column("data", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("owner", String(128), nullable=False, server_default=text("''")),
    Column("kb_name", String(64), nullable=True, comment="null in a plain chat"),
    Column("title", Text, nullable=False, server_default=text("''")),
    Column("head", String(26), nullable=True, comment="the turn that the next one follows"),
    Column("summary", JSON, nullable=True, comment="text, and the last turn that it covers"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True), nullable=False),
    Index(None, "owner", "used_at"),
)

turns = Table(
    "turns",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(26), nullable=False, unique=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", String(26), nullable=True, comment="null in the first turn"),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("outcome", String(32), nullable=False, comment="chat where no documents were asked"),
    Column("answer_id", String(26), nullable=True, comment="its record, where one is kept"),
    Column("detail", JSON, nullable=False, comment="citations, model, usage"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index(None, "conversation_id", "number"),
    sqlite_autoincrement=True,
)
