"""One short file a data set: record -> Example."""
