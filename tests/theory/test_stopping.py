"""A signal ends a command with its status, whatever a library makes of what the handler raises."""

import signal
import subprocess
import sys

import pytest

START = """
import contextlib, ctypes, os, signal, sys, time
from theory import console, stopping

def send():
    os.kill(os.getpid(), signal.{signal})
    time.sleep(60)  # the signal ends it

class Careless:
    def __del__(self):
        try:
            send()
        except KeyboardInterrupt:
            sys.excepthook(*sys.exc_info())  # as Cython does with what it ignores
            raise

def swallowed():
    Careless()
    ctypes.CFUNCTYPE(None)(send)()
"""

MAINS = {
    "by itself": "main = send",
    "and the result is there": "main = lambda: swallowed() or 0",
    "and it never ends": (
        "stopping.GRACE = 0.1\n"
        "def main():\n"
        "    swallowed()\n"
        "    while True:\n"
        "        with contextlib.suppress(KeyboardInterrupt):\n"
        "            time.sleep(0.01)"
    ),
    "and it waits": "def main():\n    swallowed()\n    time.sleep(3600)",
    "and another error comes of it": (
        "def main():\n"
        "    try:\n"
        "        send()\n"
        "    except KeyboardInterrupt:\n"
        "        raise RuntimeError('a library failed')"
    ),
    "and another thread never ends": (
        "import threading\n"
        "def main():\n"
        "    threading.Thread(target=lambda: time.sleep(3600)).start()\n"
        "    send()"
    ),
}


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("case", MAINS)
def test_a_signal_is_the_exit_status(case, name, status):
    script = f"{START.format(signal=name)}\n{MAINS[case]}\nsys.exit(console.run(main))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_ignored_stays_ignored():
    script = START.format(signal="SIGINT") + (
        "def main():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return 7\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "sys.exit(console.run(main))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 7


def test_handlers_are_those_of_before_after_a_command():
    from theory import stopping

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stopping.heeded():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
