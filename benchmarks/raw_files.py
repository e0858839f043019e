"""From synthetic raw files of one of the paper's data sets to the prepared data set: seconds and peak memory.

python -m benchmarks.raw_files --like=amazon-book --scales=0.1,0.3,1
"""

import os
import subprocess
import sys
import tempfile
import time

from absl import flags

from benchmarks.measure import report
from katrec.common import command_line
from katrec.common.command_line import FlagError, UserError
from preprocess.synthetic import SIZES

FLAGS = flags.FlagValues()
flags.DEFINE_enum(
    "like", "amazon-book", list(SIZES), "The data set whose formats and sizes are taken.", flag_values=FLAGS
)
flags.DEFINE_list("scales", ["0.1", "0.3", "1"], "Factors of its sizes.", flag_values=FLAGS)


def main():
    try:
        scales = [float(scale) for scale in FLAGS.scales]
    except ValueError:
        raise FlagError(f"--scales={','.join(FLAGS.scales)}: numbers separated by commas") from None
    rows = []
    for scale in scales:
        with tempfile.TemporaryDirectory() as folder:
            _command("preprocess.synthesize", f"--like={FLAGS.like}", f"--scale={scale}", f"--raw_dir={folder}")
            size = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
            elapsed, peak = _command(
                "preprocess",
                f"--dataset={FLAGS.like}",
                f"--raw_dir={folder}",
                f"--kgat_dir={folder}",
                f"--datasets_dir={folder}/prepared",
            )
        count = SIZES[FLAGS.like].scaled(scale).rows
        rows.append(
            (
                f"{scale:g}",
                f"{count:,}",
                f"{size / 2**20:,.0f}",
                f"{elapsed:.1f}",
                f"{count / elapsed:,.0f}",
                f"{peak:.2f}",
            )
        )
    report(
        f"Preparing {FLAGS.like} from raw files", rows, ("scale", "rows", "MiB", "seconds", "rows a second", "peak GiB")
    )


def _command(module, *arguments):
    """Runs a command to its end; returns its seconds, start-up included, and its peak memory in GiB."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise UserError(f"{module} failed, its message is above")
    return time.monotonic() - started, usage.ru_maxrss / 2**20


if __name__ == "__main__":
    command_line.run(main, FLAGS)
