"""How each knowledge base cuts its documents, and the header rows that a chunk carries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ADD COLUMN, which neither database copies a table for.
    op.add_column(
        "knowledge_bases",
        sa.Column("settings", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column(
        "chunks", sa.Column("header", sa.Text(), server_default=sa.text("''"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("chunks", "header")
    op.drop_column("knowledge_bases", "settings")
