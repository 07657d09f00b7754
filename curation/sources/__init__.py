"""Where pictures come from: each file is one kind of source. Contract: `curation/source.py`."""
