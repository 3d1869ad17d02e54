"""Runs first in an observed Python: its imports then mark the look-ups that the observer would drop anyway.

An import of a large library asks for ten thousand files below the interpreter's own directories, and each
question stops the process until the observer has let it go on. Where a path is absolute the kernel ignores
the directory descriptor given with it; a certain impossible one is the mark by which the filter lets the call
through unasked. All else is asked as ever, and an interpreter without these inner functions is only slower.
What brought this file here is taken back: the program finds its environment and path as they were given.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any  # noqa: F401  in comments, which any Python can read

_MARK = -0x44524F50  # syscalls.UNSEEN, which cannot be imported here
_IMPORTS = -0x44524F51  # syscalls.IMPORTS
_LISTING = 0x40F50  # syscalls.LISTING
_ENCODING = sys.getfilesystemencoding()


def _take_back():  # type: () -> tuple[str, ...]
    """Undo the two variables and the path entry; the prefixes that need no asking."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    unseen = os.environ.pop("DRYSTONE_UNSEEN", "")
    first, _, rest = os.environ.get("PYTHONPATH", "").partition(os.pathsep)
    if first == here:
        if rest:
            os.environ["PYTHONPATH"] = rest
        else:
            del os.environ["PYTHONPATH"]
    if here in sys.path:
        sys.path.remove(here)
    sys.path_importer_cache.pop(here, None)
    return tuple(filter(None, unseen.split(os.pathsep)))


def _content(fd):  # type: (int) -> bytes
    """All bytes of a file that was just opened, which is closed."""
    try:
        size = os.fstat(fd).st_size
        data = os.read(fd, size + 1)
        if len(data) != size:  # it grew, or was read in part
            while more := os.read(fd, 1 << 20):
                data += more
        return data
    finally:
        os.close(fd)


class _Directories:
    """Lists open directories with the mark, once the program itself has loaded what that takes: ctypes."""

    def __init__(self):  # type: () -> None
        numbers = {"x86_64": 217, "aarch64": 61} if sys.maxsize > 2**32 else {}
        self._number = numbers.get(os.uname().machine)
        self._buffers = []  # type: list[Any]
        self._list = None  # type: Any

    def names(self, fd):  # type: (int) -> list[str]
        """As os.listdir; with the mark there may be `.` and `..` among them."""
        if self._list is None and not self._load():
            return os.listdir(fd)  # noqa: PTH208
        names = []
        buffer = self._buffers.pop() if self._buffers else bytearray(_LISTING)
        while (size := self._list(fd, buffer)) > 0:
            # struct linux_dirent64: inode, offset, length of the entry, type, name and its end
            place = 0
            while place < size:
                names.append(buffer[place + 19 : buffer.index(0, place + 19)])
                place += buffer[place + 16] | buffer[place + 17] << 8
        self._buffers.append(buffer)
        if size < 0:
            os.lseek(fd, 0, os.SEEK_SET)
            return os.listdir(fd)  # noqa: PTH208
        return b"/".join(names).decode(_ENCODING, "surrogateescape").split("/")

    def _load(self):  # type: () -> bool
        """Whether the system call can be made directly."""
        ctypes = sys.modules.get("ctypes")
        number = self._number
        if ctypes is None or number is None or not hasattr(ctypes, "c_int64"):  # which it defines last
            return False
        try:
            call = ctypes.CDLL(None).syscall
        except (AttributeError, OSError):
            self._number = None
            return False
        call.argtypes = ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
        call.restype = ctypes.c_long
        whole, address = ctypes.c_char * _LISTING, ctypes.addressof
        self._list = lambda fd, buffer: call(number, fd, address(whole.from_buffer(buffer)), _LISTING)
        return True


def _mark(prefixes):  # type: (tuple[str, ...]) -> None
    """Let the import system ask for what lies below `prefixes` with the mark."""
    # typeshed knows few of the inner functions of importlib that are read and replaced here
    import _frozen_importlib_external as machinery

    read, plain_stat, plain_open = machinery.FileLoader.get_data, os.stat, os.open

    def is_unseen(path):  # type: (object) -> bool
        return isinstance(path, str) and path.startswith(prefixes) and "/.." not in path

    asked = set()  # type: set[str]

    def marked_stat(path):  # type: (str) -> os.stat_result
        # every import asks again for each directory on the path, which tells nothing after the first time
        if is_unseen(path) or path in asked:
            return plain_stat(path, dir_fd=_MARK)
        if path.startswith("/"):
            asked.add(path)
        return plain_stat(path)

    def marked_open(path, flags):  # type: (str, int) -> int
        return plain_open(path, flags, dir_fd=_MARK)

    def marked_read(self, path):  # type: (machinery.FileLoader, str) -> bytes
        if not is_unseen(path):
            return read(self, path)
        return _content(marked_open(path, os.O_RDONLY | os.O_CLOEXEC))

    directories = _Directories()
    plain_fill = machinery.FileFinder._fill_cache  # type: ignore[attr-defined]  # private

    def marked_fill(self):  # type: (machinery.FileFinder) -> None
        if not is_unseen(self.path):
            # that Python looks for modules is not to depend on which steps there are
            tell(self.path)
            try:
                plain_fill(self)
            finally:
                tell(self.path)
            return
        try:
            fd = marked_open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            plain_fill(self)
            return
        try:
            self._path_cache = set(directories.names(fd))  # type: ignore[attr-defined]  # private
        finally:
            os.close(fd)

    def tell(path):  # type: (str) -> None
        try:  # noqa: SIM105  contextlib would be imported
            plain_stat(path, dir_fd=_IMPORTS)
        except (OSError, ValueError):
            pass

    machinery._path_stat = marked_stat  # type: ignore[attr-defined]  # private
    machinery.FileFinder._fill_cache = marked_fill  # type: ignore[attr-defined]
    machinery.FileLoader.get_data = marked_read  # type: ignore[method-assign]


_prefixes = _take_back()
try:
    if _prefixes:
        _mark(_prefixes)
except (ImportError, AttributeError):
    pass
_this = sys.modules.pop(__name__)
try:
    __import__(__name__)  # the one that this file has hidden, if there is one
except ImportError as error:
    if getattr(error, "name", __name__) != __name__:
        raise
finally:
    sys.modules.setdefault(__name__, _this)
