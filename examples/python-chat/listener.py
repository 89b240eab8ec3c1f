import contextlib, json, random, secrets, select, signal, socket, sys, time, types


class Listener:
    def __init__(self, server, key, listen, on):
        self.address, self.on = server.rsplit(":", 1), on
        self.first = [{"cmd": "auth", "key": key}] * bool(key) + [{"cmd": "listen", **listen}]
        self.links, self.over = [], False  # open connections; commands go by the newest, which is the last
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(self, "over", True))

    def run(self):
        while not self.over:
            self.links or self.connect()
            ready = select.select([link.stream for link in self.links], [], [], 1)[0]
            for link in [link for link in self.links if link.stream in ready]:
                self.read(link)
            for link in list(self.links):
                self.handle(link)
        for link in list(self.links):
            with contextlib.suppress(OSError):
                link.stream.shutdown(socket.SHUT_WR)
            while self.read(link):  # what was written arrives, if what comes is read
                pass

    def ask(self, cmd, **fields):
        request = {"cmd": cmd, "id": secrets.token_hex(8), **fields}
        while self.links or self.connect():
            if answer := self.say(self.links[-1], request):  # if it is lost, once more on a new one
                if not answer["ok"]:
                    raise RuntimeError(answer["error"]["text"])
                return answer
        raise RuntimeError("no connection to Lineman")

    def connect(self, wait=0.2):
        while not self.over:
            try:
                stream = socket.create_connection(self.address, timeout=10)
                link = types.SimpleNamespace(stream=stream, rest=b"", events=[], answers=[])
                answers = [self.say(link, request) for request in self.first]
                if answers[-1] and answers[-1]["ok"]:
                    self.links.append(link)
                    return link
                raise OSError(answers[-1])
            except OSError as error:
                print("Lineman:", error, file=sys.stderr)
                for _ in range(int(wait * random.uniform(5, 10))):
                    self.over or time.sleep(0.1)
                wait = min(30, 2 * wait)

    def say(self, link, request):
        self.write(link, request)
        while not link.answers and self.read(link):
            pass
        return link.answers.pop() if link.answers else None

    def write(self, link, request):
        with contextlib.suppress(OSError):  # that it was lost, the next read tells
            link.stream.sendall(json.dumps(request).encode() + b"\n")

    def read(self, link):
        got = b""
        with contextlib.suppress(OSError):
            got = link.stream.recv(1 << 16)
        if not got and link in self.links:
            self.links.remove(link)
        *lines, link.rest = (link.rest + got).split(b"\n")
        for said in map(json.loads, lines):
            (link.events if "type" in said else link.answers).append(said)
        return got

    def handle(self, link):
        while link.events and link in self.links and not self.over:
            event = link.events.pop(0)
            if event["type"] == "leaving":
                self.connect()
            self.on.get(event["type"], lambda event: None)(event)
            if not link.events or self.over:
                self.write(link, {"cmd": "ack", "n": event["n"]})
