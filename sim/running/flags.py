"""What flags that may be left out take, in the words of `--help`. Without jax.

Left out, such a flag is None in the configuration; its help says what that means.
"""

from typing import Annotated

from tyro.conf import arg

Name = Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")]
Names = Annotated[tuple[str, ...] | None, arg(metavar="NAME [NAME ...]", help_behavior_hint="")]
Place = Annotated[str | None, arg(metavar="PLACE", help_behavior_hint="")]
"""A file, a folder, or the URL of one."""
Whole = Annotated[int | None, arg(metavar="INT", help_behavior_hint="")]
Wholes = Annotated[tuple[int, ...] | None, arg(metavar="INT [INT ...]", help_behavior_hint="")]
Number = Annotated[float | None, arg(metavar="NUMBER", help_behavior_hint="")]
