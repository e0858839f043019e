"""What every part needs and what needs no TensorFlow: the command line, files, the paper's tables, provenance."""
