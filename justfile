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

# The speed of the convolution kernels on this machine.
kernels *args:
    cargo run --release -p striate-kernels --example conv_speed -- {{args}}
