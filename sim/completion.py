"""Completion of `sqrt-d-law` in a shell: the commands, their flags, and the values of these.

`sqrt-d-law --completion bash` prints the script; what it knows is read from the --help of every
command, so that nothing is said twice.
"""

import re
from collections.abc import Mapping, Sequence

from sim.statements.configuration import LATER
from theory.architectures import ARCHITECTURES
from theory.statements import STATEMENTS

SHELLS = ("bash", "zsh")

WORDS: dict[str, Sequence[str]] = {
    "theory": tuple(STATEMENTS),
    "simulate": tuple(STATEMENTS),
    "later": LATER,
    "laws": tuple(ARCHITECTURES),
}
"""What commands take without a flag."""

FLAG = re.compile(r"^(?:│ |  )(?:-\w, )?(--[a-z][a-z-]*)(.*)$", re.MULTILINE)
"""A flag at the beginning of its lines in the help, framed by tyro or not by argparse."""


def flags_of(text: str) -> dict[str, tuple[str, ...]]:
    """The flags in a --help, with the values that it lists in braces."""
    found: dict[str, tuple[str, ...]] = {}
    for flag, rest in FLAG.findall(text):
        listed = re.search(r"\{([^{}]+)\}", rest)
        found[flag] = tuple(listed[1].split(",")) if listed else ()
    return found


def script(shell: str, helps: Mapping[str, str]) -> str:
    """The script that a shell reads.

    Args:
        shell: One of `SHELLS`.
        helps: The --help of every command by its name.
    """
    cases = "\n".join(map(_case, helps, helps.values()))
    start = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return start + _SCRIPT.replace("COMMANDS", " ".join(helps)).replace("CASES", cases)


def _case(name: str, text: str) -> str:
    """What is known of one command: its flags, and the values of the flag before the word."""
    flags = flags_of(text)
    lines = [f"    {name})", f'      words="{" ".join((*flags, *WORDS.get(name, ())))}"']
    lines += ['      case "$flag" in']
    lines += [f'        {flag}) words="{" ".join(of)}" ;;' for flag, of in flags.items() if of]
    return "\n".join([*lines, "      esac", "      ;;"])


_SCRIPT = """\
# completion of sqrt-d-law: source <(sqrt-d-law --completion bash)
_sqrt_d_law() {
  local word="${COMP_WORDS[COMP_CWORD]}" words="" flag="" i
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "COMMANDS --help --completion" -- "$word"))
    return
  fi
  # the flag whose values are being written, if the word is not a flag itself
  for ((i = COMP_CWORD - 1; i > 1; i--)); do
    case "${COMP_WORDS[i]}" in --*) flag="${COMP_WORDS[i]}"; break ;; esac
  done
  case "$word" in -*) flag="" ;; esac
  case "${COMP_WORDS[1]}" in
CASES
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _sqrt_d_law sqrt-d-law
"""
