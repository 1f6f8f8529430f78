#!/bin/sh
# Installs what tests/servers/mediawiki.py starts: MediaWiki and PHP from Debian. Does nothing where they are there.
# Ends with 77 where they can neither be found nor installed.
set -eu

packages="mediawiki php-cli php-sqlite3 php-mbstring php-xml php-intl php-curl"
missing=""
for package in $packages; do
    # php-sqlite3 and others are names for the packages of one PHP version.
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "MediaWiki is not tested: missing are$missing, and installing them needs root." >&2
    exit 77
fi
if ! command -v apt-get >/dev/null; then
    echo "MediaWiki is not tested: missing are$missing, and there is no apt-get." >&2
    exit 77
fi
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
