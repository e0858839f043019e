"""Plans and runs experiments: many training runs, their trials, their tables. `python -m katrec.experiments`."""
