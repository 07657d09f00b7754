"""How many processors this process may use: a container or a scheduler often leaves it fewer than there are."""

import os


def usable_cpus() -> int:
    """At least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
