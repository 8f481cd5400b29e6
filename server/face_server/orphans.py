"""A server must not outlive its launcher: nobody would look after it, and it would keep the ports from the next one."""

import shutil
import threading
from collections.abc import Sequence

# Of util-linux, which every usual distribution has.
_SETPRIV = "setpriv"


def without_orphans(command: Sequence[str]) -> list[str]:
    """A command that ends with SIGTERM when this process ends, whatever ends it.

    The kernel's signal comes with the end of the thread that starts the command. So a command that any thread but the
    main one starts is left as it is, as on a machine without `setpriv`.
    """
    setpriv = shutil.which(_SETPRIV)
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return list(command)
    return [setpriv, "--pdeathsig", "TERM", "--", *command]
