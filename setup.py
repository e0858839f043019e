"""KATRec's package. Tested versions are pinned in constraints.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# TensorFlow Addons ended with TensorFlow 2.15; newer Pythons take Keras 2 and its AdamW from tf-keras.
ADDONS = 'python_version < "3.12"'
KERAS = 'python_version >= "3.12"'

setup(
    name="katrec",
    version=re.search(r'__version__ = "(.+)"', (HERE / "katrec/__init__.py").read_text()).group(1),
    description="KATRec: knowledge-aware attentive sequential recommendation in TensorFlow 2",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.9",
    packages=find_packages(include=["katrec", "katrec.*", "katrec.common", "preprocess", "preprocess.*"]),
    install_requires=[
        f"tensorflow==2.15.1; {ADDONS}",
        f"tensorflow-addons==0.23.0; {ADDONS}",
        f"tensorflow>=2.16; {KERAS}",
        f"tf-keras>=2.16; {KERAS}",
        f"tensorboard; {KERAS}",  # a part of TensorFlow before 2.21
        "numpy",
        "pandas",
        "scipy",
        "absl-py",
        "tqdm",
        "matplotlib",
    ],
    extras_require={
        "test": ["pytest", "pytest-xdist", "hypothesis", "ruff", "psutil"],
        "bench": ["psutil", "packaging"],
        # For an environment of its own: benchmarks/peers.py makes it.
        "bench-peers": ["torch==2.13.0", "rectools[torch]==0.19.0"],
    },
    entry_points={
        "console_scripts": [
            "katrec-preprocess = katrec.common.console:preprocess",
            "katrec-train = katrec.common.console:train",
            "katrec-evaluate = katrec.common.console:evaluate",
            "katrec-export = katrec.common.console:export",
            "katrec-recommend = katrec.common.console:recommend",
            "katrec-search = katrec.common.console:search",
            "katrec-experiments = katrec.common.console:experiments",
        ]
    },
)
