"""The peer ``idc-index``: run by the interpreter of its own environment, so it imports nothing of this project."""

import json
import resource
import time

started, busy = time.perf_counter(), time.process_time()
from idc_index import index  # noqa: E402 - opening is what is measured

client = index.IDCClient()
opened = time.perf_counter() - started
walls, cpus = [], []
for modality in ("CT", "MR", "PT", "MG", "SEG"):
    begun, used = time.perf_counter(), time.process_time()
    client.sql_query(
        "SELECT BodyPartExamined, count(DISTINCT PatientID), count(DISTINCT StudyInstanceUID), count(*) "
        f"FROM index WHERE Modality = '{modality}' GROUP BY 1"
    )
    walls.append(time.perf_counter() - begun)
    cpus.append(time.process_time() - used)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # gigabytes: what its parent had does not matter
note = f"one field, not ten; opens in {opened:.1f} s"
print(json.dumps({"wall": walls, "cpu": cpus, "peak_mb": peak, "note": note}))  # noqa: T201
