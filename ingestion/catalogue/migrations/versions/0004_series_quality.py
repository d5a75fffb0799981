"""how each series stands by its quality checks, and why a release leaves it out."""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, comment in COLUMNS.items():
        op.add_column('series', sa.Column(name, sa.Text(), nullable=True, comment=comment), schema='cie')


def downgrade() -> None:
    for name in reversed(COLUMNS):
        op.drop_column('series', name, schema='cie')


COLUMNS = {
    'QualityStatus': "passed, warning, or error: left out of releases; empty: published without quality results",
    'QualityFlags': "Quality rules that the series, its study or its patient fails, comma-joined",
    'LeftOutBecause': "Quality rules that leave it out of releases, comma-joined",
}
