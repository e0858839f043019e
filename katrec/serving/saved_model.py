"""A SavedModel on disk."""

import os
import shutil
import tempfile

import tensorflow as tf

from katrec_common import files

# Where TensorFlow Serving expects what is not the model's.
EXTRA = "assets.extra"


def write(served, path, metadata, items_file):
    """Writes a SavedModel that is whole or absent.

    Args:
      served: `Served`.
      path: the folder to make.
      metadata: goes to assets.extra/metadata.json.
      items_file: items.tsv of the prepared data set, copied beside it for the titles.

    Returns:
      Its size in bytes.
    """
    parent = os.path.dirname(os.path.abspath(path))
    os.makedirs(parent, exist_ok=True)
    beside = tempfile.mkdtemp(dir=parent, prefix=os.path.basename(path) + ".")
    try:
        tf.saved_model.save(served, beside, signatures=served.signatures())
        files.write_json(os.path.join(beside, EXTRA, "metadata.json"), metadata)
        shutil.copy(items_file, os.path.join(beside, EXTRA, "items.tsv"))
        os.chmod(beside, 0o755)
        os.rename(beside, path)
    except BaseException:
        shutil.rmtree(beside)
        raise
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)
