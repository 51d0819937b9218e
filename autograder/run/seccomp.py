"""The filter of system calls in the sandbox: what no homework needs and what reaches beyond the limits.

A filter is a program for the Linux kernel's packet filter machine, made here as bytes; the zygote gets it
with its request and installs it without knowing what it says.
"""

from __future__ import annotations

import errno
import platform
import struct

# (x86-64, 64-bit ARM). memfd and System V shared memory would hold memory that no limit counts.
DENIED = {
    "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "io_uring_setup": (425, 425),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "pidfd_getfd": (438, 438), "mount_setattr": (442, 442),
}  # fmt: skip
CLONE3, CLONE, SOCKET = (435, 435), (56, 220), (41, 198)
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

NEWUSER = 0x10000000  # clone's flag for a new user namespace
LAST_FAMILY = (
    16  # AF_NETLINK, the last that is allowed; AF_VSOCK, which reaches a machine's host, comes later
)
X32 = 0x3FFFFFFF  # numbers above belong to another table of system calls

LOAD, JUMP_EQUAL, JUMP_GREATER, JUMP_BITS, GIVE = 0x20, 0x15, 0x25, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16  # offsets in what a filter can load
REFUSED, UNKNOWN, ALLOWED = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x7FFF0000

Rule = tuple[int, int, int, int]  # operation, rules to skip if true, rules to skip if false, operand


def filter_bytes(machine: str | None = None) -> bytes:
    """Makes the filter.

    Args:
        machine: as :func:`platform.machine` names it; this one if left out.

    Returns:
        Eight bytes a rule; none where the numbers of system calls are not known.
    """
    machine = machine or platform.machine()
    if machine not in AUDIT_ARCH:
        return b""
    return b"".join(struct.pack("=HBBI", *rule) for rule in _rules(machine))


def _rules(machine: str) -> list[Rule]:
    column = list(AUDIT_ARCH).index(machine)
    refuse: Rule = (GIVE, 0, 0, REFUSED)
    rules: list[Rule] = [
        (LOAD, 0, 0, ARCHITECTURE), (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]), refuse,
        (LOAD, 0, 0, NUMBER), (JUMP_GREATER, 0, 1, X32), refuse,
        (JUMP_EQUAL, 0, 1, CLONE3[column]), (GIVE, 0, 0, UNKNOWN),  # the C library falls back to clone
    ]  # fmt: skip
    for numbers in DENIED.values():
        rules += [(JUMP_EQUAL, 0, 1, numbers[column]), refuse]
    rules += [
        (JUMP_EQUAL, 0, 3, CLONE[column]), (LOAD, 0, 0, ARGUMENT), (JUMP_BITS, 0, 1, NEWUSER), refuse,
        (LOAD, 0, 0, NUMBER),
        (JUMP_EQUAL, 0, 3, SOCKET[column]), (LOAD, 0, 0, ARGUMENT), (JUMP_GREATER, 0, 1, LAST_FAMILY), refuse,
    ]  # fmt: skip
    return [*rules, (GIVE, 0, 0, ALLOWED)]
