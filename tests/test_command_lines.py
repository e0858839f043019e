"""What each command says to wrong input and to --help; nothing is trained."""

import subprocess
import sys

import pytest

from tests.command_lines import SMALL, fails
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        (["--dataset=other"], 2, "not known by name; give --source=atomic"),
        (["--dataset=a/b"], 2, "a plain name, not a path"),
        ([], 2, "--dataset"),
        (["--dataset=x", "--source=atomic"], 2, "needs --raw_dir"),
        (["--dataset=x", "--source=atomic", "--raw_dir=/nowhere"], 1, r"/nowhere/x\.inter: no such file"),
        (["--dataset=x", "--min_interactions=-1"], 2, "min_interactions"),
        (["--dataset=x", "--wrong=1"], 2, "Unknown command line flag 'wrong'"),
        (["--dataset=ml-100k", "more"], 2, "unexpected argument 'more'"),
    ],
)
def test_preprocess_refuses(command, tmp_path, arguments, status, message):
    assert fails(command("preprocess", *arguments, f"--datasets_dir={tmp_path}/none"), status, message)
    assert not (tmp_path / "none").exists()


def test_preprocess_refuses_what_the_k_core_empties(command, tiny_raw, tmp_path):
    done = command(
        "preprocess",
        "--dataset=tiny",
        "--source=atomic",
        f"--raw_dir={tiny_raw}",
        "--min_interactions=50",
        f"--datasets_dir={tmp_path}",
    )
    assert fails(done, 1, "no interactions are left after the 50-core of .* lower --min_interactions")


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        ([], 2, "--output_dir is needed"),
        (["--output_dir=x", "--num_heads=3"], 2, "does not divide the hidden size 16"),
        (["--output_dir=x", "--mask_share=1.5"], 2, "mask_share"),
        (["--output_dir=x", "--mask_share=0"], 2, "--mask_share=0"),
        (["--output_dir=x", "--propagation_dims=4,x"], 2, "--propagation_dims=4,x: integers separated by commas"),
        (["--output_dir=x", "--propagation_dims=0"], 2, "--propagation_dims=0: must be at least 1"),
        (["--output_dir=x", "--model=other"], 2, "should be one of"),
        (["--output_dir=x", "--pretrained_dir=y", "--distribution=multi_worker"], 2, "--pretrained_dir: not with"),
        (["--output_dir=x", "--flagfile=/nowhere"], 2, "/nowhere"),
        (["--output_dir=x", "--datasets_dir=/nowhere"], 1, "no prepared data set; run: python -m preprocess"),
        ([f"--output_dir={__file__}"], 1, r"test_command_lines\.py: File exists"),
    ],
)
def test_train_refuses(command, datasets_dir, arguments, status, message):
    assert fails(command("katrec.train", *SMALL, f"--datasets_dir={datasets_dir}", *arguments), status, message)


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        ([], 2, "--output_dir is needed"),
        (["--output_dir=/nowhere"], 1, "not a run directory"),
    ],
)
def test_evaluate_refuses(command, arguments, status, message):
    assert fails(command("katrec.evaluate", *arguments), status, message)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--models=other"], "choose from bprmf,"),
        (["--ablations=other"], "choose from no_attention,"),
        (["--models=bert4rec", "--ablations=all"], "no_attention is a variant of katrec, which --models leaves out"),
        (["--seeds=a"], "whole numbers"),
        (["other"], "there is no .*flags.txt"),
    ],
)
def test_experiments_refuse(command, arguments, message):
    assert fails(command("katrec.experiments", *arguments), 2, message)


@pytest.mark.parametrize(
    "module, flag",
    [
        ("preprocess", "--min_interactions"),
        ("katrec.train", "--kg_steps"),
        ("katrec.evaluate", "--split"),
        ("katrec.experiments", "--seeds"),
        ("katrec.search", "--jobs"),
        ("preprocess.download", "--graph"),
        ("preprocess.synthesize", "--scale"),
        ("katrec.export", "--max_k"),
        ("katrec.recommend", "--explain"),
        ("katrec.add_items", "--triplets"),
    ],
)
def test_help_shows_the_flags(command, module, flag):
    text = command(module, "--help").stdout
    assert flag in text
    assert f"python -m {module}" in text or "./run_experiments.sh" in text


COMMANDS = {
    "preprocess": "preprocess",
    **{name: f"katrec.{name}" for name in ("train", "evaluate", "export", "recommend", "search", "experiments")},
    "add-items": "katrec.add_items",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_console_scripts_go_by_their_own_names(name, tmp_path):
    """What setup.py's entry points call, without an installation."""
    lines = (ROOT / "setup.py").read_text().splitlines()
    [module] = [line.split('"')[3] for line in lines if f'"katrec-{name}"' in line]
    script = tmp_path / f"katrec-{name}"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r}); from {module} import command; command()")

    def run(*arguments):
        return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)

    shown = run("--help")
    assert shown.returncode == 0 and shown.stderr == ""
    assert "flags:" in shown.stdout and "python -m katrec" not in shown.stdout.split("flags:")[0]
    if name != "experiments":
        assert f"katrec-{name} --" in shown.stdout
    assert fails(run("--wrong=1"), 2, f"^katrec-{name}: error: Unknown command line flag 'wrong'")


@pytest.mark.parametrize("module", [*COMMANDS.values(), "preprocess.download", "preprocess.synthesize"])
def test_help_ends_well_and_errors_name_the_command(command, module):
    assert command(module, "--help").returncode == 0
    assert fails(command(module, "--wrong=1"), 2, f"^python -m {module}: error: ")


@pytest.mark.parametrize(
    "module, arguments, message",
    [
        ("katrec.evaluate", ["--seed=5"], "Unknown command line flag 'seed'"),
        ("katrec.evaluate", ["--model=sasrec"], "Unknown command line flag 'model'"),
        ("katrec.export", ["--learning_rate=5"], "Unknown command line flag 'learning_rate'"),
        ("katrec.recommend", ["--saved_model=x", "--input=y", "--format=json"], "--format=json goes with --history"),
        ("preprocess", ["--dataset=x", "--source=atomic", "--raw_dir=.", "--kgat_dir=."], "--kgat_dir is for"),
        ("preprocess", ["--dataset=ml-100k", "--max_bad_rows=0"], "--max_bad_rows is for amazon-book"),
        ("katrec.experiments", ["--ablation_seeds=1"], "--ablation_seeds goes with --ablations"),
    ],
)
def test_a_flag_that_would_be_ignored_is_an_error(command, module, arguments, message):
    assert fails(command(module, *arguments), 2, message)


def test_a_reader_that_has_enough_is_no_error():
    code = f"{sys.executable} -m katrec.train --help | head -1"
    done = subprocess.run(code, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
