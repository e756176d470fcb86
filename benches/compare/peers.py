"""Configuration of each proxy for the same job."""

import json
import pathlib
import shutil

BACKEND_PORT = 19000
PORTS = {"gateway": 19101, "envoy": 19102, "haproxy": 19103, "nginx": 19104}


def hosts(n):
    """The virtual hosts of a run."""
    return [f"svc{i}.bench.test" for i in range(n)]


def backend(directory):
    """nginx that answers 1 KiB without work."""
    conf = directory / "backend.conf"
    conf.write_text(f"""
worker_processes 1; daemon off; pid {directory}/backend.pid; error_log /dev/null;
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600;
  client_body_temp_path {directory}/b1; proxy_temp_path {directory}/b2; fastcgi_temp_path {directory}/b3;
  uwsgi_temp_path {directory}/b4; scgi_temp_path {directory}/b5;
  server {{ listen 127.0.0.1:{BACKEND_PORT} backlog=4096; location / {{ return 200 "{'x' * 1024}"; }} }} }}
""")
    return [shutil.which("nginx"), "-c", str(conf)]


def envoy(directory, binary, names):
    """Envoy at its leanest: no request id, no access log, no extra headers."""
    def route(method, prefix):
        return {"match": {"prefix": prefix, "headers": [{"name": ":method", "string_match": {"exact": method}}]},
                "route": {"cluster": "backend", "host_rewrite_literal": "rewritten.test"}}

    vhosts = [{"name": h, "domains": [h], "routes": [route("POST", "/"), route("GET", "/a"), route("GET", "/")]}
              for h in names]
    manager = {"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
               "stat_prefix": "b", "generate_request_id": False,
               "route_config": {"name": "r", "virtual_hosts": vhosts},
               "http_filters": [{"name": "router", "typed_config": {
                   "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router", "suppress_envoy_headers": True}}]}
    limits = {"priority": "DEFAULT", "max_connections": 100000, "max_pending_requests": 100000, "max_requests": 100000}
    config = {"static_resources": {
        "listeners": [{"name": "l", "address": {"socket_address": {"address": "127.0.0.1", "port_value": PORTS["envoy"]}},
                       "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}]}],
        "clusters": [{"name": "backend", "type": "STATIC", "circuit_breakers": {"thresholds": [limits]},
                      "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [{"endpoint": {
                          "address": {"socket_address": {"address": "127.0.0.1", "port_value": BACKEND_PORT}}}}]}]}}]}}
    path = directory / "envoy.json"
    path.write_text(json.dumps(config))
    return [str(binary), "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]


def haproxy(directory, names):
    """HAProxy with a host map; one thread."""
    (directory / "hosts.map").write_text("".join(f"{h} known\n" for h in names))
    conf = directory / "haproxy.cfg"
    conf.write_text(f"""
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout client 600s
  timeout server 60s
  timeout connect 5s
  http-reuse always
frontend f
  bind 127.0.0.1:{PORTS['haproxy']}
  acl known hdr(host),map_str({directory}/hosts.map,none) -m str known
  http-request deny deny_status 404 if !known
  use_backend b if METH_POST known {{ path_beg / }}
  use_backend b if METH_GET known {{ path_beg /a }}
  use_backend b if METH_GET known {{ path_beg / }}
backend b
  http-request set-header Host rewritten.test
  server s 127.0.0.1:{BACKEND_PORT} pool-max-conn 2000
""")
    return [shutil.which("haproxy"), "-db", "-f", str(conf)]


def nginx(directory, names):
    """nginx with one server a host; one worker."""
    location = "proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host rewritten.test;"
    servers = "".join(f"""
  server {{ listen 127.0.0.1:{PORTS['nginx']}; server_name {h};
    location /a {{ limit_except GET {{ deny all; }} {location} }}
    location / {{ {location} }} }}""" for h in names)
    conf = directory / "nginx.conf"
    conf.write_text(f"""
worker_processes 1; daemon off; pid {directory}/nginx.pid; error_log /dev/null;
events {{ worker_connections 16384; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600; server_names_hash_max_size 65536;
  server_names_hash_bucket_size 128; proxy_buffers 16 32k;
  client_body_temp_path {directory}/n1; proxy_temp_path {directory}/n2; fastcgi_temp_path {directory}/n3;
  uwsgi_temp_path {directory}/n4; scgi_temp_path {directory}/n5;
  upstream up {{ server 127.0.0.1:{BACKEND_PORT}; keepalive 1024; keepalive_requests 1000000000; }}{servers} }}
""")
    return [shutil.which("nginx"), "-c", str(conf)]


GATEWAY_FIXED = """
apiVersion: v1
kind: Service
metadata: {{name: backend, namespace: default}}
spec: {{ports: [{{name: http, port: 80, protocol: TCP}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: backend-1, namespace: default, labels: {{kubernetes.io/service-name: backend}}}}
addressType: IPv4
ports: [{{name: http, port: {backend}, protocol: TCP}}]
endpoints: [{{addresses: [127.0.0.1], conditions: {{ready: true}}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: bench, namespace: default}}
spec:
  gatewayClassName: mc-wan
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners: [{{name: http, port: {port}, protocol: HTTP, allowedRoutes: {{namespaces: {{from: Same}}}}}}]
"""

RULE = """  - matches: [{{method: {method}, path: {{type: PathPrefix, value: {path}}}}}]
    filters: [{{type: URLRewrite, urlRewrite: {{hostname: {rewrite}}}}}]
    backendRefs: [{{name: backend, port: 80}}]
"""

ROUTE = """---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: default}}
spec:
  parentRefs: [{{name: bench}}]
  hostnames: [{host}]
  rules:
"""


def host_routes(names, rewrite="rewritten.test"):
    """Three rules a host; the third takes the load."""
    out = []
    for i, host in enumerate(names):
        out.append(ROUTE.format(name=f"r{i}", host=host))
        out += [RULE.format(method=m, path=p, rewrite=rewrite) for m, p in (("POST", "/"), ("GET", "/a"), ("GET", "/"))]
    return "".join(out)


def path_routes(count, host, rewrite="rewritten.test"):
    """`count` path rules in one host, at most 16 a route."""
    out = []
    for i in range(count):
        if i % 16 == 0:
            out.append(ROUTE.format(name=f"p{i // 16}", host=host))
        out.append(RULE.format(method="GET", path=f"/path{i}", rewrite=rewrite))
    return "".join(out)


def gateway(directory, binary, routes, port=None, admin=None):
    """The gateway in standalone mode, as it is used: access log, metrics, trace context."""
    port = port or PORTS["gateway"]
    cluster = pathlib.Path(directory) / f"set-{port}" / "local"
    cluster.mkdir(parents=True, exist_ok=True)
    (cluster / "fixed.yaml").write_text(GATEWAY_FIXED.format(backend=BACKEND_PORT, port=port))
    replace(cluster / "routes.yaml", routes)
    return [str(binary), "--clusterset", str(cluster.parent), "--cluster", "local", "--threads", "1",
            "--admin", f"127.0.0.1:{admin or port + 500}", "--access-log", str(directory / f"access-{port}.log")]


def replace(path, text):
    """Writes a file in one step."""
    fresh = path.with_name("." + path.name + ".new")
    fresh.write_text(text)
    fresh.rename(path)
