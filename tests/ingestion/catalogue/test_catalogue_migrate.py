from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, inspect, text

from ingestion.accounting import tables as ledger
from ingestion.catalogue import tables as catalogue
from ingestion.catalogue.migrate import VERSION_TABLE, differences, upgrade

pytestmark = pytest.mark.stack


def test_revisions_make_exactly_the_tables_in_code(postgres_url: str) -> None:
    upgrade(postgres_url)
    with create_engine(postgres_url).connect() as connection:
        assert differences(connection) == []
        found = set(inspect(connection).get_table_names(schema=ledger.SCHEMA))
    names = {table.name for metadata in (ledger.metadata, catalogue.metadata) for table in metadata.tables.values()}
    assert found == names | {VERSION_TABLE}


def test_a_missing_column_is_seen(postgres_url: str) -> None:
    upgrade(postgres_url)
    with create_engine(postgres_url).begin() as connection:
        connection.execute(text('ALTER TABLE cie.series DROP COLUMN "KVP"'))
        assert len(differences(connection)) == 1


def test_upgrade_twice_changes_nothing_and_leaves_other_schemas_alone(postgres_url: str) -> None:
    with create_engine(postgres_url).begin() as connection:
        connection.execute(text("CREATE TABLE public.alembic_version (version_num text)"))
        connection.execute(text("INSERT INTO public.alembic_version VALUES ('of another product')"))
    upgrade(postgres_url)
    upgrade(postgres_url)
    with create_engine(postgres_url).begin() as connection:
        assert connection.execute(text("SELECT version_num FROM public.alembic_version")).scalars().all() == [
            "of another product"
        ]
        assert len(connection.execute(text(f"SELECT 1 FROM cie.{VERSION_TABLE}")).all()) == 1


def test_several_at_once_all_succeed(postgres_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(upgrade, postgres_url) for _ in range(4)]:
            done.result()
    with create_engine(postgres_url).connect() as connection:
        assert differences(connection) == []
