"""The de-identification tools that our own is measured beside, each with its Basic Profile or the nearest it has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ingestion.benchmarks.measure import BenchmarkError, Case

PYPI = ("dicognito", "dicom-anonymizer", "deid")
"""What ``make bench`` installs into an environment of its own."""
DEBIAN = {"gdcmanon": "libgdcm-tools", "dcmodify": "dcmtk"}
"""Tools, and the packages that bring them."""
_DEID = """
import sys
from pathlib import Path
from deid.config import DeidRecipe
from deid.dicom import get_files, replace_identifiers
source, target = sys.argv[1:]
files = [str(path) for path in sorted(Path(source).iterdir())]
replace_identifiers(dicom_files=files, deid=DeidRecipe(), save=True, output_folder=target, remove_private=True)
"""
_DICOGNITO = "import sys; from dicognito.__main__ import main; main(sys.argv[1:])"
"""Its command is called without arguments by the script that pip makes."""
_DCMODIFY = (
    "PatientName=ANON", "PatientID=ANON", "PatientBirthDate=", "ReferringPhysicianName=", "AccessionNumber=",
    "StudyDate=", "StudyTime=", "StudyID=",
)  # fmt: skip
_DCMODIFY_ERASED = (
    "InstitutionName", "InstitutionAddress", "StationName", "PhysiciansOfRecord", "PerformingPhysicianName",
    "OperatorsName", "(0010,1000)", "PatientComments", "Occupation", "RequestingPhysician",
)  # fmt: skip


def peers(environment: Path, scratch: Path, source: Path) -> tuple[list[Case], list[str]]:
    """Those that are installed, ready to run; and the names of those that are not."""
    cases: list[Case] = []
    missing: list[str] = []
    if shutil.which("gdcmanon") and shutil.which("openssl"):
        certificate = _certificate(scratch)
        arguments = ("-e", "-r", "-c", str(certificate), "-i", "IN", "-o", "OUT")
        cases.append(Case("gdcmanon", ("gdcmanon", *arguments)))
    else:
        missing.append(f"gdcmanon (Debian: {DEBIAN['gdcmanon']}, openssl)")
    if shutil.which("dcmodify"):
        changes = [word for change in _DCMODIFY for word in ("-ma", change)]
        changes += [word for keyword in _DCMODIFY_ERASED for word in ("-ea", keyword)]
        # Its UID options make new UIDs per file, so that references break; they are part of the cost all the same.
        command = ["dcmodify", "-nb", "-q", "-imt", "-gst", "-gse", "-gin", "-ep", *changes]
        names = [str(scratch / "out" / path.name) for path in sorted(source.iterdir())]
        cases.append(Case("dcmodify (18 attributes)", (*command, *names), in_place=True))
    else:
        missing.append(f"dcmodify (Debian: {DEBIAN['dcmodify']})")
    binaries = environment / "bin"
    commands: dict[str, tuple[str, tuple[str, ...]]] = {
        "dicognito": ("python", ("-c", _DICOGNITO, "-q", "-o", "OUT", "IN")),
        "dicom-anonymizer": ("dicom-anonymizer", ("IN", "OUT")),
        "deid": ("python", ("-c", _DEID, "IN", "OUT")),
    }
    for name, (program, words) in commands.items():
        if (binaries / name).exists():
            cases.append(Case(name, (str(binaries / program), *words)))
        else:
            missing.append(f"{name} (PyPI; make bench)")
    return cases, missing


def versions(environment: Path) -> dict[str, str]:
    """The versions of the peers that are installed."""
    found = {}
    for program in DEBIAN:
        if shutil.which(program):
            said = subprocess.run([program, "--version"], capture_output=True, check=False, text=True).stdout
            found[program] = next((word for word in said.split() if word[0].isdigit() or word.startswith("v3")), "?")
    pip = environment / "bin" / "pip"
    if pip.exists():
        said = subprocess.run([str(pip), "list", "--format=freeze"], capture_output=True, check=False, text=True).stdout
        listed = dict(line.split("==", 1) for line in said.splitlines() if "==" in line)
        found |= {name: listed[name] for name in PYPI if name in listed}
    return found


def _certificate(scratch: Path) -> Path:
    """gdcmanon puts the encrypted original values into the result; that needs a certificate."""
    key, certificate = scratch / "bench.key", scratch / "bench.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bench", "-days", "2"]
    done = subprocess.run(
        [*command, "-keyout", str(key), "-out", str(certificate)], capture_output=True, check=False, text=True
    )
    if done.returncode != 0:
        raise BenchmarkError("openssl could not make a certificate for gdcmanon")
    return certificate
