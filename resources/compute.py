"""Resource: where the series of a source are spread to."""

from __future__ import annotations

from contextlib import AbstractContextManager

from dagster import ConfigurableResource

from ingestion.fanout import Fanout, fanout_of
from ingestion.settings import Settings


class ComputeResource(ConfigurableResource):
    """A pool of local processes, or a Dask cluster: ``CIE_COMPUTE``."""

    def fanout(self) -> AbstractContextManager[Fanout]:
        return fanout_of(Settings().compute)
