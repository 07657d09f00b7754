"""Is it overfitted? Base, tuned network and pictures in; figures with intervals, a verdict and a report out."""
