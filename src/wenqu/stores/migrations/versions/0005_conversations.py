"""Conversations and their turns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("owner", sa.String(128), server_default=sa.text("''"), nullable=False),
        sa.Column("kb_name", sa.String(64), nullable=True, comment="null in a plain chat"),
        sa.Column("title", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "head", sa.String(26), nullable=True, comment="the turn that the next one follows"
        ),
        sa.Column(
            "summary",
            sa.JSON(),
            nullable=True,
            comment="text, and the last turn that it covers",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index(op.f("ix_conversations_owner_used_at"), "conversations", ["owner", "used_at"])
    op.create_table(
        "turns",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("conversation_id", sa.String(26), nullable=False),
        sa.Column("parent_id", sa.String(26), nullable=True, comment="null in the first turn"),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column(
            "outcome",
            sa.String(32),
            nullable=False,
            comment="chat where no documents were asked",
        ),
        sa.Column(
            "answer_id",
            sa.String(26),
            nullable=True,
            comment="its record, where one is kept",
        ),
        sa.Column("detail", sa.JSON(), nullable=False, comment="citations, model, usage"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_turns")),
        sa.UniqueConstraint("id", name=op.f("uq_turns_id")),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_turns_conversation_id"),
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_turns_conversation_id_number"), "turns", ["conversation_id", "number"])


def downgrade() -> None:
    op.drop_index(op.f("ix_turns_conversation_id_number"), "turns")
    op.drop_table("turns")
    op.drop_index(op.f("ix_conversations_owner_used_at"), "conversations")
    op.drop_table("conversations")
