"""Any pile of pictures in; decoded, measured, judged, grouped and split records in the store out."""
