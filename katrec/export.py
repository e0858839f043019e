"""Exports a run's best weights as a SavedModel that needs TensorFlow alone; docs/serving.md describes its signatures.

Its products are 32 bits wide whatever the run's were. Its scores are compared with the model's before it is done.

  python -m katrec.export --output_dir=runs/ml-100k/katrec-seed1 --saved_model=models/katrec
  python -m katrec.export --verify --saved_model=models/katrec      compares an export's files with what was exported
"""

from __future__ import annotations

import os

from absl import flags

from katrec.common import command_line
from katrec.runs import Run
from katrec.serving import integrity, versions

FLAGS = flags.FlagValues()
flags.DEFINE_string("output_dir", None, "Run directory of the model.", flag_values=FLAGS)
flags.DEFINE_string(
    "datasets_dir", None, "Folder of the prepared data sets; default: the run's own.", flag_values=FLAGS
)
flags.DEFINE_string(
    "saved_model",
    None,
    "Folder to write; there must be none of this name. With --verify: the folder to compare.",
    required=True,
    flag_values=FLAGS,
)
flags.DEFINE_integer("max_k", 100, "The most items that a request may ask for.", 1, flag_values=FLAGS)
flags.DEFINE_boolean(
    "versioned",
    False,
    "Write to the next number in --saved_model, NAME/1, NAME/2, …, which TensorFlow Serving takes up by itself.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "extendable",
    False,
    "Also keep all weights and the prepared data set, so that python -m katrec.add_items can add new items.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    "verify", False, "Compare the SHA-256 of the files of --saved_model with its manifest.", flag_values=FLAGS
)


def main() -> None:
    """Exports the run that the flags name, or compares an export with its manifest."""
    if FLAGS.verify:
        _verify(FLAGS.saved_model)
        return
    if FLAGS.output_dir is None:
        raise command_line.FlagError("--output_dir is needed: the run directory to export")
    if os.path.exists(os.path.join(FLAGS.saved_model, "saved_model.pb") if FLAGS.versioned else FLAGS.saved_model):
        raise command_line.FlagError(f"--saved_model={FLAGS.saved_model}: exists; remove it or choose another name")
    folder = versions.following(FLAGS.saved_model) if FLAGS.versioned else FLAGS.saved_model
    Run(FLAGS.output_dir, FLAGS.datasets_dir).export(folder, FLAGS.max_k, FLAGS.extendable)


def _verify(path):
    if not os.path.isdir(path):
        raise command_line.FlagError(f"--saved_model={path}: there is no such folder")
    path = versions.newest(path)
    count = integrity.check(path)
    if not count:
        raise command_line.UserError(f"{path}: has no {integrity.MANIFEST}, nothing to compare with; export it again")
    print(f"{path}: {count} files, all as they were exported; fingerprint {integrity.fingerprint(path)}")


def command() -> None:
    """The console script."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
