# make repro   the whole pipeline: corpus, features, training, evaluation, pictures
# make test    style, types, the layers of the code and the test suite
# make check   the same with the fast tests alone, in under a minute, for daily work
# make bench   speed against other implementations
# make compare  every network of the table in docs/results.md; takes hours, resumes when interrupted
# make real    accuracy of the trained model on real speakers, in ../shared/data
# make tutorials   the other tasks of the tutorials: digits, text, one step of an LSTM
# make torture    kill, starve and obstruct the pipeline and predict; outputs stay the same bytes
# make lock    pin the newest versions that pyproject.toml allows

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: repro test check bench compare real tutorials torture lock debian scm

repro: .venv/run scm
	@dvc repro
	@python -m pipeline.compare

# A folder without git, such as an unpacked ZIP, is a project for DVC, too.
LOCALLY := dvc config --quiet --local
scm: .venv/run
	@if [ -e .git ] || git rev-parse --git-dir >/dev/null 2>&1; then \
	  ! grep -qs no_scm .dvc/config.local || $(LOCALLY) --unset core.no_scm; \
	elif ! grep -qs no_scm .dvc/config.local; then \
	  echo "No git here: DVC goes without; experiments want \`git init\` and a first commit"; \
	  $(LOCALLY) core.no_scm true; \
	fi

test: .venv/dev debian style
	python -m pytest --numprocesses 2 --dist worksteal

check: .venv/dev style
	python -m pytest --numprocesses 2 --dist worksteal -m "not slow"

.PHONY: style
style: .venv/dev
	ruff check .
	ruff format --check .
	lint-imports
	mypy

bench: .venv/dev
	python -m benchmarks.recurrent
	python -m benchmarks.predict
	python -m benchmarks.cluster
	python -m benchmarks.characters
	python -m benchmarks.digits

compare: .venv/run
	@python -m studies.compare
	@python -m studies.corpus_size
	@python -m studies.time_to_quality

real: .venv/run
	@python -m studies.real_speech --imitate 12

torture: .venv/run
	@python -m benchmarks.torture

# Trainings on digits side by side, a core each.
tutorials: .venv/run
	@python -m examples.lstm_step_by_step
	@python -m examples.digits
	@python -m examples.characters

# Peers and browsers that tests use where they are; the tests that need one skip without it.
DEBIAN := chromium chromium-driver ffmpeg pocketsphinx-testdata qemu-user speech-tools
debian:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    ! dpkg -s $(DEBIAN) >/dev/null 2>&1; then \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -qq --no-install-recommends $(DEBIAN)) >.venv/debian.log 2>&1 \
	    || echo "Debian packages not installed ($(DEBIAN)): some tests will skip"; \
	fi

.venv/run: requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what requirements.lock pins into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

.venv/dev: .venv/run requirements-dev.lock
	@echo "Installing what requirements-dev.lock pins into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

# a local build's suffix (+cpu) is no part of a version that others can have
PIN = $(BIN)/python -m pip freeze --exclude articulatory-inversion | sed 's/+cpu$$//'
lock:
	rm -rf .venv build && $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet '.[synthesis]' && $(PIN) > requirements.lock
	$(BIN)/python -m pip install --quiet '.[synthesis,dev]' && $(PIN) > requirements-dev.lock
