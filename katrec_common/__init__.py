"""What the packages `katrec` and `preprocess` share: the command line's manners and safe files."""
