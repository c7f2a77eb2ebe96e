#!/bin/sh
# One night: take the feedback, train on from the last run, and put a new bundle in the server's place. The server sees
# it by itself, and serves the earlier one until it has opened the new. Whatever ends this on the way, nothing is lost:
# feedback that no run has learned yet waits in days/ and goes along the next time.
set -eu
cd "${SHOP:-/srv/shop}"
log=shop.darec.log
exec 9>.nightly.lock
flock -n 9 || { echo "the last night's work still runs" >&2; exit 1; }
mkdir -p days learned

if [ -s "$log/feedback.jsonl" ]; then
  # Under the lock of the log: no process of the server is writing it then.
  flock "$log/feedback.jsonl" mv "$log/feedback.jsonl" "days/$(date +%F-%H%M%S).jsonl"
fi
set -- days/*.jsonl
[ -e "$1" ] || exit 0 # nobody came
cat "$@" > waiting.jsonl

set -- --interactions waiting.jsonl
if [ -s "$log/items.jsonl" ]; then set -- "$@" --items "$log/items.jsonl"; fi
run="runs/$(date +%F-%H%M%S)"
darec update runs/current "$@" --out "$run" --quiet
darec export "$run" --out shop.darec --overwrite
ln -sfn "$(basename "$run")" runs/current
mv days/*.jsonl learned/
