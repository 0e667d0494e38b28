"""What sshd starts as its SFTP server: passes everything on to the real one, and strikes where a test asks for it.

`sftp_relay.py <sftp-server> <folder of faults>`. The next file that is put takes the oldest fault (a file there):

- `later`, `no right`: it may not be opened. `full`: nothing may be written to it.
- `lost`: it gets its name, and the connection ends without an answer.
- `nothing done`: the connection ends before it gets its name. `late`: the same, and it gets its name a while later.
"""

import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

_OPEN, _WRITE, _RENAME, _STATUS = 3, 6, 18, 101
_FOR_WRITING = 2
_FAILURE, _NO_RIGHT = 4, 3
_LATE_SECONDS = 0.4


def packet(source: IO[bytes]) -> bytes:
    """One packet without its length; b"" at the end."""
    head = source.read(4)
    return source.read(struct.unpack(">I", head)[0]) if len(head) == 4 else b""


def send(target: IO[bytes], content: bytes) -> None:
    """One packet."""
    target.write(struct.pack(">I", len(content)) + content)
    target.flush()


def refuse(request: bytes, code: int) -> None:
    """Answers it with a status."""
    send(sys.stdout.buffer, bytes([_STATUS]) + request[1:5] + struct.pack(">III", code, 0, 0))


def paths(content: bytes) -> list[str]:
    """The two paths of a rename."""
    found: list[str] = []
    at = 5
    while at < len(content):
        size = struct.unpack(">I", content[at : at + 4])[0]
        found.append(os.fsdecode(content[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def is_put(content: bytes) -> bool:
    """Whether it opens a file to write it."""
    size = struct.unpack(">I", content[5:9])[0]
    return bool(struct.unpack(">I", content[9 + size : 13 + size])[0] & _FOR_WRITING)


def next_fault(folder: Path) -> str | None:
    """Takes the oldest, or None; several relays look at once."""
    for one in sorted(folder.iterdir()):
        try:
            one.unlink()
        except FileNotFoundError:
            continue
        return one.name.partition(" ")[2]
    return None


def main(program: str, faults: str) -> None:
    """Until either side ends."""
    server = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    awaited: list[bytes] = []

    def back(source: IO[bytes]) -> None:
        while answer := packet(source):
            if answer[1:5] in awaited:
                os._exit(0)  # done, and nobody is told
            send(sys.stdout.buffer, answer)
        os._exit(0)

    threading.Thread(target=back, args=(server.stdout,), daemon=True).start()
    fault = None
    while request := packet(sys.stdin.buffer):
        if request[0] == _OPEN and is_put(request):
            fault = next_fault(Path(faults))
            if fault in {"later", "no right"}:
                refuse(request, _NO_RIGHT if fault == "no right" else _FAILURE)
                continue
        if request[0] == _WRITE and fault == "full":
            refuse(request, _FAILURE)
            continue
        if request[0] == _RENAME and fault == "nothing done":
            break
        if request[0] == _RENAME and fault == "late":
            if os.fork() == 0:
                os.close(0)
                os.close(1)
                time.sleep(_LATE_SECONDS)
                os.link(*paths(request))
            break
        if request[0] == _RENAME and fault == "lost":
            awaited.append(request[1:5])
        send(server.stdin, request)
    os._exit(0)


main(*sys.argv[1:])
