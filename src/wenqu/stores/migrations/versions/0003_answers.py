"""Answers with how they came about, and gates that were fitted to a knowledge base."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("kb_id", sa.Integer(), nullable=True),
        sa.Column("kb_name", sa.String(64), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column(
            "record",
            sa.JSON(),
            nullable=False,
            comment="how it was asked, all that came, each stage",
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_answers")),
        sa.UniqueConstraint("id", name=op.f("uq_answers_id")),
        sa.ForeignKeyConstraint(
            ["kb_id"],
            ["knowledge_bases.id"],
            name=op.f("fk_answers_kb_id"),
            ondelete="SET NULL",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_answers_kb_id_number"), "answers", ["kb_id", "number"])
    op.create_table(
        "gate_models",
        sa.Column("kb_id", sa.Integer(), nullable=False),
        sa.Column(
            "embedder",
            sa.String(128),
            nullable=False,
            comment="fingerprint; it holds for no other",
        ),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["kb_id"],
            ["knowledge_bases.id"],
            name=op.f("fk_gate_models_kb_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("kb_id", name=op.f("pk_gate_models")),
    )


def downgrade() -> None:
    op.drop_table("gate_models")
    op.drop_index(op.f("ix_answers_kb_id_number"), "answers")
    op.drop_table("answers")
