"""Serving applications, each on its own address, which is printed once the port is taken."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette


@dataclass(frozen=True, slots=True)
class Served:
    """An application and where it answers. ``port`` 0 takes a free one.

    ``proxies``: addresses and networks of reverse proxies whose word on who the client is (``X-Forwarded-For``) is
    taken. Of nobody else: whoever chooses its own address chooses its own budget.
    """

    app: Starlette
    host: str
    port: int
    proxies: tuple[str, ...] = ()


def serve(app: Starlette, *, host: str, port: int, proxies: tuple[str, ...] = ()) -> None:
    """Serve one application until told to stop.

    Raises:
        OSError: the address can't be taken.
    """
    serve_all([Served(app, host, port, proxies)])


def config_of(one: Served) -> uvicorn.Config:
    """How it is served. Without proxies the header is not looked at; uvicorn's own default believes the loopback."""
    return uvicorn.Config(
        one.app,
        log_level="warning",
        access_log=False,
        proxy_headers=bool(one.proxies),
        forwarded_allow_ips=list(one.proxies),
    )


def serve_all(applications: Sequence[Served]) -> None:
    """Serve several in one process until told to stop; when one ends, all do.

    Raises:
        OSError: an address can't be taken; nothing is served then.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(_listening(one)) for one in applications]
        for listening in sockets:
            taken, number = listening.getsockname()[:2]
            sys.stdout.write(f"http://{taken}:{number}\n")
        sys.stdout.flush()
        servers = [uvicorn.Server(config_of(one)) for one in applications]
        with asyncio.Runner(loop_factory=servers[0].config.get_loop_factory()) as runner:
            runner.run(_together(servers, sockets))


async def _together(servers: Sequence[uvicorn.Server], sockets: Sequence[socket.socket]) -> None:
    tasks = [
        asyncio.create_task(server.serve(sockets=[listening]))
        for server, listening in zip(servers, sockets, strict=True)
    ]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for server in servers:  # a signal reaches one of them only
        server.should_exit = True
    await asyncio.gather(*tasks)


def _listening(one: Served) -> socket.socket:
    family = socket.AF_INET6 if ":" in one.host else socket.AF_INET
    return socket.create_server((one.host, one.port), family=family)
