"""How much memory a process and all its descendants hold."""

import psutil


def tree_memory_bytes(pid: int) -> int:
    """Return resident bytes of ``pid`` and everything below it; what has ended counts nothing."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for each in family:
        try:
            total += each.memory_info().rss
        except psutil.Error:
            continue
    return total
