"""The first process inside the sandbox: gives up rights, sets limits, closes off system calls, starts the command.

`svhn.sandbox.bubblewrap` runs this file inside bubblewrap, on its own and with Python's standard library only. It stays
as process 1, so no process of bubblewrap's is within the command's reach. It holds the output of the sandbox, but
nothing inside can look into it, write to it, stop it or end it.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import threading

SANDBOX_USER = 1000  # The command's user inside.
HOST_USER = 65534  # Nobody: the grader's root becomes this user before any foreign code runs.
FAILED = 97  # The exit status where a step of this file failed, and never the command's.

_NEW_USER_NAMESPACE = 0x10000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_CAPABILITY_VERSION = 0x20080522
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # libseccomp's actions; the second takes an error number.
_IGNORED, _NOT_PERMITTED, _NOT_KNOWN, _NOT_SUPPORTED = 0, 1, 38, 95
_DIFFERENT, _GREATER, _MASKED_EQUAL = 1, 6, 7  # libseccomp's comparisons.
_INTEGER = 0xFFFFFFFF  # The bits that the kernel reads of an argument that is an int.
# Calls for memory that no limit counts, other processes' memory, namespaces, mounts and the kernel's less guarded
# corners. A notebook needs none of them.
_REFUSED_CALLS = (
    "memfd_create memfd_secret shmget shmat msgget semget mq_open vmsplice remap_file_pages seccomp ptrace "
    "process_vm_readv process_vm_writev process_madvise process_mrelease pidfd_getfd kcmp move_pages migrate_pages "
    "unshare setns mount umount2 pivot_root chroot move_mount open_tree fsopen fsmount fspick mount_setattr bpf "
    "perf_event_open userfaultfd fanotify_init io_uring_setup io_uring_enter io_uring_register io_setup keyctl "
    "add_key request_key init_module finit_module delete_module kexec_load kexec_file_load open_by_handle_at "
    "name_to_handle_at swapon swapoff acct quotactl reboot settimeofday clock_settime adjtimex syslog personality "
    "vhangup modify_ldt"
).split()
# The calls that Linux gained since 6.8. No library needs them yet, and libseccomp may not know their names.
_NEW_CALLS = range(457, 512)
_SHARED_ANONYMOUS = 0x21
_FAMILIES = (1, 2, 10)  # UNIX, INET, INET6.
_PROTOCOLS = (0, 1, 6, 17)  # The family's own, UNIX's (ICMP's needs a right that nobody has inside), TCP, UDP.
_SOCKET_LEVEL, _BUFFER_SIZES = 1, (7, 8)


class _Comparison(ctypes.Structure):
    """libseccomp's condition on one argument of a system call."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def main() -> None:
    """Reads the limits from the first argument, as JSON, and runs the command in the others to its end."""
    limits, command = json.loads(sys.argv[1]), sys.argv[2:]
    # The first process of a namespace gets no signal from inside that it has no handler for. The command does not
    # inherit the grader's handler for the end of its children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if os.getuid() == 0:
            _leave_root(libc)
        _drop_capabilities(libc)
        # A change of user makes the kernel forget that this process ends with bubblewrap's process outside. Where root
        # grades, that process may not signal another user's processes: see `_end_with_the_grader`.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _set_limits(limits)
        _refuse_calls()
        # From here on /proc/1 is closed but for name and numbers: memory, open files, environment.
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "process 1 cannot be closed")
        started = os.fork()
    except OSError as error:
        print(error, file=sys.stderr)
        sys.exit(FAILED)
    if not started:
        _become(command)
    threading.Thread(target=_end_with_the_grader, daemon=True).start()
    # The rest of the sandbox ends with this process.
    os._exit(_wait(started))


def _end_with_the_grader() -> None:
    """Ends the sandbox when nobody reads its output any more, that is, when the grader was killed.

    Nothing inside can pass for a reader where root grades: the pipe is root's.
    """
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # poll always reports errors.
    output.poll()
    os._exit(FAILED)


def _become(command: list[str]) -> None:
    try:
        os.execv(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    os._exit(127)


def _wait(started: int) -> int:
    """Waits for the command, and for every process whose parent has ended; returns a shell's exit status."""
    while True:
        ended, state = os.wait()
        if ended == started:
            code = os.waitstatus_to_exitcode(state)
            code = code if code >= 0 else 128 - code
            return code if code != FAILED else 1


def _leave_root(libc: ctypes.CDLL) -> None:
    """Becomes nobody in a user namespace of its own.

    As root, the command would have no limit on processes, and would own all of root's files on the machine. Where an
    ordinary user grades, bubblewrap has made the namespace already.
    """
    os.setgroups([])
    os.setresgid(HOST_USER, HOST_USER, HOST_USER)
    os.setresuid(HOST_USER, HOST_USER, HOST_USER)
    # The change of user makes /proc/self root's, and this call gives it back.
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


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Gives up the rights that the maker of a user namespace has in it. The command has none either way."""
    header, rights = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, rights):
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")


def _set_limits(limits: dict[str, int]) -> None:
    """Sets the kernel's limits. The first is set inside the user namespace, and so counts its processes only."""
    for name, value in (
        (resource.RLIMIT_NPROC, limits["tasks"]),
        (resource.RLIMIT_DATA, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["disk"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"] + 5),  # The grader's own watch stops earlier, with a reason.
        (resource.RLIMIT_NOFILE, 1024),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 1 << 16),
    ):
        _, hard = resource.getrlimit(name)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))


def _refuse_calls() -> None:
    """Loads a filter of system calls that neither this process nor its children can take off."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    filters = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))

    def refuse(call: str | int, error: int, *conditions: tuple[int, int, int, int]) -> None:
        number = call if isinstance(call, int) else library.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:  # A processor may lack the call.
            array = (_Comparison * len(conditions))(*(_Comparison(*condition) for condition in conditions))
            action = ctypes.c_uint32(_ERRNO | error)
            if library.seccomp_rule_add_array(filters, action, number, len(conditions), array):
                raise OSError(f"cannot refuse the system call {call}")

    def integer(argument: int, value: int) -> tuple[int, int, int, int]:
        return argument, _MASKED_EQUAL, _INTEGER, value

    for name in _REFUSED_CALLS:
        refuse(name, _NOT_PERMITTED)
    for number in _NEW_CALLS:
        refuse(number, _NOT_KNOWN)
    refuse("prctl", _NOT_PERMITTED, integer(0, _PR_SET_SECCOMP))
    # Other processes' limits may be read and not be changed: process 1 has the same user.
    refuse("prlimit64", _NOT_PERMITTED, (0, _DIFFERENT, 0, 0), (2, _DIFFERENT, 0, 0))
    # No filter can read the flags of clone3. Where it is unknown, the C library uses clone.
    refuse("clone3", _NOT_KNOWN)
    refuse("clone", _NOT_PERMITTED, (0, _MASKED_EQUAL, _NEW_USER_NAMESPACE, _NEW_USER_NAMESPACE))
    # Such pages can take up the machine's memory and be in no process's resident memory.
    refuse("mmap", _NOT_PERMITTED, (3, _MASKED_EQUAL, _SHARED_ANONYMOUS, _SHARED_ANONYMOUS))
    # ZeroMQ tries a family that it can do without, and ends the kernel at any other error than this.
    for name, argument, known in (("socket", 0, _FAMILIES), ("socketpair", 0, _FAMILIES), ("socket", 2, _PROTOCOLS)):
        for number in set(range(max(known))) - set(known):
            refuse(name, _NOT_SUPPORTED, integer(argument, number))
        refuse(name, _NOT_SUPPORTED, (argument, _GREATER, max(known), 0))
    # A buffer keeps the size that the watch outside counts. For a program, a new size is only a wish.
    for option in _BUFFER_SIZES:
        refuse("setsockopt", _IGNORED, integer(1, _SOCKET_LEVEL), integer(2, option))
    if library.seccomp_load(filters):
        raise OSError("cannot load the filter of system calls")


if __name__ == "__main__":
    main()
