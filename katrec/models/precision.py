"""Which number type the matrix products use (mixed precision)."""

from __future__ import annotations

import tensorflow as tf

BFLOAT16_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}
BFLOAT16_CAPABILITY, FLOAT16_CAPABILITY = (8, 0), (7, 0)


def policy(mixed_precision: bool) -> tf.keras.mixed_precision.Policy:
    """Returns the `tf.keras.mixed_precision.Policy` of this machine: what its hardware multiplies quickly.

    Args:
      mixed_precision: whether anything but float32 is wanted.
    """
    return tf.keras.mixed_precision.Policy(_name() if mixed_precision else "float32")


def _name() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = min(tf.config.experimental.get_device_details(gpu)["compute_capability"] for gpu in gpus)
        if capability >= BFLOAT16_CAPABILITY:
            return "mixed_bfloat16"
        if capability >= FLOAT16_CAPABILITY:
            return "mixed_float16"
        device = f"this GPU (compute capability {'.'.join(map(str, capability))})"
    else:
        if BFLOAT16_CPU_FLAGS & _cpu_flags():
            return "mixed_bfloat16"
        device = "this CPU (neither amx_bf16 nor avx512_bf16)"
    print(f"--mixed_precision: {device} has no quick 16-bit products, going on in float32")
    return "float32"


def _cpu_flags() -> set[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return {flag for line in file if line.startswith("flags") for flag in line.split(":", 1)[1].split()}
    except OSError:
        return set()
