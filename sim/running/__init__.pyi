from . import background as background
from . import command_line as command_line
from . import compilation as compilation
from . import memory as memory
from . import needs as needs

__all__ = ["background", "command_line", "compilation", "memory", "needs"]
