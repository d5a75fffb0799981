"""The cost of the imaging checks can be measured; nothing here depends on how fast the machine is."""

from __future__ import annotations

from quality_checks.benchmark import as_markdown, measure_imaging


def test_cost_is_measured_and_told() -> None:
    cost = measure_imaging(slices=3, instances=30)
    assert (cost.slices, cost.instances) == (3, 30)
    assert cost.cpu_seconds > 0 and cost.memory_at_end_mb > 0
    assert cost.checks_seconds + cost.decoding_seconds == cost.cpu_seconds
    assert "CT of 3 slices" in as_markdown(cost)
