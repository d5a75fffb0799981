"""decisions about pixels; faces and burned-in text of a series."""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('decision', sa.Column('pixels', sa.Text(), nullable=True), schema='cie')
    op.add_column('series', sa.Column('BurnedInAnnotation', sa.Text(), nullable=True, comment=BURNED_IN), schema='cie')
    op.add_column(
        'series', sa.Column('RecognizableVisualFeatures', sa.Text(), nullable=True, comment=FACES), schema='cie'
    )


def downgrade() -> None:
    op.drop_column('series', 'RecognizableVisualFeatures', schema='cie')
    op.drop_column('series', 'BurnedInAnnotation', schema='cie')
    op.drop_column('decision', 'pixels', schema='cie')


BURNED_IN = "Burned In Annotation (0028,0301): NO where text was looked for and blanked"
FACES = "Recognizable Visual Features (0028,0302): YES where a face can be recognised, NO where it was removed"
