"""What the operating system refused, in a sentence: the cause, and what to do before trying again."""

from __future__ import annotations

import errno
import os
import sqlite3

import click

REFUSED = 2  # the exit code where a command could not do its work because of where it ran

_WORDS = {
    errno.ENOSPC: "the disk is full. What was written before is kept; make room",
    errno.EDQUOT: "your share of the disk is full. What was written before is kept; make room",
    errno.EFBIG: "the file would be larger than this system allows. Make room elsewhere",
    errno.EACCES: "no permission. Give yourself the right to read and write there, or name another place",
    errno.EPERM: "not permitted. Give yourself the right to read and write there, or name another place",
    errno.EROFS: "this disk can only be read. Name another place",
    errno.ENOENT: "there is no such file or folder. Look at the path",
    errno.ENOTDIR: "a part of this path is a file, where a folder is needed. Look at the path",
    errno.EISDIR: "this is a folder, where a file is needed. Look at the path",
    errno.EEXIST: "this exists already and is not what is needed there: a folder. Name another place",
    errno.ENAMETOOLONG: "this name is too long for this disk. Name another place",
    errno.EIO: "the disk cannot be read or written. Look at the disk or the network share",
    errno.ESTALE: "the network share is gone. Mount it again",
    errno.EMFILE: "too many files are open. Raise the limit ('ulimit -n 4096')",
    errno.ENFILE: "too many files are open on this machine. Close other programs",
    errno.ENOMEM: "there is not enough memory. Close other programs, or use fewer --workers",
    errno.EAGAIN: "the system can start no more processes now. Close other programs, or use fewer --workers",
}
_DATABASE = {
    "full": "the disk is full. What was saved before is kept; make room",
    "readonly": "it can only be read. Give yourself the right to write it",
    "unable to open": "it cannot be opened. Look at the rights of the folder and the file",
    "locked": "another program keeps it locked. Close that",
    "not a database": "it is not, or no longer, a file of the desk. Move it away, or bring back a copy",
    "malformed": "it is damaged. Bring back a copy, or move it away",
}


class RefusedError(click.ClickException):
    """A command that cannot go on where it runs; the message says why."""

    exit_code = REFUSED


def refused(error: Exception) -> RefusedError | None:
    """The error in a sentence; None if it is not one of the system's."""
    if isinstance(error, sqlite3.Error):
        told = next(
            (words for part, words in _DATABASE.items() if part in str(error)), f"{error}. Look at it"
        )
        return RefusedError(f"desk.sqlite3, the file of the desk: {told}, then run the same command again.")
    if not isinstance(error, OSError) or error.errno == errno.EPIPE:
        return None
    if error.errno is None:
        return RefusedError(str(error))
    where = " → ".join(os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None)
    told = _WORDS.get(error.errno, f"{error.strerror}. Look at it")
    return RefusedError(f"{where + ': ' if where else ''}{told}, then run the same command again.")
