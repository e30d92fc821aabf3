"""The codes that say why an image failed, and which of them may pass at the next try."""

# Failures of the file's bytes: the same bytes fail again.
PERMANENT_FAILURES = frozenset(
    {"empty", "not_an_image", "format_not_supported", "truncated", "undecodable", "decoder_died"}
)  # fmt: skip
# Of the disk, the share, a right, a limit that may be set higher; and of a chunk whose workers died again and again.
PASSING_FAILURES = frozenset({
    "missing", "source_missing", "unreadable", "outside_root", "not_a_file", "too_large", "too_many_pixels",
    "too_costly", "gave_up",
})  # fmt: skip
FAILURE_CODES = PERMANENT_FAILURES | PASSING_FAILURES
