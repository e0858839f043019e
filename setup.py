"""KATRec's package. Tested versions are in constraints.txt and constraints-test.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# TensorFlow 2.15 is the last that TensorFlow Addons works with; newer Pythons take Keras 2 from tf-keras.
OLDER = 'python_version < "3.12"'
NEWER = 'python_version >= "3.12"'
# Where TensorFlow Addons has wheels; elsewhere Keras's AdamW takes its place.
ADDONS = f'{OLDER} and (sys_platform == "darwin" or (sys_platform == "linux" and platform_machine == "x86_64"))'
# What examples/nearest_neighbours.py and examples/server.py need.
INDEX = ["faiss-cpu"]
SERVE = ["fastapi", "uvicorn"]
# The newest pyarrow needs NumPy 2, which TensorFlow 2.15 cannot have.
PARQUET = [f"pyarrow<22; {OLDER}", f"pyarrow; {NEWER}"]
SPARK = ["pyspark>=4", *PARQUET]  # And Java 17 or later.
SEARCH = ["optuna>=4"]
TRACKING = ["mlflow-skinny>=3", "alembic", "sqlalchemy"]  # The last two for its store in a file.
COMMANDS = {
    "katrec-preprocess": "preprocess.__main__",
    "katrec-train": "katrec.train",
    "katrec-evaluate": "katrec.evaluate",
    "katrec-export": "katrec.export",
    "katrec-recommend": "katrec.recommend",
    "katrec-add-items": "katrec.add_items",
    "katrec-search": "katrec.search",
    "katrec-experiments": "katrec.experiments.__main__",
}

setup(
    name="katrec",
    version=re.search(r'__version__ = "(.+)"', (HERE / "katrec/__init__.py").read_text(encoding="utf-8")).group(1),
    description="KATRec: knowledge-aware attentive sequential recommendation in TensorFlow 2",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="KATRec maintainers",
    license="Apache-2.0",
    keywords="recommender-systems sequential-recommendation knowledge-graph transformer tensorflow keras",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Intended Audience :: Developers",
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.9, <3.14",
    packages=[*find_packages(include=["katrec", "katrec.*", "preprocess", "preprocess.*"]), "katrec.datasets"],
    # The data sets' flags and trials, so that katrec-experiments works outside the source tree.
    package_dir={"katrec.datasets": "datasets"},
    package_data={
        "katrec": ["py.typed"],
        "katrec.datasets": ["*/*.txt", "*/search.json"],
        "preprocess": ["py.typed"],
    },
    install_requires=[
        f"tensorflow==2.15.1; {OLDER}",
        f"tensorflow-addons==0.23.0; {ADDONS}",
        f"tensorflow>=2.16; {NEWER}",
        f"tf-keras>=2.16; {NEWER}",
        f"tensorboard; {NEWER}",  # a part of TensorFlow before 2.21
        "numpy",
        "pandas",
        "scipy",
        "absl-py",
        "tqdm",
        "requests",
        "matplotlib",
    ],
    extras_require={
        "index": INDEX,
        "serve": SERVE,
        "test": [
            *INDEX,
            *SERVE,
            *SPARK,
            *SEARCH,
            *TRACKING,
            "bandit",
            "build",
            "hypothesis",
            "mkdocs",
            "mkdocstrings[python]",
            "mypy",
            "psutil",
            "pytest",
            "pytest-xdist",
            "ruff",
            "selenium",
        ],
        "parquet": PARQUET,
        "spark": SPARK,
        "search": SEARCH,
        "tracking": TRACKING,
        "docs": ["mkdocs", "mkdocstrings[python]"],
        "bench": ["psutil", "packaging"],
        # For an environment of its own: benchmarks/peers.py makes it.
        "bench-peers": ["torch==2.13.0", "rectools[torch]==0.19.0"],
    },
    entry_points={"console_scripts": [f"{name} = {module}:command" for name, module in COMMANDS.items()]},
)
