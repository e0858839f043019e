"""Following a log that grows: what training on from earlier weights reaches, and what not following it costs.

  python -m preprocess --dataset=ml-100k-1 --source=atomic --raw_dir=RAW --until=TIME      (and -2 with a later one)
  python -m benchmarks.fresh_data --periods=ml-100k-1,ml-100k-2,ml-100k --epochs=0,1,2,5 --seeds=1,2 \\
      --flagfile=datasets/ml-100k/flags.txt --model=katrec --output=results/ml-100k

The model is trained on each period's log. Then, on the last one, it begins with the weights of each earlier period
(--init_from) and is trained for so many epochs; 0 says what the earlier model recommends as it is. All are ranked by
the last log's test items.
"""

import dataclasses
import os

import numpy as np
from absl import flags

from benchmarks.measure import report
from katrec import flags as settings_flags
from katrec.common import command_line, files, provenance
from katrec.common.command_line import FlagError
from katrec.data.dataset import load
from katrec.data.sequences import windows
from katrec.runs import fit

METRICS = (("full", "NDCG@10"), ("full", "Hit@10"), ("sampled", "NDCG@10"))
FLAGS = flags.FlagValues()
flags.DEFINE_list(
    "periods", None, "Prepared data sets of the log, the shortest first.", required=True, flag_values=FLAGS
)
flags.DEFINE_list("epochs", ["0", "1", "2", "5"], "Passes over the last log from earlier weights.", flag_values=FLAGS)
flags.DEFINE_list("seeds", ["1"], "Each is run with each.", flag_values=FLAGS)
flags.DEFINE_string("dataset", "", "Not read: --periods says what is trained on.", flag_values=FLAGS)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_string("runs_dir", "runs/fresh", "Folder of the run directories; finished runs stay.", flag_values=FLAGS)
flags.DEFINE_string("output", None, "Folder for fresh.json, every number; default: none.", flag_values=FLAGS)
settings_flags.define(FLAGS)


def main():
    if len(FLAGS.periods) < 2:
        raise FlagError("--periods: at least two data sets")
    settings, newest = settings_flags.read(FLAGS), FLAGS.periods[-1]
    epochs = settings_flags.integers("epochs", FLAGS.epochs, 0)
    seeds = settings_flags.integers("seeds", FLAGS.seeds, 0)
    found: dict[str, list] = {}
    for seed in seeds:
        settings = dataclasses.replace(settings, seed=seed)
        for period in FLAGS.periods:
            run = _fit(period, f"{period}-seed{seed}", settings)
        found.setdefault(f"trained anew on {newest}", []).append(run)
        for period in reversed(FLAGS.periods[:-1]):
            start = os.path.join(FLAGS.runs_dir, f"{period}-seed{seed}")
            for count in epochs:
                later = dataclasses.replace(settings, init_from=start, **_training(settings, newest, count))
                name = f"{newest}-from-{period}-{count}-seed{seed}"
                found.setdefault(f"from {period}'s weights, {count} epochs", []).append(_fit(newest, name, later))
    rows = []
    for title, runs in found.items():
        values = [[run.metrics["test"][protocol][metric] for run in runs] for protocol, metric in METRICS]
        seconds = [run.result["seconds"] for run in runs]
        rows.append((title, *(f"{np.mean(one):.4f}" for one in values), f"{np.mean(seconds):.0f}"))
    columns = ("weights", *(f"{metric}, {protocol}" for protocol, metric in METRICS), "seconds of training")
    report(f"{settings.model}, test items of {newest}", rows, columns)
    if FLAGS.output:
        results = [{"title": title, "runs": [run.result for run in runs]} for title, runs in found.items()]
        content = {**provenance.version(), "machine": provenance.machine(), "date": provenance.today()}
        files.write_json(os.path.join(FLAGS.output, "fresh.json"), {**content, "results": results})


def _fit(dataset, name, settings):
    folder = os.path.join(FLAGS.runs_dir, name)
    print(f"{folder}:")
    return fit(dataset, settings, folder, FLAGS.datasets_dir)


def _training(settings, dataset, epochs):
    """Returns the settings of a training of so many epochs; of none it is a step that changes nothing."""
    if not epochs:
        return {"train_steps": 1, "eval_every_steps": 1, "learning_rate": 0.0, "warmup_steps": 0}
    reach = settings.max_sequence_length + (settings.objective == "next_item")
    count = len(windows(load(FLAGS.datasets_dir, dataset).offsets, reach, settings.sliding_window).users)
    steps = epochs * -(-count // settings.batch_size)
    return {
        "train_steps": steps,
        "eval_every_steps": min(settings.eval_every_steps, max(1, steps // 2)),
        "warmup_steps": min(settings.warmup_steps, steps // 10),
    }


if __name__ == "__main__":
    command_line.run(main, FLAGS)
