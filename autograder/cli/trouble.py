"""Errors of the operating system as sentences: the cause, and what to do before trying again."""

from __future__ import annotations

import errno
import os
import sqlite3

import click

REFUSED = 2  # the exit code where a command could not do its work because of where it ran

_WORDS = {
    errno.ENOSPC: "the disk is full. Files written so far are kept. Free some space",
    errno.EDQUOT: "your disk quota is used up. Files written so far are kept. Free some space",
    errno.EFBIG: "the file would be larger than this system allows. Use another disk",
    errno.EACCES: "permission denied. Get read and write permission there, or use another folder",
    errno.EPERM: "operation not permitted. Get read and write permission there, or use another folder",
    errno.EROFS: "this disk is read-only. Use another folder",
    errno.ENOENT: "there is no such file or folder. Check the path",
    errno.ENOTDIR: "a part of this path is a file, but must be a folder. Check the path",
    errno.EISDIR: "this is a folder, but must be a file. Check the path",
    errno.EEXIST: "this exists already and is not a folder. Use another path",
    errno.ENAMETOOLONG: "this name is too long for this disk. Use another folder",
    errno.EIO: "the disk cannot be read or written. Check the disk or the network share",
    errno.ESTALE: "the network share is gone. Mount it again",
    errno.EMFILE: "too many files are open. Raise the limit ('ulimit -n 4096')",
    errno.ENFILE: "too many files are open on this machine. Close other programs",
    errno.ENOMEM: "there is not enough memory. Close other programs, or use fewer --workers",
    errno.EAGAIN: "the system cannot start more processes. Close other programs, or use fewer --workers",
}
_DATABASE = {
    "full": "the disk is full. What was saved so far is kept. Free some space",
    "readonly": "it is read-only. Get write permission for it",
    "unable to open": "it cannot be opened. Check the permissions of the folder and the file",
    "locked": "another program has locked it. Close that program",
    "not a database": "it is not a manual grading database, or is damaged. Move it away, or restore a backup",
    "malformed": "it is damaged. Restore a backup, or move it away",
}


class RefusedError(click.ClickException):
    """A command that cannot go on where it runs; the message says why."""

    exit_code = REFUSED


def refused(error: Exception) -> RefusedError | None:
    """The error in a sentence; None if it is not one of the system's."""
    if isinstance(error, sqlite3.Error):
        told = next((words for part, words in _DATABASE.items() if part in str(error)), f"{error}. Fix this")
        return RefusedError(
            f"desk.sqlite3, the manual grading database: {told}, then run the same command again."
        )
    if not isinstance(error, OSError) or error.errno == errno.EPIPE:
        return None
    if error.errno is None:
        return RefusedError(str(error))
    where = " → ".join(os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None)
    told = _WORDS.get(error.errno, f"{error.strerror}. Fix this")
    return RefusedError(f"{where + ': ' if where else ''}{told}, then run the same command again.")
