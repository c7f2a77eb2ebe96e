#!/usr/bin/env bash
# The suite on the oldest versions that pyproject.toml admits, of what darec itself needs and of its extras.
#
#     .ci/oldest.sh            builds .venv-oldest and runs the suite in it
#     .ci/oldest.sh resolve    only finds out whether the lower bounds go together, and lists the versions
#
# PYTHON names the interpreter, 3.11 by default. torch comes from the index that uv is configured with.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-3.11}
if ! command -v uv >/dev/null; then
  echo "oldest.sh needs uv, which resolves to the lowest versions: pip install uv" >&2
  exit 2
fi
oldest=(--resolution lowest-direct)
if [[ ${1:-} == resolve ]]; then
  exec uv pip compile --quiet --no-annotate --no-header "${oldest[@]}" --python-version "$python" \
    --extra text --extra dev pyproject.toml
fi
uv venv --quiet --allow-existing --python "$python" .venv-oldest
uv pip install --quiet --python .venv-oldest/bin/python "${oldest[@]}" -e '.[text,dev]'
uv pip install --quiet --python .venv-oldest/bin/python pip  # builds and installs the wheel in a test
OMP_NUM_THREADS=1 exec .venv-oldest/bin/python -m pytest -n 2
