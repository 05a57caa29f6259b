"""Pages that services show to people in a browser: log-in, code, refusal. One look, no file beside the page.

The colours are those of the client's page (``web/src/theme/tokens.css``). Style and script stand in the page and are
allowed by their hashes; nothing else may be loaded or run, and no page may frame these.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping

from aiohttp import web

_STYLE = """
:root{color-scheme:light dark;--frame:#dfe8eb;--canvas:#fff;--t1:#10222a;--t2:#3e5159;--control:#75878f;--brand:#0c617a;
--brand-hover:#0b556a;--bad:#b3261e;--bad-tint:#fdedeb;--link:#0b5a72}
@media (prefers-color-scheme:dark){:root{--frame:#091215;--canvas:#142126;--t1:#e9f0f2;--t2:#bcc9ce;--control:#7c9098;
--brand:#12788f;--brand-hover:#0f6a7f;--bad:#f4978e;--bad-tint:#3a1f1d;--link:#74c7dc}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:16px;background:var(--frame);color:var(--t1);
font:14px/20px "Atkinson Hyperlegible Next",system-ui,sans-serif}
main{width:100%;max-width:400px;background:var(--canvas);border-radius:12px;padding:32px}
.brand{margin:0 0 24px;font-weight:700;color:var(--link)}
h1{margin:0 0 8px;font-size:22px;line-height:28px;letter-spacing:-.01em;overflow-wrap:anywhere}
p{margin:0 0 12px;overflow-wrap:anywhere}
.note{color:var(--t2)}
.fault{padding:10px 12px;border-radius:6px;color:var(--bad);background:var(--bad-tint);border:1px solid var(--bad)}
form{display:grid;gap:6px;margin:16px 0 0}
label{font-weight:600;margin-top:8px}
input{font:inherit;font-size:16px;line-height:22px;padding:10px 12px;width:100%;color:inherit;background:var(--canvas);
border:1px solid var(--control);border-radius:6px}
button{font:inherit;font-weight:600;padding:12px 16px;margin-top:16px;min-height:44px;border:1px solid transparent;
border-radius:6px;color:#fff;background:var(--brand);cursor:pointer}
button:hover{background:var(--brand-hover)}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
@media (forced-colors:active){main,button{border:1px solid CanvasText}}
"""


def page(
    title: str,
    body: str,
    *,
    status: int = 200,
    script: str = "",
    form_action: str = "'self'",
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A whole page. ``title`` is text; ``body`` is HTML, in which every text from outside went through ``escape``.

    ``script`` is JavaScript that runs at the end. ``form_action`` says where forms may go (Content Security Policy);
    empty leaves it open, which a form needs whose target redirects elsewhere: browsers hold it against those, too.
    """
    policy = [
        "default-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        f"style-src '{_hash(_STYLE)}'",
        *([f"script-src '{_hash(script)}'"] if script else []),
        *([f"form-action {form_action}"] if form_action else []),
    ]
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - Ringback</title><style>{_STYLE}</style></head>"
        f'<body><main><p class="brand">Ringback</p><h1>{escape(title)}</h1>{body}</main>'
        f"{f'<script>{script}</script>' if script else ''}</body></html>"
    )
    always = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return web.Response(
        status=status, text=text, content_type="text/html", charset="utf-8", headers=always | dict(headers or {})
    )


def fault(text: str) -> str:
    """A paragraph that says what went wrong; screen readers say it at once."""
    return f'<p class="fault" role="alert">{escape(text)}</p>' if text else ""


def escape(text: str) -> str:
    """Text as it may stand in a page, in attributes too."""
    return html.escape(text, quote=True)


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
