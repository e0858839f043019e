"""Exports a run's best weights as a SavedModel that needs TensorFlow alone; docs/serving.md describes its signatures.

Its products are 32 bits wide whatever the run's were. Its scores are compared with the model's before it is done.

  python -m katrec.export --output_dir=runs/ml-100k/katrec-seed1 --saved_model=models/katrec
"""

import os
import types

from absl import flags

from katrec import __version__, settings  # noqa: F401 (settings: its flags)
from katrec.data.dataset import load
from katrec.training import run_directory
from katrec_common import files
from katrec_common.command_line import FlagError, UserError, run

FLAGS = flags.FLAGS
flags.DEFINE_string("saved_model", None, "Folder to write; there must be none of this name.", required=True)
flags.DEFINE_integer("max_k", 100, "The most items that a request may ask for.", 1)
for _name in ("output_dir", "datasets_dir"):
    flags.declare_key_flag(_name)
# Of a score; scores are of the order of 10.
TOLERANCE = 1e-4


def main():
    if FLAGS.output_dir is None:
        raise FlagError("--output_dir is needed: the run directory to export")
    if os.path.exists(FLAGS.saved_model):
        raise FlagError(f"--saved_model={FLAGS.saved_model}: exists; remove it or choose another name")
    config = run_directory.read_config(FLAGS.output_dir)
    if FLAGS["datasets_dir"].present:
        config.datasets_dir = FLAGS.datasets_dir
    dataset = load(config.datasets_dir, config.dataset)
    run_directory.check_data(config, dataset.checksums)
    # TensorFlow takes seconds to import: flags, data and directory are checked before.
    import numpy as np
    import tensorflow as tf

    from katrec.serving.saved_model import write
    from katrec.serving.served import Served
    from katrec.serving.verification import largest_difference
    from katrec.training.checkpoints import best_model

    # 16-bit products would round a score by the batch that it is in, and few machines are quick at them.
    model = best_model(FLAGS.output_dir, types.SimpleNamespace(**{**vars(config), "mixed_precision": False}), dataset)
    folder = os.path.join(config.datasets_dir, config.dataset)
    metadata = {
        "dataset": config.dataset,
        "model": config.model,
        "items": dataset.num_items,
        "max_k": FLAGS.max_k,
        "data": dataset.checksums,
        "flags": {name: value for name, value in vars(config).items() if name != "data"},
        "result": run_directory.read_result(FLAGS.output_dir),
        "licence": dataset.licence,
        "versions": {"katrec": __version__, "tensorflow": tf.__version__},
    }
    ids = [files.read_column(os.path.join(folder, f"{kind}s.tsv"), f"{kind}_id") for kind in ("item", "user")]
    popularity = np.bincount(dataset.items, minlength=dataset.num_items)
    served = Served(model, *ids, popularity, FLAGS.max_k, metadata)
    size = write(served, FLAGS.saved_model, metadata, os.path.join(folder, "items.tsv"))
    print(f"exported {config.model} of {config.dataset} to {FLAGS.saved_model}, {size / 2**20:.1f} MiB")
    difference, users = largest_difference(FLAGS.saved_model, model, dataset, *ids)
    print(f"its scores of all items for {users:,} test users differ from the model's by at most {difference:.1e}")
    if not difference <= TOLERANCE:
        raise UserError(
            f"{FLAGS.saved_model}: differs by more than {TOLERANCE:g}; do not use it, and please report it "
            "with the lines above"
        )


if __name__ == "__main__":
    run(main)
