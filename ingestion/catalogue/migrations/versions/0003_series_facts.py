"""facts of a series' raw headers, as digests and yes or no."""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('series_state', sa.Column('facts', sa.Text(), nullable=True), schema='cie')


def downgrade() -> None:
    op.drop_column('series_state', 'facts', schema='cie')
