"""What a process does with memory that it has freed."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_MOST_KEPT = 128 << 20
_LARGEST_BLOCK = 32 << 20  # that it takes as the second


def keep_freed() -> None:
    """Let the C library keep what is freed, up to 128 MiB, for what comes next, where it is one that can be told so.

    As it comes, glibc gives large blocks back at once, and the kernel clears each of their pages anew when they are
    wanted again. The two pictures of a study need the same megabytes several times.
    """
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None:
        tell(_MMAP_THRESHOLD, _LARGEST_BLOCK)
        tell(_TRIM_THRESHOLD, _MOST_KEPT)
