"""The environment of a process of its own with Keras on JAX.

Tests run a function once or twice on little, and then most of their time is compilation: XLA
optimises less here, which changes rounding and nothing else.
"""

ENVIRONMENT = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    # two devices wait for each other 40 s by default, which a busy machine may take
    " --xla_cpu_collective_call_terminate_timeout_seconds=400",
}
