"""Who may ask the page's server: browsers that show the page itself, under a name that is ours.

It knows no users. What keeps strangers out is where it listens; what this keeps out is another
site in a user's own browser, which reaches what the user reaches. A name of theirs that resolves to
our address (DNS rebinding) is no name of ours, a request that their page sends names another
origin, and what they could send without asking first is no JSON.
"""

from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names by which `kubectl port-forward` is asked, at any port."""

HEADERS = {
    # Only what the page brings itself, and no text ever becomes markup or code.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def host_of(authority: str) -> str | None:
    """The name in a Host header or an origin's authority; None where it is none."""
    try:
        found = urlsplit(f"//{authority}")
        host = found.hostname
        _ = found.port
    except ValueError:
        return None
    if not host or found.username is not None or found.path or found.query or found.fragment:
        return None
    return host.rstrip(".").lower()


def _place(authority: str) -> tuple[str | None, int | None]:
    """Name and port, the usual ports left out as browsers leave them out."""
    host = host_of(authority)
    port = None if host is None else urlsplit(f"//{authority}").port
    return host, None if port in {80, 443} else port


def is_foreign(request: web.Request) -> bool:
    """Whether another site's page sent this."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in {"same-origin", "none"}:
        return True
    origin = request.headers.get("Origin")
    return origin is not None and _place(urlsplit(origin).netloc) != _place(request.host)


def guarded(hosts: Collection[str]) -> Middleware:
    """Refuse what no page of ours would send.

    Args:
        hosts: names beside localhost under which the page is offered.
    """
    known = LOOPBACK | {each.lower() for each in hosts}

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if host_of(request.host) not in known:
            words = (
                "This page is not offered under that name. Use localhost with kubectl port-forward,"
                " or add the name to page.hosts of the chart (QWEN_OPERATOR_PAGE_HOSTS).\n"
            )
            return web.Response(status=421, text=words)
        if request.path.startswith("/api/") and is_foreign(request):
            return web.Response(status=403, text="Another site sent this request.\n")
        return await handler(request)

    return guard


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """What every answer carries, streams and errors included."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
