"""The door: pages of other sites are kept out, and content of other sites is kept off this page."""

import re
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
ADDRESSES = "<address>"  # stands for every IP address
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self'; "
    "script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Door:
    """Middleware: refuse what another site's page asks for, and give every answer `HEADERS`.

    Parameters
    ----------
    app : ASGI application
    allowed_hosts : sequence of str
        Names by which the server may be called; see `create_app`.
    """

    def __init__(self, app, allowed_hosts):
        self.app = app
        self.allowed_hosts = [name.lower() for name in allowed_hosts]

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                extra = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        problem = self._problem(scope["method"], Headers(scope=scope))
        app = self.app if problem is None else JSONResponse({"error": problem[1]}, problem[0])
        await app(scope, receive, send_with_headers)

    def _problem(self, method, headers):
        """Status and text of a refusal; None if there is nothing wrong."""
        host = headers.get("host", "")
        # A page on another site can give its own name this machine's address.
        if not self._is_allowed(host):
            return 400, (
                f"This server is not called {host[:50]!r}. If it is to be, add that name to "
                "allowed_hosts (--allow-host)."
            )
        origin = headers.get("origin")
        is_other = origin is not None and origin.lower().partition("://")[2] != host.lower()
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            # What remains is a link to this page.
            is_link = headers.get("sec-fetch-dest") == "document" and method == "GET"
            is_other = is_other or not is_link
        return (403, "Pages of other sites may not ask this server.") if is_other else None

    def _is_allowed(self, host):
        parts = re.fullmatch(r"(\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?", host.lower(), re.ASCII)
        if "*" in self.allowed_hosts:
            return True
        if parts is None:
            return False
        name = parts[1]
        return (
            name in self.allowed_hosts
            or (ADDRESSES in self.allowed_hosts and _is_address(name))
            or any(p.startswith("*.") and name.endswith(p[1:]) for p in self.allowed_hosts)
        )


def _is_address(name):
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
