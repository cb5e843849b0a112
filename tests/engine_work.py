"""Functions for the engine's tests, in a module that worker processes can import."""
import gc
import os
import time
from pathlib import Path


def square(records):
    return [{"n": record["n"], "square": record["n"] ** 2} for record in records]


def only_even(records):
    return [record for record in records if record["n"] % 2 == 0]


def fail_on(records, n):
    if any(record["n"] == n for record in records):
        raise ZeroDivisionError(f"record {n}")
    return square(records)


def slow_square(records, seconds, log):
    """Square, slowly, and leave a line for each call in the file `log`."""
    with open(log, "a") as file:
        file.write(f"{records[0]['n']}\n")
    time.sleep(seconds)
    return square(records)


def who(records):
    return [{"pid": os.getpid()} for _ in records]


def die_once(records, marker):
    """Kill the worker the first time, as a machine that goes away would."""
    if not Path(marker).exists():
        Path(marker).touch()
        os._exit(9)
    return square(records)


def echo(records):
    return records


def threshold(records):
    return [{"threshold": gc.get_threshold()[0]} for _ in records]
