"""What a picture is refused for: each file is one kind of filter. Contract: `curation/filter.py`."""
