"""Servers that talk as a test wants, down to the byte."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager


@contextmanager
def speaking(talk: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that does with each connection what `talk` does; gives its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def listen() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:  # closed: the test is over
                    return
                threading.Thread(target=serve, args=(peer,), daemon=True).start()

        def serve(peer: socket.socket) -> None:
            try:
                with peer:
                    talk(peer)
            except OSError:
                return  # the client had enough, which is what is tested

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def receive(peer: socket.socket) -> bytes:
    """One whole request."""
    head, _, body = peer.recv(65536).partition(b"\r\n\r\n")
    fields = [line.lower().partition(b":") for line in head.splitlines()]
    length = next((int(value) for name, _, value in fields if name == b"content-length"), 0)
    while len(body) < length:
        body += peer.recv(65536)
    return head


def drip(beginning: bytes) -> Callable[[socket.socket], None]:
    """Sends the beginning of an answer, then a byte at a time, always in time for a single read."""

    def talk(peer: socket.socket) -> None:
        receive(peer)
        peer.sendall(beginning)
        while True:
            peer.sendall(b"x")
            time.sleep(0.02)

    return talk


def reply(head: str, body: bytes = b"") -> Callable[[socket.socket], None]:
    def talk(peer: socket.socket) -> None:
        receive(peer)
        peer.sendall(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    return talk
