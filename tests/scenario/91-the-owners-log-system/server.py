#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A log system on loopback for the scenario: /json, /csv, and what a hostile or broken one does. Ends by itself."""
import http.server
import os
import socket
import ssl
import sys
import threading
import time
import urllib.parse

ROWS = '{"data": {"items": [%s]}}'
ROW = ('{"public": {"ip": "%s"}, "first": 4096, "last": 4351, "private": "10.9.0.%d", "account": "sub-%d", "since": %d, "until": %d}')
AT = 1771125128  # 2026-02-15 03:12:08 UTC


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, body, status=200, headers=()):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        asked = urllib.parse.parse_qs(url.query)
        ip = asked.get("ip", [""])[0]
        with open("asked.txt", "a") as f:
            f.write(self.path + "\n")
        if url.path == "/json":
            if self.headers.get("Authorization") != "Bearer s3cret" and self.server.wants_token:
                return self.reply("{}", 401)
            n = int(ip.rsplit(".", 1)[1])
            rows = [ROW % (ip, n, n, AT - 3600, AT + 3600)] if n < 50 else []
            return self.reply(ROWS % ",".join(rows))
        if url.path == "/csv":
            return self.reply("Private;Account;Opened;Closed\n10.9.1.1;sub-csv;2026-02-15T03:00:00Z;2026-02-15T04:00:00Z\n")
        if url.path == "/elsewhere":
            return self.reply("", 302, [("Location", "http://127.0.0.1:1/")])
        if url.path == "/large":
            return self.reply(b"x" * (2 << 20))
        if url.path == "/slow":
            time.sleep(3)
            return self.reply("[]")
        if url.path == "/deep":
            return self.reply("[" * 100000)
        if url.path == "/rubbish":
            return self.reply(b'{"data": {"items": [1, null, "\\u0000"]}}')
        return self.reply("no", 404)


def serve(name, context, wants_token):
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    s.daemon_threads = True
    s.wants_token = wants_token
    if context:
        s.socket = context.wrap_socket(s.socket, server_side=True)
    with open(name + ".new", "w") as f:
        f.write(str(s.server_address[1]))
    os.rename(name + ".new", name)
    threading.Thread(target=s.serve_forever, daemon=True).start()


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
serve("plain.port", None, False)
serve("tls.port", context, True)
end = time.time() + float(sys.argv[1])
while time.time() < end and not os.path.exists("end"):
    time.sleep(0.05)
