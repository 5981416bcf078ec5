# What CI does, and shortcuts. `just check` equals CI.

# Everything that must pass.
check:
    bash .ci/run

# All tests.
test:
    cargo test --workspace

# Formatting and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The speed of every kernel on this machine.
kernels *args:
    cargo run --release -p striate -- bench kernels {{args}}

# docs/PERFORMANCE.md anew, by hours of measuring; `--help` tells how to measure less.
performance *args:
    scripts/performance.sh {{args}}
