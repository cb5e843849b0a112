"""A server that speaks the protocol of OpenAI's chat completions and behaves as badly as it is told; for tests and for measuring.

What it does is decided by words in the question (`fault:429`), by `slow_s`, and by the key and the model that it knows. Each fault happens
once (`fault:429*3`: three times) for one question, and then the question is answered. It counts what it was asked and how many requests were
under way at each moment.
"""
import asyncio
import json
import re
import sys
import threading
import time
from collections import Counter

FAULT = re.compile(r"fault:([\w-]+?)(?:\*(\d+))?(?=\s|$)")


def completion(content, finish="stop", **message):
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": {"prompt_tokens": 10, "completion_tokens": 5},
            "choices": [{"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}]}


class FakeTeacher:
    """`with FakeTeacher(answer) as server:` `server.url`, `server.asked` (times by question), `server.bodies`, `server.most` (requests at the same time)."""

    def __init__(self, answer=lambda body: "answer to " + body["messages"][-1]["content"], slow_s=0.0, key=None, models=None, forbidden=()):
        self.answer, self.slow_s, self.key, self.models, self.forbidden = answer, slow_s, key, models, forbidden
        self.asked, self.bodies, self.now, self.most, self.busy, self.done = Counter(), [], 0, 0, 0.0, 0
        self.since = self.first = self.last = None

    def __enter__(self):
        self.loop, started = asyncio.new_event_loop(), threading.Event()
        self.thread = threading.Thread(target=self.serve, args=(started,), daemon=True)
        self.thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def serve(self, started, port=0):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.connection, "127.0.0.1", port, backlog=2048))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        started.set()
        self.loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def count(self, step):
        now = time.monotonic()
        if self.since is not None:
            self.busy += self.now * (now - self.since)
        self.since, self.first, self.last = now, self.first or now, now
        self.now += step
        self.most = max(self.most, self.now)

    async def connection(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                size = int(re.search(r"content-length: (\d+)", head, re.IGNORECASE)[1])
                body = json.loads(await reader.readexactly(size))
                self.count(+1)
                try:
                    if not await self.reply(head, body, writer):
                        return
                finally:
                    self.count(-1)
                    self.done += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def reply(self, head, body, writer):
        question = body["messages"][-1]["content"]
        self.asked[question] += 1
        self.bodies.append(body)
        if self.key and f"bearer {self.key}" not in head.lower():
            return await self.send(writer, 401, {"error": {"message": "Incorrect API key provided"}})
        if self.models and body["model"] not in self.models:
            return await self.send(writer, 404, {"error": {"message": f"The model `{body['model']}` does not exist"}})
        for name in self.forbidden:
            if name in body:
                return await self.send(writer, 400, {"error": {"message": f"Unsupported parameter: {name}"}})
        fault = FAULT.search(question)
        if fault and self.asked[question] <= int(fault[2] or 1):
            return await getattr(self, "fault_" + fault[1].replace("-", "_"))(writer)
        await asyncio.sleep(self.slow_s)
        said = self.answer(body)
        return await self.send(writer, 200, said if isinstance(said, dict) else completion(said))

    async def send(self, writer, status, value, kind="application/json", **headers):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        lines = [f"HTTP/1.1 {status} x", f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        await writer.drain()
        return True

    async def fault_429(self, writer):
        return await self.send(writer, 429, {"error": {"message": "slow down"}}, Retry_After="0.05")

    async def fault_500(self, writer):
        return await self.send(writer, 500, b"oops", "text/plain")

    async def fault_503(self, writer):
        return await self.send(writer, 503, {"error": {"message": "overloaded"}})

    async def fault_400(self, writer):
        return await self.send(writer, 400, {"error": {"message": "the context is too long"}})

    async def fault_drop(self, writer):
        return False

    async def fault_half(self, writer):
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"choices": [')
        await writer.drain()
        return False

    async def fault_html(self, writer):
        return await self.send(writer, 200, b"<html><body>Welcome to the proxy</body></html>", "text/html")

    async def fault_broken_json(self, writer):
        return await self.send(writer, 200, b'{"choices": [{"message": {"content": "hal')

    async def fault_broken_stream(self, writer):
        return await self.send(writer, 200, b'data: {"choices": [{"delta": {"content": "hal"}}]}\n\ndata: {"cho', "text/event-stream")

    async def fault_stream(self, writer):
        pieces = [{"choices": [{"delta": {"content": text}}]} for text in ("in ", "pieces")] + [{"choices": [{"delta": {}, "finish_reason": "stop"}]}]
        data = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces) + "data: [DONE]\n\n"
        return await self.send(writer, 200, data.encode(), "text/event-stream")

    async def fault_list(self, writer):
        return await self.send(writer, 200, [1, 2])

    async def fault_slow(self, writer):
        await asyncio.sleep(30)
        return False


if __name__ == "__main__":  # fake_teacher.py SECONDS: serve until the input ends, then print what was measured
    server = FakeTeacher(slow_s=float(sys.argv[1]))
    with server:
        print(server.url, flush=True)
        sys.stdin.read()
        span = server.last - server.first
        print(json.dumps({"answered": server.done, "seconds": span, "mean_in_flight": server.busy / span, "most": server.most}))
