"""Runs cases under whatever Python executes this file: `python trace_guest.py PACKAGE_FOLDER`, JSON in, JSON out.

In: `[[code, call], …]`. Out: what the recorder says of each, probes included. Only the standard library is there.
"""

import json
import sys
import types


class Ended(BaseException):
    pass


def finish(result):
    raise Ended(result)


def observe(recorder, code, call):
    limits = {"events": 5000, "value_chars": 2000, "output_bytes": 65536}
    try:
        return recorder.run(recorder.prepare({"code": code}, limits), {"op": "observe", "call": call, "probes": True}, limits, finish)
    except Ended as end:
        return end.args[0]


def main():
    package = types.ModuleType("verified_code_cot")
    package.__path__ = [sys.argv[1]]
    sys.modules["verified_code_cot"] = package
    from verified_code_cot import recorder

    sys.stdout.write(json.dumps([observe(recorder, code, call) for code, call in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
