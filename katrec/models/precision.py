"""Which number type the matrix products use (mixed precision)."""

from __future__ import annotations

import tensorflow as tf

AMX, AVX512_BF16 = "amx_bf16", "avx512_bf16"
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
        flags, vendor = _cpu()
        # Intel's AVX512-BF16 alone took 1.5 times as long as 32 bits (docs/performance.md).
        if AMX in flags or (AVX512_BF16 in flags and vendor != "GenuineIntel"):
            return "mixed_bfloat16"
        device = (
            f"this CPU ({vendor or 'maker unknown'}, without AMX{'' if AVX512_BF16 in flags else ' and AVX512-BF16'})"
        )
    print(f"--mixed_precision: {device} has no quick 16-bit products, going on in float32")
    return "float32"


def _cpu() -> tuple[set[str], str]:
    """Returns the processor's flags and its maker; nothing where the system does not say."""
    found: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                found.setdefault(name.strip(), value.strip())
    except OSError:
        pass
    return set(found.get("flags", "").split()), found.get("vendor_id", "")
