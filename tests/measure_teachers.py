"""How busy are 512 requests in flight kept over 10,000 slow answers?

    python tests/measure_teachers.py [QUESTIONS IN_FLIGHT SECONDS]

The server is a process of its own.
"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from verified_code_cot.messages import ask
from verified_code_cot.teachers import Settings, Teacher


def main(questions=10_000, in_flight=512, seconds=10.0):
    command = [sys.executable, str(Path(__file__).with_name("fake_teacher.py")), str(seconds)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(model="m", base_urls=(url,), cache=Path(folder) / "a.sqlite", in_flight=in_flight)
        with Teacher(settings) as teacher:
            start, busy = time.monotonic(), time.process_time()
            replies = teacher.ask("measure", [ask(str(n), f"question {n}") for n in range(questions)])
            wall, cpu = time.monotonic() - start, time.process_time() - busy
    found = json.loads(server.communicate()[0])
    share = found["mean_in_flight"] / in_flight
    answered = sum(r.status == "answered" for r in replies)
    print(json.dumps({**found, "answered": answered, "busy": round(share, 4), "wall_s": round(wall, 1), "cpu_s": round(cpu, 1)}))


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, int, float), sys.argv[1:], strict=False)))
