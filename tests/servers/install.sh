#!/bin/sh
# Installs what the real servers of the tests need, as far as this machine allows: runs each of the other scripts here.
# Prints one line for each. Never fails: tests of a server that is not there are skipped, and say so.
cd "$(dirname "$0")" || exit 0

for script in *.sh; do
    [ "$script" = install.sh ] && continue
    name=${script%.sh}
    said=$("./$script" 2>&1)
    status=$?
    last=$(printf '%s\n' "$said" | grep . | tail -n 1)
    if [ "$status" = 0 ] && [ -z "$said" ]; then
        echo "$name: already there"
    elif [ "$status" = 0 ]; then
        echo "$name: installed"
    elif [ "$status" = 77 ]; then
        echo "not installed: $name: $last"
    else
        echo "not installed: $name: its script ended with $status: $last"
    fi
done
exit 0
