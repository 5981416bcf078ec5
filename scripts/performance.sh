#!/usr/bin/env bash
# Measures Striate on this machine and writes docs/PERFORMANCE.md, against other engines too with --peers PYTHON.
# Needs the Rust toolchain and python3, nothing else; `performance.sh --help` tells the options.
set -euo pipefail
exec python3 "$(dirname "$0")/performance.py" "$@"
