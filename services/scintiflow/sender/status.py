"""What a destination's answer to a C-STORE means: every DICOM status that we tell apart, under its meaning."""

SUCCESS = 0x0000
DUPLICATE = 0x0111
"""Its answer to the first sending was lost; one UID of ours is one content (PS3.7 C.5.4)."""

WARNINGS = frozenset({0x0001, 0x0107, 0x0116, *range(0xB000, 0xC000)})
"""It has the object all the same (PS3.7 table C-1)."""

THERE = frozenset({SUCCESS, DUPLICATE, *WARNINGS})
"""The destination has the object."""

OUT_OF_RESOURCES = range(0xA700, 0xA800)
"""Not now (PS3.4 table B.2-1)."""
