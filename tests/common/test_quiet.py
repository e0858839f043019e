"""Which of TensorFlow's own messages a user sees."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

WRITES = """
import os
def say(text): os.write(2, text.encode())
say("WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
say("I0000 00:00:1795646544.627650   12723 port.cc:153] oneDNN custom operations are on.\\n")
say("E0000 00:00:1795646544.627961   12723 cuda_dnn.cc:31] Unable to register cuDNN factory\\n")
say("To enable the following instructions: AVX2\\n")
say("disk quota exceeded\\n")
class keras: pass
"""


@pytest.fixture
def run(tmp_path):
    """Imports katrec, then a module named tensorflow that writes such lines: run("more code of it", level="0")."""

    def run(more="", **variables):
        (tmp_path / "tensorflow.py").write_text(WRITES + more)
        environment = {name: text for name, text in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
        environment |= {"PYTHONPATH": f"{tmp_path}:{ROOT}", **variables}
        code = "import katrec, sys; import tensorflow; print(tensorflow.__spec__.name); print('end', file=sys.stderr)"
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_what_is_not_of_the_loading_is_kept(run):
    done = run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "tensorflow\n", "disk quota exceeded\nend\n")


def test_the_environment_asks_for_all(run):
    lines = run(TF_CPP_MIN_LOG_LEVEL="0").stderr.splitlines()
    assert len(lines) == 6 and "oneDNN" in lines[1] and "cuDNN" in lines[2]


def test_an_import_that_fails_says_why(run):
    done = run("raise ImportError('libcuda.so.1: no such file')")
    assert done.returncode == 1 and done.stderr.startswith("disk quota exceeded\nTraceback")
    assert done.stderr.endswith("ImportError: libcuda.so.1: no such file\n")


def test_without_a_standard_error(tmp_path):
    code = f"import os; os.close(2); import katrec, tensorflow; open({str(tmp_path / 'done')!r}, 'w').write('yes')"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert (tmp_path / "done").read_text() == "yes"


@pytest.mark.parametrize(("arguments", "shown"), [([], False), (["--verbosity=-2"], False), (["--verbosity=0"], True)])
def test_verbosity(command, datasets_dir, tmp_path, arguments, shown):
    done = command(
        "katrec.train", "--dataset=tiny", f"--datasets_dir={datasets_dir}", f"--output_dir={tmp_path}/run",
        "--model=bprmf", "--train_steps=1", *arguments,
    )  # fmt: skip
    assert done.returncode == 0
    assert ("oneDNN" in done.stderr) == shown
    # The rest is the project's own: warnings and progress bars.
    own = [line for line in done.stderr.splitlines() if not line or line.startswith("warning: ") or "%|" in line]
    assert shown == (len(own) < len(done.stderr.splitlines()))
