"""Where raw data comes from: a source yields `preprocess.tables.Tables`, a file a source."""
