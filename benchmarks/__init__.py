"""Speed and memory. Each module runs alone (``python -m benchmarks.NAME``) and writes results/NAME.json."""
