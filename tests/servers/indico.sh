#!/usr/bin/env bash
# Installs Indico into .venv-indico beside the checkout, or does nothing where it is there. Needs PostgreSQL's server
# programs (Debian: apt-get install postgresql) and Python 3.9 to 3.11. Where that cannot be had it says why and exits 77.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=3.2.9
[ -x .venv-indico/bin/python ] && .venv-indico/bin/python -c "import indico; assert indico.__version__ == '$version'" 2>/dev/null && ready=1 || ready=
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && ! command -v initdb >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -qq -y --no-install-recommends postgresql >/dev/null || { echo "PostgreSQL cannot be installed"; exit 77; }
  else
    echo "There is no PostgreSQL. Install it, e.g.: sudo apt-get install postgresql"; exit 77
  fi
fi
[ -n "$ready" ] && exit 0
for python in python3.11 python3.10 python3.9 python3; do
  if "$python" -c 'import sys; sys.exit(not (3, 9) <= sys.version_info < (3, 12))' 2>/dev/null; then found=$python; break; fi
done
[ -n "${found:-}" ] || { echo "Indico $version needs Python 3.9 to 3.11."; exit 77; }
rm -rf .venv-indico
"$found" -m venv .venv-indico
.venv-indico/bin/python -m pip install --quiet --disable-pip-version-check "indico==$version" "setuptools<81" \
  || { echo "Indico $version cannot be installed."; exit 77; }
