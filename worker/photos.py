"""Reading a photo's bytes from disk: inside its root, a regular file, of bounded size.

Every refusal is an `ImageError` with a code; those codes, unlike the decoder's, may pass at the next try.
"""

import errno
import hashlib
import os
import stat

from training.preprocessing import ImageError
from worker.names import is_inside, path_of_text

HASH_BYTES = 16  # 128 bits: two of 10 million photos share a hash by accident once in 10^24 catalogs


def read_photo(root: str, key: str, *, max_bytes: int) -> bytes:
    """The bytes of an image of a source.

    Args:
        root: the source's root, as the catalog stores it.
        key: the image's path below it, as the catalog stores it.
        max_bytes: what a file may have.

    Raises:
        ImageError: source_missing, missing, unreadable, outside_root, not_a_file or too_large.
    """
    folder = path_of_text(root)
    path = os.path.realpath(os.path.join(folder, path_of_text(key)))
    if not is_inside(path, folder):
        raise ImageError("outside_root", "the link leads out of its folder")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _explain(error, folder) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("not_a_file", "no regular file")
        if status.st_size > max_bytes:
            raise ImageError("too_large", f"{status.st_size} bytes, at most {max_bytes} are read")
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            return file.readall()[: max_bytes + 1]
    except OSError as error:
        raise ImageError("unreadable", f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def hash_content(data: bytes) -> bytes:
    """The content hash: BLAKE2b (RFC 7693) of 16 bytes."""
    return hashlib.blake2b(data, digest_size=HASH_BYTES).digest()


def _explain(error: OSError, folder: str) -> ImageError:
    if not os.path.isdir(folder):
        return ImageError("source_missing", "the folder it belongs to is not there")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return ImageError("missing", "no such file")
    return ImageError("unreadable", f"cannot be read: {error.strerror}")
