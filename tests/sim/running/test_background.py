"""Work beside the main thread gives its result, or its exception, to whoever waits."""

import subprocess
import sys

import pytest

from sim.running import background


def test_the_result_is_there_when_asked_for():
    assert background.started(lambda: 6 * 7)() == 42


def test_an_exception_is_raised_where_the_result_is_asked_for():
    def fail() -> int:
        raise ValueError("no law")

    result = background.started(fail)
    with pytest.raises(ValueError, match="no law"):
        result()


def test_it_does_not_keep_a_process_from_ending():
    script = (
        "from sim.running.background import started\nimport time\nstarted(lambda: time.sleep(60))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=50)
