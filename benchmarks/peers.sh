#!/bin/sh
# Makes the environment of benchmarks/peers.py, apart from darec's own: benchmarks/peers.sh [FOLDER]
# RecBole and PyTorch Geometric pin or pull what darec does not want; here each gets what it imports, and torch stays the
# build that darec is measured with.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/.peers}
python=${PYTHON:-python3}

test -x "$folder/bin/python" || "$python" -m venv "$folder"
pip() { "$folder/bin/python" -m pip --disable-pip-version-check -q "$@"; }

pip install 'torch==2.13.0+cpu' 2>/dev/null ||
  pip install 'torch==2.13.0' --index-url "${TORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}"
pip install -c "$here/../constraints.txt" implicit numpy pandas psutil pyyaml requests scikit-learn scipy tqdm \
  aiohttp fsspec jinja2 pyparsing xxhash colorlog colorama tabulate tensorboard texttable plotly thop setuptools
# Without what they ask for: RecBole wants an old ray, which it imports only to search for hyperparameters.
pip install --no-deps recbole==1.2.1 torch_geometric==2.6.1
"$folder/bin/python" -c 'import recbole, torch, torch_geometric, implicit; print("ready: torch", torch.__version__)'
