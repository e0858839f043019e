"""Speed and memory beside the bounds that they are compared with: python -m benchmarks.NAME, from the repository."""

import katrec  # noqa: F401 (TensorFlow's settings, before its import)
