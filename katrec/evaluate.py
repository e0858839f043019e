"""Evaluates a run's best weights again.

python -m katrec.evaluate --output_dir=runs/ml-100k/katrec-seed1 --split=test --num_negatives=100 --ks=5,10,20
"""

from __future__ import annotations

from absl import flags

from katrec.common import command_line
from katrec.evaluation.metrics import metric_lines
from katrec.flags import integers
from katrec.runs import Run

FLAGS = flags.FlagValues()
flags.DEFINE_string("output_dir", None, "Run directory of the model.", flag_values=FLAGS)
flags.DEFINE_string(
    "datasets_dir", None, "Folder of the prepared data sets; default: the run's own.", flag_values=FLAGS
)
flags.DEFINE_enum("split", "test", ["valid", "test"], "Which held-out items to rank.", flag_values=FLAGS)
flags.DEFINE_integer(
    "num_negatives", None, "Negatives of the sampled ranking; default: the run's.", 1, flag_values=FLAGS
)
flags.DEFINE_list("ks", None, "Lengths K of the lists, beside 1, 5 and 10; default: the run's.", flag_values=FLAGS)


def main() -> None:
    """Prints the metrics of the run that the flags name."""
    if FLAGS.output_dir is None:
        raise command_line.FlagError("--output_dir is needed: the run directory to evaluate")
    run = Run(FLAGS.output_dir, FLAGS.datasets_dir)
    ks = integers("ks", FLAGS.ks, low=1) if FLAGS.ks else None
    print(metric_lines({FLAGS.split: run.evaluate(FLAGS.split, FLAGS.num_negatives, ks)}))


def command() -> None:
    """The console script."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
