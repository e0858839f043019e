"""Recommends with an exported model.

  python -m katrec.recommend --saved_model=DIR --history="50,172,181" [--k=10] [--explain] [--format=json]
  python -m katrec.recommend --saved_model=DIR --input=histories.txt --output=recommendations.csv

--input has a history a line, item ids separated by commas, oldest first; for a model that knows its users the line may
begin with the user's id and a tab. It is read as a stream, of any length. An id that holds a comma stands in double
quotes: --history='"p,03",p04'.
"""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator

from absl import flags

from katrec.common import command_line, files
from katrec.common.command_line import FlagError, UserError
from katrec.common.ids import split
from katrec.serving.formats import FORMATTERS

FLAGS = flags.FlagValues()
flags.DEFINE_string("saved_model", None, "Folder that python -m katrec.export wrote.", required=True, flag_values=FLAGS)
flags.DEFINE_string(
    "history", None, "Item ids separated by commas, oldest first; one with a comma in double quotes.", flag_values=FLAGS
)
flags.DEFINE_string("user", None, "The user's id, for a model that knows its users.", flag_values=FLAGS)
flags.DEFINE_string(
    "exclude", None, "Item ids that are not to be recommended, written as --history.", flag_values=FLAGS
)
flags.DEFINE_string("include", None, "The only item ids that may be recommended, as --history.", flag_values=FLAGS)
flags.DEFINE_boolean("allow_seen", False, "Items of the history may be recommended too.", flag_values=FLAGS)
flags.DEFINE_integer(
    "cold_slots",
    None,
    "So many of the k places are for the best cold items, which nobody had interacted with; default: by score.",
    0,
    flag_values=FLAGS,
)
flags.DEFINE_integer("k", 10, "How many items.", 1, flag_values=FLAGS)
flags.DEFINE_boolean(
    "explain", False, "Also say why: paths of the knowledge graph and attention on the history.", flag_values=FLAGS
)
flags.DEFINE_string(
    "drawing", None, "With --explain: draw the first item's paths into this .png or .svg file.", flag_values=FLAGS
)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets, for the paths.", flag_values=FLAGS)
flags.DEFINE_enum(
    "format",
    "table",
    ["table", "json", "csv"],
    "How recommendations are written; with --input csv alone.",
    flag_values=FLAGS,
)
flags.DEFINE_string("input", None, "File of histories.", flag_values=FLAGS)
flags.DEFINE_string("output", None, "File to write; default: the terminal.", flag_values=FLAGS)


def main() -> None:
    """Answers the history, or the file of histories, that the flags name."""
    _check_flags()
    # TensorFlow takes seconds to import: flags are checked before.
    from katrec.serving import Recommender

    recommender = Recommender.load(FLAGS.saved_model, FLAGS.datasets_dir)
    if FLAGS.k > recommender.max_k:
        raise FlagError(f"--k={FLAGS.k}: this model was exported for at most {recommender.max_k}")
    if FLAGS.user is not None and not recommender.takes_users:
        raise FlagError("--user: this model does not know users, only histories")
    if FLAGS.input:
        _write_file(recommender)
    else:
        _answer(recommender)


def _check_flags():
    if (FLAGS.history is None) == (FLAGS.input is None):
        raise FlagError("--history or --input is needed, and not both")
    if FLAGS.input and (FLAGS.explain or FLAGS.user is not None):
        raise FlagError("--explain and --user go with --history")
    if FLAGS.input and FLAGS.format != "csv" and FLAGS["format"].present:
        raise FlagError(f"--format={FLAGS.format} goes with --history; --input is answered in csv")
    if FLAGS.drawing and not FLAGS.explain:
        raise FlagError("--drawing goes with --explain")
    if FLAGS.drawing and not FLAGS.drawing.endswith((".png", ".svg")):
        raise FlagError(f"--drawing={FLAGS.drawing}: must end with .png or .svg")


def _answer(recommender):
    history = split(FLAGS.history)
    users = None if FLAGS.user is None else [FLAGS.user]
    items = recommender.recommend([history], FLAGS.k, users, **_filters())[0]
    explanations = _explanations(recommender, history, items) if FLAGS.explain else [None] * len(items)
    rows = [
        {
            "rank": rank,
            "item": item,
            "title": recommender.titles.get(item, ""),
            "score": score,
            "cold": recommender.is_cold(item),
        }
        for rank, (item, score) in enumerate(items, start=1)
    ]
    text = FORMATTERS[FLAGS.format](rows, explanations)
    if FLAGS.output:
        with files.replacing(FLAGS.output) as file:
            file.write(text)
    else:
        sys.stdout.write(text)


def _filters():
    lists = {name: FLAGS[name].value for name in ("exclude", "include")}
    return {
        **{name: None if text is None else split(text) for name, text in lists.items()},
        "allow_seen": FLAGS.allow_seen,
        "cold_slots": FLAGS.cold_slots,
    }


def _explanations(recommender, history, items):
    made = [recommender.explain(history, item, FLAGS.user) for item, _ in items]
    if FLAGS.drawing:
        drawn = next((one for one in made if one.paths), None)
        if drawn is None:
            raise UserError(f"--drawing: nothing to draw; {made[0].note if made else 'nothing was recommended'}")
        # matplotlib takes seconds to import.
        from katrec.serving.drawing import draw

        with files.replacing(FLAGS.drawing, "wb") as file:
            draw(drawn).savefig(file, format=FLAGS.drawing[-3:], dpi=150)
    return made


def _write_file(recommender):
    """Answers a file of histories, a CSV row a recommendation, in bounded memory."""
    target = files.replacing(FLAGS.output) if FLAGS.output else None
    lines, users = read_histories(FLAGS.input), None
    if recommender.takes_users:
        # At most a batch of lines waits for its users to be read.
        lines, again = itertools.tee(lines)
        users = (user for _, user in again)
    answers = recommender.recommend_stream((history for history, _ in lines), FLAGS.k, users, **_filters())
    if target is None:
        _write_rows(answers, sys.stdout, recommender)
        return
    with target as file:
        _write_rows(answers, file, recommender)


def _write_rows(answers, file, recommender):
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("line", "rank", "item", "score", "cold"))
    for line, items in enumerate(answers, start=1):
        writer.writerows(
            (line, rank, item, f"{score:.6g}", int(recommender.is_cold(item)))
            for rank, (item, score) in enumerate(items, start=1)
        )


def read_histories(path: str) -> Iterator[tuple[list[str], str]]:
    """Yields a file's histories with their users ("" where a line names none).

    Raises:
      UserError: the file is missing or is not UTF-8.
    """
    try:
        # As preprocessing reads: a byte order mark is no part of an id, a line ends with a line feed.
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            for line in file:
                user, _, history = line.rstrip("\r\n").rpartition("\t")
                yield split(history), user
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error.reason}); convert it, for example with iconv") from None


def command() -> None:
    """The console script."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
