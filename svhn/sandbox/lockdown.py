"""The last step before a confined command starts: give up rights, set limits, close off system calls.

`svhn.sandbox.bubblewrap` runs this file inside bubblewrap, on its own and with Python's standard library only. It then
turns into the command.
"""

import ctypes
import json
import os
import resource
import sys

SANDBOX_USER = 1000  # What the command sees as its own number.
HOST_USER = 65534  # Nobody: what the grader's root becomes before any foreign code runs.
FAILED = 97  # Exit status where a step of this file failed.

_NEW_USER_NAMESPACE = 0x10000000
_PR_SET_DUMPABLE = 4
_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # libseccomp's actions: EPERM is 1, ENOSYS 38.
# Memory that no limit counts, other processes' memory, namespaces, mounts and the kernel's less guarded corners. A
# notebook needs none of them.
_REFUSED_CALLS = (
    "memfd_create memfd_secret shmget shmat msgget semget mq_open "
    "ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp "
    "unshare setns mount umount2 pivot_root chroot move_mount open_tree fsopen fsmount fspick mount_setattr "
    "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key "
    "init_module finit_module delete_module kexec_load kexec_file_load open_by_handle_at name_to_handle_at "
    "swapon swapoff acct quotactl reboot settimeofday clock_settime adjtimex syslog personality vhangup"
).split()


class _Comparison(ctypes.Structure):
    """libseccomp's condition on one argument of a system call."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def main() -> None:
    """Reads the limits from the first argument, as JSON, and becomes the command in the others."""
    limits, command = json.loads(sys.argv[1]), sys.argv[2:]
    try:
        if os.getuid() == 0:
            _leave_root()
        _set_limits(limits)
        _refuse_calls()
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(FAILED)
    os.execv(command[0], command)


def _leave_root() -> None:
    """Becomes nobody in a user namespace of its own.

    As root, the limit on processes would not hold, and whatever belongs to root on the machine would belong to the
    command. Where an ordinary user grades, bubblewrap has made the namespace already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    os.setgroups([])
    os.setresgid(HOST_USER, HOST_USER, HOST_USER)
    os.setresuid(HOST_USER, HOST_USER, HOST_USER)
    # Changing the user makes /proc/self root's; this gives it back.
    libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    if libc.unshare(_NEW_USER_NAMESPACE):
        raise OSError(ctypes.get_errno(), "no user namespace")
    for name, content in (
        ("/proc/self/setgroups", "deny"),
        ("/proc/self/uid_map", f"{SANDBOX_USER} {HOST_USER} 1"),
        ("/proc/self/gid_map", f"{SANDBOX_USER} {HOST_USER} 1"),
        ("/proc/sys/user/max_user_namespaces", "0"),
    ):
        handle = os.open(name, os.O_WRONLY)
        os.write(handle, content.encode())
        os.close(handle)


def _set_limits(limits: dict[str, int]) -> None:
    """Limits of the kernel's own; the first is set inside the user namespace, so that it counts its processes only."""
    for name, value in (
        (resource.RLIMIT_NPROC, limits["tasks"]),
        (resource.RLIMIT_DATA, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["disk"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"] + 5),  # The grader's own watch comes first, and says why.
        (resource.RLIMIT_NOFILE, 4096),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 1 << 16),
    ):
        _, hard = resource.getrlimit(name)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))


def _refuse_calls() -> None:
    """Loads a filter of system calls that this process and all it starts can never take off."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    filters = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))

    def refuse(name: str, action: int, *conditions: _Comparison) -> None:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # Not every processor has every call.
            array = (_Comparison * len(conditions))(*conditions)
            if library.seccomp_rule_add_array(filters, ctypes.c_uint32(action), number, len(conditions), array):
                raise OSError(f"cannot refuse the system call {name}")

    for name in _REFUSED_CALLS:
        refuse(name, _REFUSE)
    # The C library goes on with clone where clone3, whose flags no filter can read, is unknown.
    refuse("clone3", _UNKNOWN)
    masked_equal = 7
    refuse("clone", _REFUSE, _Comparison(0, masked_equal, _NEW_USER_NAMESPACE, _NEW_USER_NAMESPACE))
    if library.seccomp_load(filters):
        raise OSError("cannot load the filter of system calls")


if __name__ == "__main__":
    main()
