"""Who of a release is one person under several pseudonyms, so that totals count people and not pseudonyms.

The digest that tells (``patient.PersonKey``) leaves the database in no form. What is kept of it is which pseudonyms of
the release belong together, by a running number, in the internal bucket beside the exact figures of the release:
``releases/<version>/people.parquet``. It is there only where somebody is linked.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ingestion.catalogue.frames import parquet_bytes
from ingestion.catalogue.release_manifest import release_key
from ingestion.storage import ObjectMissingError, ObjectStore

LINKED = "people.parquet"
PERSON = "Person"
"""Its column with the number; in a search index, the name of a person over all sources. It is given out with no row."""


def linked_people(patients: Mapping[str, pd.DataFrame]) -> bytes | None:
    """The pseudonyms that share a person with another one, as Parquet: source_id, PatientID, Person (from 1).

    Args:
        patients: the rows of ``patient`` with PatientID and PersonKey, by source.

    Returns:
        None where nobody has two pseudonyms.
    """
    by_person: dict[str, list[tuple[str, str]]] = {}
    for source_id in sorted(patients):
        for patient, key in patients[source_id][["PatientID", "PersonKey"]].itertuples(index=False):
            # without a linkage secret the key is the pseudonym, which tells of nobody outside its source
            if isinstance(key, str) and key != patient:
                by_person.setdefault(key, []).append((source_id, patient))
    groups = sorted(sorted(names) for names in by_person.values() if len(names) > 1)
    rows = [(source_id, patient, number) for number, names in enumerate(groups, 1) for source_id, patient in names]
    if not rows:
        return None
    return parquet_bytes(pd.DataFrame(sorted(rows), columns=["source_id", "PatientID", PERSON]))


def read_linked(internal: ObjectStore, version: str) -> bytes | None:
    """What ``linked_people`` made at the build of a release; None where nobody is linked in it.

    Raises:
        StoreError: the store failed.
    """
    try:
        return internal.read(release_key(version, LINKED))
    except ObjectMissingError:
        return None
