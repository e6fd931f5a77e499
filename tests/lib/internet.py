#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An Internet of its own for tests and the demo, in the caller's network namespace.

internet.py DIR [NAME=ADDRESS ...]
A DNS authority on 127.0.0.1:53 and, on every address named, HTTP on 80, HTTPS on 443 and an echo server on 7.
DIR gets: ca.pem, dns.log (each question), http.log (each request), packets.log (each packet seen on lo: protocol,
destination, port), ready (when all listen).
"""
import http.server, ipaddress, os, socket, ssl, subprocess, sys, threading, time

DIR = sys.argv[1]
ZONE = {}
for pair in sys.argv[2:]:
    name, addr = pair.split("=")
    ZONE.setdefault(name, []).append(addr)
ADDRESSES = sorted({a for v in ZONE.values() for a in v})


def log(name, line):
    with open(os.path.join(DIR, name), "a", encoding="utf-8") as f:
        f.write(line + "\n")


def answer(q):
    labels, at = [], 12
    while q[at]:
        labels.append(q[at + 1:at + 1 + q[at]].decode("ascii", "replace"))
        at += q[at] + 1
    end = at + 5
    kind = int.from_bytes(q[at + 1:at + 3], "big")
    name = ".".join(labels).lower()
    log("dns.log", "%s %d" % (name, kind))
    found = []
    for a in ZONE.get(name, []):
        ip = ipaddress.ip_address(a)
        if kind == (1 if ip.version == 4 else 28):
            found.append(ip.packed)
    rcode = 0 if name in ZONE else 3
    head = q[:2] + bytes([0x84 | (q[2] & 1), 0x80 | rcode]) + b"\0\1" + len(found).to_bytes(2, "big") + b"\0\0\0\0"
    body = q[12:end]
    for ip in found:
        body += b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + len(ip).to_bytes(2, "big") + ip
    return head + body


def dns_udp(s):
    while True:
        q, peer = s.recvfrom(4096)
        try:
            s.sendto(answer(q), peer)
        except (IndexError, OSError):
            pass


def dns_tcp(s):
    while True:
        c, _ = s.accept()
        try:
            n = int.from_bytes(c.recv(2), "big")
            r = answer(c.recv(n))
            c.sendall(len(r).to_bytes(2, "big") + r)
        except (IndexError, OSError):
            pass
        c.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        log("http.log", "%s %s %s" % (self.command, self.headers.get("Host", "-"), self.path))
        if self.path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 40))
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 4096)
                log("slow.log", "sent")
                time.sleep(0.02)
        body = b"<h1>Example Domain</h1>\n"
        if self.path.startswith("/size/"):
            body = b"y" * int(self.path[6:])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        log("http.log", "%s %s %s %d" % (self.command, self.headers.get("Host", "-"), self.path, len(body)))
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *args):
        pass


def echo(s):
    def one(c):
        while True:
            b = c.recv(65536)
            if not b:
                break
            c.sendall(b)
        c.close()
    while True:
        c, _ = s.accept()
        log("echo.log", "hit")
        threading.Thread(target=one, args=(c,), daemon=True).start()


def sniff():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    f = open(os.path.join(DIR, "packets.log"), "a", encoding="utf-8", buffering=1)
    while True:
        p, where = s.recvfrom(65536)
        if where[2] == 4 or len(p) < 20:
            continue
        if p[0] >> 4 == 4:
            proto, dst, port = p[9], socket.inet_ntop(2, p[16:20]), p[(p[0] & 15) * 4:][2:4]
        else:
            proto, dst, port = p[6], socket.inet_ntop(10, p[24:40]), p[42:44]
        f.write("%d %s %d\n" % (proto, dst, int.from_bytes(port, "big")))


def certificates():
    names = ",".join("DNS:" + n for n in ZONE)
    run = lambda *a: subprocess.run(("openssl",) + a, check=True, cwd=DIR, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
        "-days", "30", "-subj", "/CN=agentsh test root")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf")
    with open(os.path.join(DIR, "ext"), "w", encoding="utf-8") as f:
        f.write("subjectAltName=" + names)
    run("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "ext", "-out", "leaf.pem")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, where, tls):
        self.address_family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
        super().__init__(where, Handler)
        if tls:
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ctx.load_cert_chain(os.path.join(DIR, "leaf.pem"), os.path.join(DIR, "leaf.key"))
            self.socket = ctx.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        pass


def thread(f, *args):
    threading.Thread(target=f, args=args, daemon=True).start()


def main():
    certificates()
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind(("127.0.0.1", 53))
    t = socket.create_server(("127.0.0.1", 53))
    thread(dns_udp, u)
    thread(dns_tcp, t)
    for a in ADDRESSES:
        thread(Server((a, 80), False).serve_forever)
        thread(Server((a, 443), True).serve_forever)
        thread(echo, socket.create_server((a, 7), family=socket.AF_INET6 if ":" in a else socket.AF_INET, backlog=1024))
    thread(sniff)
    open(os.path.join(DIR, "ready"), "w", encoding="utf-8").close()
    threading.Event().wait()


main()
