"""Evaluates a run's best weights again.

python -m katrec.evaluate --output_dir=runs/ml-100k/katrec-seed1 --split=test --num_negatives=100
"""

from absl import flags

from katrec import settings  # noqa: F401 (its flags)
from katrec.data.dataset import load
from katrec.reporting.text import metric_lines
from katrec.training import run_directory
from katrec_common.command_line import FlagError, run

FLAGS = flags.FLAGS
flags.DEFINE_enum("split", "test", ["valid", "test"], "Which held-out items to rank.")
for _name in ("output_dir", "datasets_dir", "num_negatives"):
    flags.declare_key_flag(_name)


def main():
    if FLAGS.output_dir is None:
        raise FlagError("--output_dir is needed: the run directory to evaluate")
    config = run_directory.read_config(FLAGS.output_dir)
    for name in ("datasets_dir", "num_negatives"):
        if FLAGS[name].present:
            setattr(config, name, FLAGS[name].value)
    dataset = load(config.datasets_dir, config.dataset)
    run_directory.check_data(config, dataset.checksums)
    # TensorFlow takes seconds to import: flags, data and directory are checked before.
    from katrec.evaluation.ranking import Evaluator
    from katrec.training.checkpoints import best_model

    model = best_model(FLAGS.output_dir, config, dataset)
    evaluator = Evaluator(model, dataset, FLAGS.split, config.num_negatives)
    print(metric_lines({FLAGS.split: evaluator.evaluate()}))


if __name__ == "__main__":
    run(main)
