"""Runs and studies of the format before this one, whose descriptions had no checksum.

They are reported, but not continued: nothing says whether their samples are what was written.
"""

import json
from collections.abc import Mapping
from typing import Any

from sim.storage.folder import Folder

FORMAT = 2
"""The earlier format of runs."""

OF_STUDIES = 1
"""The earlier format of studies."""

STUDY = "study.json"
"""What described a study."""


def study(folder: Folder) -> dict[str, Any]:
    """The description of a study of the earlier format, in the form of today's.

    Raises:
        OSError: There is none.
        ValueError: It is damaged; a KeyError or TypeError for the same reason.
    """
    content = json.loads(folder.read(STUDY))
    version = FORMAT if content["format"] == OF_STUDIES else content["format"]
    config = json.dumps(content["config"])
    about = {"experiment": "training", "config": config, "sessions": content["sessions"]}
    return {"attributes": {"format": version} | about}


def check(attributes: Mapping[str, Any]) -> None:
    """Raises ValueError, KeyError or TypeError if the attributes are not what they should be."""
    config = json.loads(attributes["config"])
    is_study = attributes.get("experiment") == "training"
    lists = [config[name] for name in (("sizes",) if is_study else ("widths", "sizes"))]
    numbers = [config["seeds"], *(number for numbers in lists for number in numbers)]
    sessions = [session["versions"] | {} for session in attributes["sessions"]]
    words = [attributes.get("experiment", ""), attributes.get("sampler", "")]
    if not (
        sessions
        and all(isinstance(number, int) and number > 0 for number in numbers)
        and all(isinstance(word, str) for word in words)
        and isinstance(attributes.get("pilot", 0), int)
    ):
        raise ValueError
