"""What LocalStack 4.13 takes for granted and older Pythons lack."""

import hashlib
import sys
import threading
import uuid


def prepare() -> None:
    """Makes LocalStack run on Python 3.11 and 3.12. Nothing of it may have been imported yet."""
    if sys.version_info < (3, 13):
        import_packages_module()
    if sys.version_info < (3, 12):
        uuid.uuid5 = uuid5


def import_packages_module() -> None:
    """Imports `localstack.packages.api`, which annotates with `Lock | None`.

    Before Python 3.13 `threading.Lock` is a function and knows no `|`; a class in its place for the time of the import does.
    """
    lock = threading.Lock

    class Lock:
        def __new__(cls):
            return lock()

    threading.Lock = Lock
    try:
        import localstack.packages.api  # noqa: F401
    finally:
        threading.Lock = lock


def uuid5(namespace: uuid.UUID, name: str | bytes) -> uuid.UUID:
    """`uuid.uuid5` as it is since Python 3.12: the name may be bytes. KMS names its keys so."""
    name = name.encode() if isinstance(name, str) else name
    return uuid.UUID(bytes=hashlib.sha1(namespace.bytes + name).digest()[:16], version=5)
