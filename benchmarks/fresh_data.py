"""Following a log that grows: what training on from earlier weights reaches, and what not following it costs.

  python -m preprocess --dataset=ml-100k-1 --source=atomic --raw_dir=RAW --until=TIME      (and -2 with a later one)
  python -m benchmarks.fresh_data --periods=ml-100k-1,ml-100k-2,ml-100k --epochs=1,2,4 --seeds=1,2 \\
      --flagfile=datasets/ml-100k/flags.txt --model=katrec --output=results/ml-100k

The model is trained on each period's log. Then, on the last one, the models of all earlier periods recommend as they
are (--init_from; what is new begins as with katrec.add_items), and that of the last but one is trained on for so many
epochs. All are ranked by the last log's test items: those of all users, and of the users with interactions since the
last log but one.
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
from katrec.evaluation.metrics import metrics
from katrec.runs import fit
from katrec.training import run_directory

METRICS = ("NDCG@10", "Hit@10")
FLAGS = flags.FlagValues()
flags.DEFINE_list(
    "periods", None, "Prepared data sets of the log, the shortest first.", required=True, flag_values=FLAGS
)
flags.DEFINE_list("epochs", ["1", "2", "4"], "Passes over the last log from earlier weights.", flag_values=FLAGS)
flags.DEFINE_list("seeds", ["1"], "Each is run with each.", flag_values=FLAGS)
flags.DEFINE_string("dataset", "", "Not read: --periods says what is trained on.", flag_values=FLAGS)
flags.DEFINE_string("datasets_dir", "datasets", "Folder of the prepared data sets.", flag_values=FLAGS)
flags.DEFINE_string("runs_dir", "runs/fresh", "Folder of the run directories; finished runs stay.", flag_values=FLAGS)
flags.DEFINE_string("output", None, "Folder for fresh.json, every number; default: none.", flag_values=FLAGS)
settings_flags.define(FLAGS)


def main():
    if len(FLAGS.periods) < 2:
        raise FlagError("--periods: at least two data sets")
    settings = settings_flags.read(FLAGS)
    *earlier, newest = FLAGS.periods
    epochs = settings_flags.integers("epochs", FLAGS.epochs, 1)
    seeds = settings_flags.integers("seeds", FLAGS.seeds, 0)
    found: dict[str, list] = {}
    for seed in seeds:
        settings = dataclasses.replace(settings, seed=seed)
        for period in FLAGS.periods:
            run = _fit(period, f"{period}-seed{seed}", settings)
        found.setdefault(f"trained anew on {newest}", []).append(run)
        for period in earlier:
            start = os.path.join(FLAGS.runs_dir, f"{period}-seed{seed}")
            for count in (0, *(epochs if period == earlier[-1] else ())):
                later = dataclasses.replace(settings, init_from=start, **_training(settings, newest, count))
                name = f"{newest}-from-{period}-{count}-seed{seed}"
                title = f"those of {period}, " + (f"trained on for {count} epochs" if count else "as they are")
                found.setdefault(title, []).append(_fit(newest, name, later))
    since = _active_since(earlier[-1], newest)
    results = [_summary(title, runs, since) for title, runs in found.items()]
    columns = ["weights", *(f"{name}, {who}" for who in ("all users", "since") for name in METRICS), "steps", "seconds"]
    rows = [
        (one["title"], *(f"{one[who][name]:.4f}" for who in ("all", "since") for name in METRICS))
        + (one["steps"], f"{one['seconds']:.0f}")
        for one in results
    ]
    report(f"{settings.model}, test items of {newest}, all items ranked", rows, columns)
    if FLAGS.output:
        content = {**provenance.version(), "machine": provenance.machine(), "date": provenance.today()}
        files.write_json(os.path.join(FLAGS.output, "fresh.json"), {**content, "results": results})


def _fit(dataset, name, settings):
    folder = os.path.join(FLAGS.runs_dir, name)
    print(f"{folder}:")
    return fit(dataset, settings, folder, FLAGS.datasets_dir)


def _active_since(earlier, newest):
    """Returns the users of the newest log with more interactions in it than in the earlier one, bool[users]."""
    counts = []
    for name in (earlier, newest):
        dataset = load(FLAGS.datasets_dir, name)
        users, _ = dataset.interactions()
        counts.append(dict(zip(dataset.raw_ids("user"), np.bincount(users, minlength=dataset.num_users))))
    return np.array([count > counts[0].get(user, 0) for user, count in counts[1].items()])


def _summary(title, runs, since):
    """Returns the metrics of several seeds' runs, their means and what the training took."""
    ranks = [run_directory.read_ranks(run.output_dir) for run in runs]
    who = {"all": [one["full"] for one in ranks], "since": [one["full"][since[one["users"]]] for one in ranks]}
    of_seeds = {name: [metrics(one) for one in several] for name, several in who.items()}
    means = {
        name: {metric: float(np.mean([one[metric] for one in several])) for metric in METRICS}
        for name, several in of_seeds.items()
    }
    return {
        "title": title,
        "users": {name: len(several[0]) for name, several in who.items()},
        **means,
        "of_seeds": of_seeds,
        "steps": runs[0].settings.train_steps,
        "seconds": float(np.mean([run.result["seconds"] for run in runs])),
        "runs": [run.result for run in runs],
    }


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
