"""What can be trained: `registry` names the models, which have a file each; `build` makes one."""
