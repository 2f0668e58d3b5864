"""How many files a process may have open: each socket is one, and systems are frugal unless they are asked."""

import logging
import resource

_log = logging.getLogger(__name__)

# Beside its connections: a database's, what background work calls, logs and libraries.
_OTHERS = 500
_TOO_FEW = "%d files may be open, too few for %d connections: raise `ulimit -n`, or lower RINGSIDE_CONNECTIONS"


def make_room(connections: int) -> None:
    """Raise this process's own limit to what so many connections take, as far as the system lets it; warn if not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    given = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (given, hard))
    if given < wanted:
        _log.warning(_TOO_FEW, given, connections)
