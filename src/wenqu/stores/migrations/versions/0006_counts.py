"""What is counted of documents, in an index: in the table it lies behind their whole text."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEX = "ix_documents_kb_id_chunk_count_characters"


def upgrade() -> None:
    op.create_index(op.f(_INDEX), "documents", ["kb_id", "chunk_count", "characters"])


def downgrade() -> None:
    op.drop_index(op.f(_INDEX), "documents")
