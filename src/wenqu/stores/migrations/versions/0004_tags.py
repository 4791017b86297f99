"""Tags that users give to documents; they stay when a document is read again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tags",
        sa.Column("kb_id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.String(16), nullable=False),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["kb_id"],
            ["knowledge_bases.id"],
            name=op.f("fk_tags_kb_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("kb_id", "document_id", "tag", name=op.f("pk_tags")),
    )


def downgrade() -> None:
    op.drop_table("tags")
