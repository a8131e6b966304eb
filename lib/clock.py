"""Times as they are printed."""


def clock(seconds: float | None) -> str:
    """Seconds as 0:04, 12:30 or 2:05:00; "unknown" for None."""
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
