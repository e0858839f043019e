"""Trains a model on a prepared data set, evaluates its best weights and writes result.json.

  python -m katrec.train --flagfile=datasets/ml-100k/flags.txt --model=katrec --output_dir=runs/ml-100k/katrec

The same command goes on where an interrupted run stopped.
"""

from absl import flags

from katrec import settings
from katrec.data.dataset import load
from katrec.reporting.text import metric_lines
from katrec.training import run_directory
from katrec_common.command_line import run

flags.adopt_module_key_flags(settings)


def main():
    config = settings.from_flags()
    dataset = load(config.datasets_dir, config.dataset)
    # The other workers follow the chief, which alone writes to the run directory.
    if settings.is_chief(config):
        run_directory.claim(config, dataset.checksums)
    result = run_directory.read_result(config.output_dir) if config.resume else None
    if result:
        print(f"{config.output_dir} is finished; --noresume would run it again")
    else:
        # TensorFlow takes seconds to import: flags, data and directory are checked before.
        from katrec.training.trainer import Trainer

        result = Trainer(config, dataset).run()
    if result:
        print(metric_lines({split: result[split] for split in ("valid", "test")}))


if __name__ == "__main__":
    run(main)
