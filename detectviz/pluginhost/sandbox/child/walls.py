"""What a process does to itself before it runs code of strangers: limits, identity, system calls.

Standard library only. Run as a program it puts up the walls and becomes another program:
``walls.py '{"…": …}' argv…``.
"""

import ctypes
import json
import os
import platform
import resource
import struct
import sys
from typing import Any, Final

FIRST_UID: Final = 1_900_000_000
NOBODY: Final = 65_534
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_ALLOW: Final = 0x7FFF_0000
_REFUSE: Final = 0x0005_0000  # SECCOMP_RET_ERRNO, the number in the low bits
_KILL: Final = 0x8000_0000
_EPERM: Final = 1
_ENOSYS: Final = 38
_AF_UNIX: Final = 1
_CLONE_THREAD: Final = 0x0001_0000
_NEW_NAMESPACES: Final = 0x7E02_0000  # CLONE_NEW* but CLONE_NEWTIME, which clone cannot take

# Names by machine: (x86_64, aarch64); None where the machine has no such call.
_CALLS: Final[dict[str, tuple[int | None, int | None]]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "personality": (135, 92),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "memfd_secret": (447, 447),
    "modify_ldt": (154, None),
    "ioperm": (173, None),
    "iopl": (172, None),
}
_PROCESSES: Final[dict[str, tuple[int | None, int | None]]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
}
_SOCKET: Final = (41, 198)
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)
_MACHINES: Final = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}
_X32_BIT: Final = 0x4000_0000

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_AT_CALL, _AT_MACHINE, _AT_FIRST_ARGUMENT = 0, 4, 16


def put_up(walls: dict[str, Any]) -> None:
    """Give up everything ``walls`` does not leave; raise OSError when that fails.

    Keys: ``memory_bytes``, ``file_bytes``, ``open_files``, ``cpu_s``, ``processes``, ``uid`` (0
    keeps it), ``may_fork``, ``may_connect``, ``nice``.
    """
    os.umask(0o077)
    if walls["nice"]:
        os.nice(walls["nice"])
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, walls["file_bytes"])
    _limit(resource.RLIMIT_NOFILE, walls["open_files"])
    _limit(resource.RLIMIT_AS, walls["memory_bytes"])
    _limit(resource.RLIMIT_CPU, walls["cpu_s"])
    libc = ctypes.CDLL(None, use_errno=True)
    if walls["uid"] and os.geteuid() == 0:
        _become(walls["uid"])
    _limit(resource.RLIMIT_NPROC, walls["processes"])
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _prctl(libc, _PR_SET_DUMPABLE, 0)
    program = filter_program(
        platform.machine(), may_fork=walls["may_fork"], may_connect=walls["may_connect"]
    )
    if program:
        _install(libc, program)


def filter_program(machine: str, *, may_fork: bool, may_connect: bool) -> bytes:
    """Return the seccomp filter as classic BPF; empty for a machine without a table.

    Everything is allowed but what only administrators, debuggers and container tools use; and
    sockets other than Unix ones, and new processes (threads stay), where they are not granted.
    """
    if machine not in _MACHINES:
        return b""
    column, audit = _MACHINES[machine]
    lines = [
        _line(_LOAD, 0, 0, _AT_MACHINE),
        _line(_EQUAL, 1, 0, audit),
        _line(_RETURN, 0, 0, _KILL),
        _line(_LOAD, 0, 0, _AT_CALL),
        _line(_AT_LEAST, 0, 1, _X32_BIT),
        _line(_RETURN, 0, 0, _REFUSE | _EPERM),
    ]
    refused = {**_CALLS, **({} if may_fork else _PROCESSES)}
    for numbers in refused.values():
        number = numbers[column]
        if number is not None:
            lines += [_line(_EQUAL, 0, 1, number), _line(_RETURN, 0, 0, _REFUSE | _EPERM)]
    # clone3 keeps its flags in memory, where no filter sees them: libc falls back to clone.
    lines += [_line(_EQUAL, 0, 1, _CLONE3[column]), _line(_RETURN, 0, 0, _REFUSE | _ENOSYS)]
    lines += _clone_lines(_CLONE[column], may_fork=may_fork)
    if not may_connect:
        lines += [
            _line(_EQUAL, 0, 3, _SOCKET[column]),
            _line(_LOAD, 0, 0, _AT_FIRST_ARGUMENT),
            _line(_EQUAL, 1, 0, _AF_UNIX),
            _line(_RETURN, 0, 0, _REFUSE | _EPERM),
        ]
    return b"".join([*lines, _line(_RETURN, 0, 0, _ALLOW)])


def _clone_lines(number: int, *, may_fork: bool) -> list[bytes]:
    refuse = _line(_RETURN, 0, 0, _REFUSE | _EPERM)
    if may_fork:
        return [
            _line(_EQUAL, 0, 4, number),
            _line(_LOAD, 0, 0, _AT_FIRST_ARGUMENT),
            _line(_ANY_BIT, 0, 1, _NEW_NAMESPACES),
            refuse,
            _line(_RETURN, 0, 0, _ALLOW),
        ]
    return [
        _line(_EQUAL, 0, 4, number),
        _line(_LOAD, 0, 0, _AT_FIRST_ARGUMENT),
        _line(_ANY_BIT, 1, 0, _CLONE_THREAD),
        refuse,
        _line(_RETURN, 0, 0, _ALLOW),
    ]


def _line(code: int, if_true: int, if_false: int, operand: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (wanted, wanted))


def _become(uid: int) -> None:
    os.setgroups([])
    for chosen in (uid, NOBODY):
        try:
            os.setresgid(chosen, chosen, chosen)
            os.setresuid(chosen, chosen, chosen)
        except OSError:
            continue  # a container may map few ids; nobody is the usual one
        return
    raise PermissionError("There is no unprivileged user to become in here.")


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option} was refused")


class _Program(ctypes.Structure):
    _fields_ = (("count", ctypes.c_ushort), ("lines", ctypes.c_void_p))


def _install(libc: ctypes.CDLL, program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    wanted = _Program(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(wanted), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp was refused")


def main() -> None:
    """Put up the walls of the first argument and become the program after it."""
    put_up(json.loads(sys.argv[1]))
    program = sys.argv[2:]
    try:
        os.execv(program[0], program)  # noqa: S606 - an argument vector, no shell
    except OSError as error:
        sys.stderr.write(f"{program[0]} cannot be run: {error.strerror}\n")
        os._exit(126)


if __name__ == "__main__":
    main()
