"""Knowledge bases, documents, chunks, embeddings, and the change log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "knowledge_bases",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name="pk_knowledge_bases"),
        sa.UniqueConstraint("name", name="uq_knowledge_bases_name"),
        sqlite_autoincrement=True,
    )
    _create_documents()
    _create_chunks()
    op.create_table(
        "embeddings",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False, comment="float16, little endian"),
        sa.PrimaryKeyConstraint("key", "model", name="pk_embeddings"),
    )
    op.create_table(
        "changes",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kb_id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.String(16), nullable=False),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=False,
            comment="0 where the document was removed",
        ),
        sa.PrimaryKeyConstraint("number", name="pk_changes"),
        sa.ForeignKeyConstraint(
            ["kb_id"], ["knowledge_bases.id"], name="fk_changes_kb_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_kb_id_number", "changes", ["kb_id", "number"])
    op.create_index("ix_changes_kb_id_document_id", "changes", ["kb_id", "document_id"])


def _create_documents() -> None:
    op.create_table(
        "documents",
        sa.Column("kb_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("blocks", sa.JSON(), nullable=False),
        sa.Column("meta", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("kb_id", "id", name="pk_documents"),
        sa.ForeignKeyConstraint(
            ["kb_id"], ["knowledge_bases.id"], name="fk_documents_kb_id", ondelete="CASCADE"
        ),
    )


def _create_chunks() -> None:
    op.create_table(
        "chunks",
        sa.Column("kb_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("document_id", sa.String(16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("heading", sa.JSON(), nullable=False),
        sa.Column("pages", sa.JSON(), nullable=False),
        sa.Column("embedding_key", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("kb_id", "id", name="pk_chunks"),
        sa.ForeignKeyConstraint(
            ["kb_id", "document_id"],
            ["documents.kb_id", "documents.id"],
            name="fk_chunks_kb_id_document_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "ix_chunks_kb_id_document_id_position", "chunks", ["kb_id", "document_id", "position"]
    )
    op.create_index("ix_chunks_embedding_key", "chunks", ["embedding_key"])


def downgrade() -> None:
    for table in ("changes", "embeddings", "chunks", "documents", "knowledge_bases"):
        op.drop_table(table)
