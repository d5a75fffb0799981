"""Distributions of features by manufacturer, as pictures for the Dagster UI."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import pandas as pd
from dagster import MarkdownMetadataValue, MetadataValue

SHOWN = (
    "Mean_Q4LE", "StandardDeviation", "NoiseLevelHU", "BlurEffect", "BodyVolumeMl", "CoverageMm", "SliceSpacing",
    "VolumeVoxelCounting_YEKZ", "Median_Y12H", "Sphericity_QCFX",
)  # fmt: skip
"""Features with a picture of their own; the table beside it holds all. The event log keeps every picture for ever."""
MOST = 12
"""Pictures of one run."""
OTHERS = "not named"


def distribution_plots(long: pd.DataFrame, *, shown: Sequence[str] = SHOWN) -> MarkdownMetadataValue:
    """Box plots of the values of ``shown`` features (long table), one box for each manufacturer."""
    given = long[long["Value"].notna()]
    parts = []
    for feature in shown:
        for (level, modality, unit), part in given[given["Feature"] == feature].groupby(
            ["Level", "Modality", "Unit"], dropna=False, sort=True, observed=True
        ):
            title = f"{feature}, {level}, {modality if isinstance(modality, str) else ''} ({unit})"
            parts.append((len(part), title, part))
    parts.sort(key=lambda item: (-item[0], item[1]))
    pictures = [f"![{title}](data:image/png;base64,{_picture(title, part)})" for _, title, part in parts[:MOST]]
    return MetadataValue.md("\n\n".join(pictures) or "no values")


def _picture(title: str, part: pd.DataFrame) -> str:
    from matplotlib.figure import Figure

    groups = {str(name): group["Value"].astype(float).tolist() for name, group in _by_maker(part)}
    figure = Figure(figsize=(5, 0.7 + 0.3 * len(groups)), dpi=72, layout="constrained")
    axes = figure.subplots()
    axes.boxplot(list(groups.values()), vert=False, widths=0.6, flierprops={"markersize": 3})
    axes.set_yticks(range(1, len(groups) + 1), [f"{name[:24]} ({len(values)})" for name, values in groups.items()])
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=8)
    body = io.BytesIO()
    figure.savefig(body, format="png", metadata={"Software": None})
    return base64.b64encode(body.getvalue()).decode()


def _by_maker(part: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [
        (str(name), group)
        for name, group in part.groupby(part["Manufacturer"].astype("object").fillna(OTHERS), sort=True)
    ]
