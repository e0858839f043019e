"""The console scripts: each runs a module as `python -m` does."""

import functools
import runpy


def _run(module):
    runpy.run_module(module, run_name="__main__", alter_sys=True)


preprocess = functools.partial(_run, "preprocess")
train = functools.partial(_run, "katrec.train")
evaluate = functools.partial(_run, "katrec.evaluate")
export = functools.partial(_run, "katrec.export")
recommend = functools.partial(_run, "katrec.recommend")
search = functools.partial(_run, "katrec.search")
experiments = functools.partial(_run, "katrec.experiments")
