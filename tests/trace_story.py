"""A little language for traces: an event is one short line, so a test reads as the trace that it expects.

    f(x=3)                       a call, with its arguments
      2 y=4                      line 2 ran; afterwards y was 4
      3 true                     line 3's test came out true
      g(n=1)                     (indented: one call deeper)
      g -> 2                     a return
      f yields 1 / f resumes     a generator pauses / goes on
      f raises KeyError: 'a'     an exception leaves f
      f catches KeyError: 'a'    … or is caught in it
"""

from textwrap import dedent

from verified_code_cot import recorder

LIMITS = {"events": 20000, "value_chars": 2000, "output_bytes": 65536}


class Ended(BaseException):
    """What `finish` does here, in the tests' own process: unwind (the sandbox's ends the child)."""


def _finish(result):
    raise Ended(result)


def observe(code, call, limits=None, **wanted):
    """Run one case in this process and return what the recorder says."""
    limits = {**LIMITS, **(limits or {})}
    state = recorder.prepare({"code": dedent(code)}, limits)
    try:
        return recorder.run(state, {"op": "observe", "call": call, **wanted}, limits, _finish)
    except Ended as end:
        return end.args[0]


def line_of(event):
    """One event as one line of the language."""
    changed = ", ".join(f"{name}={text}" for name, text in sorted(event["changed"].items()))
    name = event["function"]
    if event["kind"] == "call":
        text = f"{name} resumes {changed}" if event.get("resumed") else f"{name}({changed})"
    elif event["kind"] == "return":
        text = f"{name} {'yields' if event.get('yielded') else '->'} {event['value']}"
    elif event["kind"] == "exception":
        text = f"{name} {'catches' if event.get('caught') else 'raises'} {event['exception']}"
    else:
        outcome = {True: "true ", False: "false ", None: ""}[event.get("outcome")]
        text = f"  {event['line']} {outcome}{changed}"
    return "  " * event["depth"] + text.rstrip()


def story(code, call, **wanted):
    """The trace of a case in the little language."""
    return "\n".join(line_of(event) for event in observe(code, call, **wanted)["events"])


def tells(code, call, expected):
    """Assert that a case's trace reads as expected (pytest shows the two side by side where they differ)."""
    assert story(code, call).splitlines() == dedent(expected).strip("\n").splitlines()
