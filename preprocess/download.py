"""Fetches the raw files of one of the paper's data sets, or says what must be brought by hand.

  python -m preprocess.download --dataset=amazon-book [--raw_dir=datasets/amazon-book/raw] [--graph=kgat]

Pages, licences and sizes are shown first. A fetch that broke off goes on; checksums are compared.
"""

from __future__ import annotations

import os

from absl import flags

from katrec.common import command_line
from katrec.common.command_line import FlagError, UserError
from preprocess import catalog
from preprocess.fetch import fetch, unpack

FLAGS = flags.FlagValues()
flags.DEFINE_enum("dataset", None, list(catalog.ENTRIES), "The data set.", required=True, flag_values=FLAGS)
flags.DEFINE_string("raw_dir", None, "Folder for the raw files; default: datasets/NAME/raw.", flag_values=FLAGS)
flags.DEFINE_enum(
    "graph",
    "kgat",
    ["kgat", "freebase"],
    "Which knowledge graph: KGAT's lists and kg_final (a few MB), "
    "or Freebase's dump (22 GB), for which KB4Rec's links are needed too.",
    flag_values=FLAGS,
)
flags.DEFINE_boolean("list", False, "Show what is not there yet, and stop.", flag_values=FLAGS)


def main() -> None:
    """Does what the flags say."""
    entry = catalog.ENTRIES[FLAGS.dataset]
    folder = FLAGS.raw_dir or os.path.join("datasets", FLAGS.dataset, "raw")
    if FLAGS.graph == "freebase" and entry.links is None:
        raise FlagError(f"--graph=freebase: {FLAGS.dataset}'s graph is not Freebase, only --graph=kgat is possible")
    remotes = [*entry.interactions, *(entry.kgat if FLAGS.graph == "kgat" else [catalog.FREEBASE])]
    wanted = [remote for remote in remotes if not os.path.exists(os.path.join(folder, remote.name))]
    if wanted or not FLAGS.list:
        for what, page, licence in catalog.terms(FLAGS.dataset, FLAGS.graph == "kgat"):
            print(f"{what}: {page}\n  {licence}")
    for remote in wanted if FLAGS.list else remotes:
        print(f"  {remote.name} ({remote.size}) from {remote.url}")
    if FLAGS.list:
        return
    for remote in remotes:
        fetch(remote, folder)
    missing = _by_hand(entry, folder)
    if missing:
        raise UserError("; ".join(missing))
    extra = f" --kgat_dir={folder}" if FLAGS.graph == "kgat" else ""
    print(f"all there; now: python -m preprocess --dataset={FLAGS.dataset} --raw_dir={folder}{extra}")


def _by_hand(entry, folder):
    """Unpacks what was brought by hand; returns what is missing, a text each."""
    missing = []
    if not os.path.exists(os.path.join(folder, entry.file)):
        archives = (os.path.join(folder, name) for name in entry.archives)
        packed = next(filter(os.path.exists, archives), None)
        if packed:
            print(f"unpacking {entry.file} out of {packed}")
            unpack(packed, entry.file, folder)
        else:
            missing.append(f"{entry.file} is missing: {entry.by_hand} {folder}")
    if FLAGS.graph == "freebase" and not os.path.exists(os.path.join(folder, entry.links)):
        missing.append(f"{entry.links} is missing: get it from {catalog.KB4REC_TERMS[1]} and put it into {folder}")
    return missing


def command() -> None:
    """The command."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
