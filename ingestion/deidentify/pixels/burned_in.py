"""Burned-in text of one object: found, blanked, looked at again; or refused, with the boxes for a person to decide.

What goes on without a person: scanner images without strokes of lettering; and screens of which everything outside
the regions that their header describes (or the patient's line of a known screen) was blanked, and in whose rest a
detector finds nothing. A policy can let more go on: blank the boxes that the detector finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.pixels.assess import ULTRASOUND, Assessment, Hint
from ingestion.deidentify.pixels.blank import BLANKABLE, blank
from ingestion.deidentify.pixels.boxes import mask_of, outside
from ingestion.deidentify.pixels.decision import PixelDecision, box_to_text, sorted_boxes
from ingestion.deidentify.pixels.detector import TextBox, TextDetector
from ingestion.deidentify.pixels.evidence import Finding, Look, Method, PixelEvidence
from ingestion.deidentify.pixels.layouts import layout_boxes
from ingestion.deidentify.pixels.looking import Seen, look, merged
from ingestion.deidentify.pixels.policy import OnText, PixelPolicy
from ingestion.deidentify.pixels.regions import ultrasound_regions
from ingestion.deidentify.pixels.screening import Screened, screen_parts

FURTHER_LOOKS = 4
"""Blanking a line brings out a fainter one beside it; an object that is not silent after so many looks is refused."""
LARGEST_LINE = 0.2
"""Part of the picture that one line covers at most; in pictures of 100 pixels the network takes all of them for one."""
MAX_TOLD = 6
"""Boxes told in the detail of a refusal, the surest first."""


def clean_burned_in(
    dataset: Dataset,
    assessment: Assessment,
    *,
    policy: PixelPolicy,
    detector: TextDetector | None,
    decision: PixelDecision | None = None,
    screened: Screened | None = None,
) -> PixelEvidence:
    """Blank in place what must be blanked. ``decision``: a person's, which goes before everything that is found.
    ``screened``: what the screen saw of these pixels, where it looked already.

    Raises:
        InstanceRefusedError: BURNED_IN_ANNOTATION where it stays uncertain; the detail holds boxes, never text.
    """
    if assessment.look is Look.NONE:
        return PixelEvidence(Look.NONE)
    if decision is not None:
        return _decided(dataset, assessment, policy, decision)
    if assessment.look is Look.SCREEN:
        return _screened(dataset, policy, detector, screened)
    return _looked_at(dataset, assessment, policy, detector)


def rule_findings(dataset: Dataset, policy: PixelPolicy) -> tuple[Finding, ...]:
    """What rules alone blank: all outside the ultrasound regions, else the boxes of a known screen."""
    regions = ultrasound_regions(dataset)
    if regions:
        boxes = outside(regions, rows=int(dataset.Rows), columns=int(dataset.Columns))
        return tuple(Finding(box, Method.REGION) for box in boxes)
    if policy.known_layouts:
        return tuple(Finding(box, Method.LAYOUT) for box in layout_boxes(dataset))
    return ()


def propose(dataset: Dataset, *, policy: PixelPolicy, detector: TextDetector) -> tuple[Finding, ...]:
    """For the person who decides: what the rules would blank, and all that the detector finds beside it."""
    rules = rule_findings(dataset, policy)
    return rules + look(dataset, detector, blanked=_mask(dataset, rules)).findings


def _decided(dataset: Dataset, assessment: Assessment, policy: PixelPolicy, decision: PixelDecision) -> PixelEvidence:
    if decision.clean:
        return PixelEvidence(Look.FULL)
    findings = rule_findings(dataset, policy) if Hint.SCREEN_KIND in assessment.hints else ()
    findings += tuple(Finding(box, Method.PERSON) for box in sorted_boxes(decision.boxes))
    return PixelEvidence(Look.FULL, _blank(dataset, findings))


def screened_evidence(seen: Screened) -> PixelEvidence:
    """Of a scanner's image without strokes of one value.

    Raises:
        InstanceRefusedError: BURNED_IN_ANNOTATION where screen and detector both found lettering: it may stand over
            anatomy, so that no rule blanks it, and where one line was found another may have been missed.
    """
    if seen.findings:
        raise _refused("pixels.text_found", f"text is likely at {_told(seen.findings)}")
    return PixelEvidence(Look.SCREEN, screen=seen.version)


def _screened(
    dataset: Dataset, policy: PixelPolicy, detector: TextDetector | None, seen: Screened | None
) -> PixelEvidence:
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated and not policy.screen_compressed:
        return PixelEvidence(Look.SCREEN)
    needed = detector or _NoDetector()
    seen = seen or screen_parts((dataset,), detector=needed)
    if not seen.strokes:
        return screened_evidence(seen)
    looked = look(dataset, _needed(detector))
    if not looked.findings:
        evidence = _evidence(Look.SCREEN, (), detector, looked.frames)
    else:
        evidence = _text_found(dataset, (), looked, needed, policy.unmapped_screens, look_=Look.SCREEN)
        seen = screen_parts((dataset,), detector=needed)
    return replace(evidence, screen=screened_evidence(seen).screen)


def _looked_at(
    dataset: Dataset, assessment: Assessment, policy: PixelPolicy, detector: TextDetector | None
) -> PixelEvidence:
    needed = _needed(detector)
    if dataset.file_meta.TransferSyntaxUID not in BLANKABLE and assessment.expects_text:
        raise _refused("pixels.encoding", "likely to show text, in an encoding that cannot be blanked exactly")
    rules = rule_findings(dataset, policy) if Hint.SCREEN_KIND in assessment.hints else ()
    seen = look(dataset, needed, blanked=_mask(dataset, rules))
    in_picture = bool(rules) or str(dataset.get("SOPClassUID")) in ULTRASOUND
    treatment = policy.inside_regions if in_picture else policy.unmapped_screens
    if seen.findings:
        evidence = _text_found(dataset, rules, seen, needed, treatment, look_=Look.FULL)
        return _also_screened(dataset, assessment, needed, evidence)
    if assessment.expects_text and not rules and (treatment is OnText.QUARANTINE or Hint.DECLARED in assessment.hints):
        raise _refused("pixels.silent", "of a kind that shows text, or declared to; no text was found")
    if assessment.expects_text and seen.strokes and not rules:
        raise _refused("pixels.strokes", "strokes of lettering that the detector did not take for text")
    return _also_screened(
        dataset, assessment, needed, _evidence(Look.FULL, _blank(dataset, rules), needed, seen.frames)
    )


def _also_screened(
    dataset: Dataset, assessment: Assessment, detector: TextDetector, evidence: PixelEvidence
) -> PixelEvidence:
    """What a scanner made is screened too: over a body, which it takes for one large text, the detector sees less."""
    if Hint.SCREEN_KIND in assessment.hints:
        return evidence
    seen = screen_parts((dataset,), detector=detector)
    return replace(evidence, screen=screened_evidence(seen).screen)


def _text_found(
    dataset: Dataset,
    rules: tuple[Finding, ...],
    seen: Seen,
    detector: TextDetector,
    treatment: OnText,
    *,
    look_: Look,
) -> PixelEvidence:
    if treatment is OnText.QUARANTINE:
        rule = "pixels.text_in_region" if rules else "pixels.text_found"
        raise _refused(rule, f"text is likely at {_told(seen.findings)}")
    _refuse_large(dataset, seen.findings)
    blanked = _blank(dataset, rules + _in_all_frames(seen.findings))
    for _ in range(FURTHER_LOOKS):
        again = look(dataset, detector)
        if not again.findings:
            return _evidence(look_, blanked, detector, seen.frames)
        _refuse_large(dataset, again.findings)
        blanked += _blank(dataset, _in_all_frames(again.findings))
    raise _refused("pixels.further_look", f"text is likely still at {_told(again.findings)}")


def _refuse_large(dataset: Dataset, findings: tuple[Finding, ...]) -> None:
    """A box that is a large part of the picture is no line of text: blanking it would blank what the picture shows."""
    most = int(dataset.Rows) * int(dataset.Columns) * LARGEST_LINE
    if any(finding.box.width * finding.box.height > most for finding in findings):
        raise _refused("pixels.large_box", "the detector takes a large part of the picture for text")


def _in_all_frames(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """A detector did not look at every frame of a cine: what stands in one frame is blanked in all."""
    return merged(replace(finding, box=replace(finding.box, frame=None)) for finding in findings)


def _blank(dataset: Dataset, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    if not findings:
        return ()
    done = blank(dataset, [finding.box for finding in findings])
    done.put(dataset)
    return tuple(replace(finding, box=box) for finding, box in zip(findings, done.boxes, strict=True))


def _mask(dataset: Dataset, findings: tuple[Finding, ...]) -> NDArray[np.bool_] | None:
    boxes = [finding.box for finding in findings]
    return mask_of(boxes, rows=int(dataset.Rows), columns=int(dataset.Columns)) if boxes else None


class _NoDetector:
    """In the place of a detector that is not installed: refuses what it should look at."""

    name = version = "none"

    def find(self, grey: NDArray[np.uint8], *, enlarge: bool = True) -> tuple[TextBox, ...]:
        raise _refused("pixels.no_detector", "must be looked at for text, and no text detector is installed")


def _needed(detector: TextDetector | None) -> TextDetector:
    if detector is None:
        raise _refused("pixels.no_detector", "must be looked at for text, and no text detector is installed")
    return detector


def _evidence(look_: Look, blanked: tuple[Finding, ...], detector: TextDetector | None, frames: int) -> PixelEvidence:
    return PixelEvidence(
        look_, blanked, detector.name if detector else None, detector.version if detector else None, frames
    )


def _told(findings: tuple[Finding, ...]) -> str:
    surest = sorted(findings, key=lambda finding: (-finding.confidence, finding.box.top, finding.box.left))
    told = "; ".join(box_to_text(finding.box) for finding in surest[:MAX_TOLD])
    return told + (f" and {len(findings) - MAX_TOLD} more places" if len(findings) > MAX_TOLD else "")


def _refused(rule: str, detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.BURNED_IN_ANNOTATION, rule=rule, detail=detail)
