"""Where a dataset lives: pictures, records, captions and caches in LanceDB. The only home of LanceDB."""
