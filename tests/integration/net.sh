#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The gateway, proven at the wire and at the listeners of an Internet of our own; each refusal has its control.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/lib/net.sh
. "$here/tests/lib/net.sh"
# shellcheck source=tests/lib/check.sh
. "$here/tests/lib/check.sh"
W=$T/ws N=$T/net
mkdir -p "$W"
internet_up "$N" good.test=203.0.113.10 good.test=2001:db8::10 twin.test=203.0.113.10 evil.test=203.0.113.10 other.test=203.0.113.66 \
	ask.test=203.0.113.20 inside.test=10.9.8.7 opened.test=10.9.8.9 meta.test=169.254.169.254 \
	nat.test=64:ff9b::cb00:7142 nat2.test=64:ff9b::cb00:7143 nat3.test=64:ff9b::cb00:710a || exit 1
child "$internet"
cat >"$T/p.yaml" <<'P'
version: 1
name: net
file_rules: [{name: all, paths: ["/**"], decision: allow}]
network_rules:
  - {name: good, domains: [good.test, twin.test, inside.test, meta.test, opened.test, '*.wild.test'], ports: [80, 443, 7], decision: allow}
  - {name: opened-range, cidrs: ["10.9.8.9/32"], ports: [80], decision: allow}
  - {name: raw, cidrs: ["203.0.113.20/32"], ports: [7], decision: allow}
  - {name: asks, domains: [ask.test], ports: [80], decision: approve, timeout: 20s, message: "reach {{.Domain}}?"}
command_rules: [{name: all, decision: allow}]
P
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a session is made" [ -n "$SID" ] || { cat "$T/err"; exit 1; }
X() { timeout 60 "$A" exec "$SID" -- "$@"; }
fetch() { X curl -sS --max-time 8 "$@" 2>"$T/err"; }
page='<h1>Example Domain</h1>'

# What is allowed works, unmodified, over both families.
check "control: http by name" is "$(fetch http://good.test/)" "$page"
check "control: https by name" is "$(fetch https://good.test/)" "$page"
check "control: IPv6" is "$(fetch -6 https://good.test/)" "$page"
check "control: python" is "$(X python3 -c "import urllib.request; print(urllib.request.urlopen('http://good.test/').read().decode().strip())")" "$page"
check "100 MB arrive whole" is "$(fetch http://good.test/size/100000000 | wc -c)" 100000000
head -c 8000000 /dev/urandom >"$W/up"
check "8 MB are sent whole" is "$(fetch --data-binary @/workspace/up http://good.test/up)" ok
check "and arrived" soon grep -q 'POST good.test /up 8000000' "$N/http.log"
check "200 connections at once" is "$(X python3 -c "
import socket, threading
n = []
def one():
    s = socket.create_connection(('good.test', 7), 10); s.sendall(b'x'); n.append(s.recv(1)); s.close()
t = [threading.Thread(target=one) for _ in range(200)]
[x.start() for x in t]; [x.join() for x in t]; print(len(n))")" 200
check "a server of the session's own answers on its loopback" is "$(X sh -c 'python3 -m http.server -b 127.0.0.1 8000 >/dev/null 2>&1 & for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; curl -sf -o /dev/null http://127.0.0.1:8000/ && echo 200 && break; done; kill $!')" 200

# Names.
: >"$N/dns.log"
fetch http://other.test/ >/dev/null
check "a denied name is refused" grep -q 'Could not resolve' "$T/err"
X python3 -c "
import socket
for name in ('other.test', 'x.good.test', 'good.test.other.test', 'aGVsbG8.other.test'):
    try: socket.getaddrinfo(name, 80); print('resolved', name)
    except OSError: pass" >"$T/out"
check "and so are names beside it" is "$(cat "$T/out")" ""
check "nothing of them went upstream" is "$(grep -cE 'other|x\.good' "$N/dns.log")" 0
fetch http://twin.test/ >/dev/null
check "control: an allowed one did" grep -q '^twin.test' "$N/dns.log"
: >"$N/http.log"
fetch -H 'Host: evil.test' http://good.test/ >/dev/null
fetch --connect-to evil.test:443:good.test:443 https://evil.test/ >/dev/null
fetch --connect-to evil.test:80:good.test:80 http://evil.test/ >/dev/null
X python3 -c "
import socket
s = socket.create_connection(('good.test', 80), 5)
for c in b'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n': s.sendall(bytes([c]))
print(s.recv(100))" >/dev/null 2>&1
check "a denied name on an allowed name's address reaches nobody" is "$(grep -c evil "$N/http.log")" 0
X python3 -c "
import socket, time
s = socket.create_connection(('good.test', 80), 5)
for c in b'GET /slowly HTTP/1.1\r\nHost: good.test\r\n\r\n': s.sendall(bytes([c])); time.sleep(0.001)
s.recv(100)" >/dev/null 2>&1
check "control: byte by byte, the right name does" grep -q 'good.test /slowly' "$N/http.log"
check "two names on one address are told apart" is "$(fetch https://twin.test/)" "$page"
X python3 -c "
import socket
s = socket.create_connection(('good.test', 443), 5); s.sendall(b'\x00garbage that is no TLS\r\n\r\n'); print(s.recv(10))" >"$T/out" 2>&1
check "what is neither TLS nor HTTP is refused on 443" grep -qE 'reset|Reset' "$T/out"

# The same on a port where any protocol may be spoken.
cat >"$W/first.py" <<'P'
import socket, time
def tell(label, *parts, end=False):
    s = socket.create_connection(('good.test', 7), 5); s.settimeout(3)
    got, all = b'', b''.join(parts)
    try:
        for p in parts: s.sendall(p); time.sleep(0.05)
        if end: s.shutdown(socket.SHUT_WR)
        while len(got) < len(all) and (b := s.recv(100)): got += b
        print(label, got == all)
    except OSError as e: print(label, 'cut' if not b'evil' in got else 'reached')
    s.close()
tell('right-name', b'GET / HTTP/1.1\r\nHost: good.test\r\n\r\n')
tell('wrong-name', b'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n')
tell('empty-line', b'\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n')
tell('empty-line-right', b'\r\n', b'GET / HTTP/1.1\r\nHost: good.test\r\n\r\n')
tell('method', b'QUERY /x HTTP/1.1\r\nHost: evil.test\r\n\r\n')
tell('method-cut', b'QUE', b'RY /x HT', b'TP/1.1\r\nHost: ', b'evil.test\r\n\r\n')
tell('method-right', b'QUE', b'RY /x HT', b'TP/1.1\r\nHost: ', b'good.test\r\n\r\n')
tell('word', b'hello')
tell('word-then-name', b'QUERY', b' /x', b' HTTP/1.1\r\nHost: evil.test\r\n\r\n')
tell('text', b'EHLO there\r\n')
tell('binary', b'AMQP\0\0\x09\1')
tell('ends', b'hello', end=True)
P
check "whatever could be a request must name what was asked for; other protocols pass" is "$(X python3 /workspace/first.py | tr '\n' ' ')" \
	"right-name True wrong-name cut empty-line cut empty-line-right True method cut method-cut cut method-right True word True word-then-name cut text True binary True ends True "

# What a peer leaves lying does not keep the gateway busy.
netd=$(pgrep -f -- "--worker $SID" | while read -r p; do [ "$(readlink "/proc/$p/exe")" = "$bin/agentsh-netd" ] && echo "$p"; done)
ticks() { awk '{print $14 + $15}' "/proc/$netd/stat"; }
# quiet NAME FILE WORDS: the program says these words; in the second after its "ready" the gateway takes less than a tenth of a processor.
quiet() {
	local cli used
	rm -f "$W/ready"
	X python3 "/workspace/$2" >"$T/out" 2>/dev/null &
	cli=$!
	soon test -e "$W/ready"
	sleep 0.3
	used=$(ticks)
	sleep 1
	used=$(($(ticks) - used))
	wait "$cli"
	check "$1: the gateway rests ($used ticks)" test "$used" -lt 10
	check "$1: what arrived" is "$(cat "$T/out")" "$3"
}
cat >"$W/lib.py" <<'P'
import socket, time
def rest(): open('/workspace/ready', 'w').close(); time.sleep(2.5)
def all_of(s, n):
    b = b''
    while len(b) < n: b += s.recv(n - len(b)) or b'?' * n
    return b
P
cat >"$W/urgent.py" <<'P'
from lib import *
s = socket.create_connection(('good.test', 7), 5); s.sendall(b'\0hello'); b = all_of(s, 6)
s.sendall(b'one'); s.send(b'!', socket.MSG_OOB); s.sendall(b'more'); rest(); print(b + all_of(s, 8))
s.send(b'?', socket.MSG_OOB); s.shutdown(socket.SHUT_WR); print(all_of(s, 1), s.recv(1))
P
quiet "urgent data" urgent.py "b'\\x00helloone!more'
b'?' b''"
cat >"$W/urgent_head.py" <<'P'
from lib import *
s = socket.create_connection(('good.test', 80), 5); s.sendall(b'GET / HTTP/1.1\r\nHost: good.test\r\n'); time.sleep(0.2)
try: s.send(b'!', socket.MSG_OOB); s.sendall(b'more'); rest(); print(s.recv(10))
except OSError as e: print(type(e).__name__); rest()
P
quiet "urgent data in a request's head" urgent_head.py ConnectionResetError
cat >"$W/unread.py" <<'P'
from lib import *
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096); s.connect(('good.test', 80))
s.sendall(b'GET /size/200000 HTTP/1.1\r\nHost: good.test\r\nConnection: close\r\n\r\n'); time.sleep(0.3); s.shutdown(socket.SHUT_WR); rest()
a = b''
while b := s.recv(65536): a += b
print(a.split(b'\r\n\r\n')[1].count(b'y'))
P
quiet "an answer that is not read, after the request's end" unread.py 200000
cat >"$W/cut_head.py" <<'P'
from lib import *
s = socket.create_connection(('good.test', 80), 5); s.sendall(b'GET / HTTP/1.1\r\nHost: good.test\r\n'); s.shutdown(socket.SHUT_WR); rest()
try: print(s.recv(10))
except OSError as e: print(type(e).__name__)
P
quiet "a head that is cut" cut_head.py ConnectionResetError

# Addresses.
: >"$N/packets.log"
: >"$N/http.log"
: >"$N/echo.log"
check "a raw address is refused at once" is "$(X python3 -c "
import socket, time
t = time.time()
for a in ('203.0.113.10', '203.0.113.66'):
    try: socket.create_connection((a, 80), 5); print('connected')
    except ConnectionRefusedError: pass
try: socket.create_connection(('2001:db8::10', 80), 5); print('connected')
except ConnectionRefusedError: pass
print(time.time() - t < 1)" 2>/dev/null)" True
X python3 -c "
import socket
def tell(fam, typ, proto, dst):
    try:
        s = socket.socket(fam, typ, proto); s.settimeout(1); s.connect(dst); s.send(b'x' * 64); s.recv(10); print('answered', dst)
    except OSError as e: print(type(e).__name__)
for d in (('203.0.113.10', 443), ('203.0.113.66', 53535), ('198.18.0.16', 443)): tell(socket.AF_INET, socket.SOCK_DGRAM, 0, d)
tell(socket.AF_INET6, socket.SOCK_DGRAM, 0, ('2001:db8::10', 443))
tell(socket.AF_INET, socket.SOCK_DGRAM, 1, ('203.0.113.10', 0))
tell(socket.AF_INET6, socket.SOCK_DGRAM, 58, ('2001:db8::10', 0))
for f, t, p in ((17, 3, 768), (40, 1, 0), (2, 1, 262), (2, 3, 255), (10, 3, 58), (2, 2, 136), (44, 3, 0)):
    try: socket.socket(f, t, p); print('a socket of', f, t, p)
    except OSError: pass" >"$T/out" 2>&1
check "UDP, QUIC, ICMP, raw, packet, vsock, XDP, MPTCP, UDPLITE: no socket, no answer" is "$(grep -cE 'answered|a socket' "$T/out")" 0
check "UDP fails at once, not by silence" is "$(grep -c imeout "$T/out")" 0
check "no packet of these left" is "$(grep -cE '203\.0\.113\.(10|66)|2001:db8' "$N/packets.log")" 0
check "control: an allowed raw address" is "$(X python3 -c "
import socket
s = socket.create_connection(('203.0.113.20', 7), 5); s.sendall(b'hello'); print(s.recv(5).decode())")" hello
check "control: its packets are seen" soon grep -q '^6 203.0.113.20 7$' "$N/packets.log"
fetch http://inside.test/ >/dev/null
fetch http://meta.test/ >/dev/null
check "an allowed name that leads to a private or metadata address reaches nobody" is "$(grep -cE 'inside|meta' "$N/http.log")" 0
check "control: where a rule names the range it does" is "$(fetch http://opened.test/)" "$page"
check "an address that was given to no name is refused" is "$(X python3 -c "
import socket
try: socket.create_connection(('198.18.77.7', 80), 5); print('connected')
except OSError as e: print(type(e).__name__)")" ConnectionRefusedError
check "the relay's own port serves nobody" is "$(X python3 -c "
import socket
try: s = socket.create_connection(('127.0.0.1', 1), 5); s.sendall(b'GET / HTTP/1.1\r\nHost: good.test\r\n\r\n'); print(len(s.recv(10)))
except OSError: print(0)")" 0

# DNS as a protocol.
cat >"$W/dns.py" <<'P'
import socket, struct
def q(name, kind=1, ident=7): return struct.pack(">HHHHHH", ident, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0" + struct.pack(">HH", kind, 1)
def udp(m, port=("198.18.0.1", 53)):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.sendto(m, port)
    try: return s.recv(4096)
    except OSError: return b""
r = udp(q("good.test"))
print("a", r[3] & 15, socket.inet_ntoa(r[-4:])[:7])
print("resolver", len(udp(q("good.test"), ("8.8.8.8", 53))) > 0)
t = socket.create_connection(("198.18.0.1", 53), 5); m = q("good.test")
for c in struct.pack(">H", len(m)) + m: t.sendall(bytes([c]))
n = struct.unpack(">H", t.recv(2))[0]; print("tcp", t.recv(n)[3] & 15)
print("denied", udp(q("other.test"))[3] & 15)
print("txt", udp(q("good.test", 16))[6:8] == b"\0\0")
for bad in (b"", b"x", m[:12], m[:-1], m[:4] + b"\0\2" + m[6:], m[:12] + b"\xc0\x0c\0\1\0\1", m[:12] + b"\x3f" + b"a" * 10, b"\xff" * 512): udp(bad, ("127.0.0.1", 53)) if len(bad) == 512 else socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(bad, ("127.0.0.1", 53))
print("alive", udp(q("good.test"))[3] & 15)
P
check "DNS: addresses of ours, any resolver is ours, TCP byte by byte, refusals, garbage" is "$(X python3 /workspace/dns.py | tr '\n' ' ')" \
	"a 0 198.18. resolver True tcp 0 denied 3 txt True alive 0 "

# A name can carry what should not leave: how many new ones are asked upstream is bounded.
cat >"$W/flood.py" <<'P'
import socket, sys, time
from dns_lib import q
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
rcodes = {}
for n in range(1500):
    s.sendto(q('n%d.wild.test' % n, 1, n), ('198.18.0.1', 53))
    try: r = s.recv(4096)
    except OSError: continue
    rcodes[r[3] & 15] = rcodes.get(r[3] & 15, 0) + 1
for _ in range(50): s.sendto(q('good.test', 1, 7), ('198.18.0.1', 53)); cached = s.recv(4096)[3] & 15
print(rcodes.get(2, 0) > 500, rcodes.get(3, 0) >= 500, cached)
P
sed '/^r = udp/,$d' "$W/dns.py" >"$W/dns_lib.py"
fetch http://good.test/ >/dev/null
: >"$N/dns.log"
begun=$(date +%s)
check "1500 new names: those above the budget fail, cached names do not" is "$(X python3 /workspace/flood.py 2>/dev/null)" "True True 0"
check "and no more than the budget went upstream" test "$(grep -oE '^n[0-9]+\.wild' "$N/dns.log" | sort -u | wc -l)" -le $((500 + 50 * ($(date +%s) - begun + 1)))
said=$(grep -c '"dns-budget"' "$T/data/sessions/$SID/events-netd.jsonl")
check "an event says so, once a second ($said)" test "$said" -ge 1 -a "$said" -le $(($(date +%s) - begun + 1))

# A person is asked.
"$A" approve watch >"$T/asked" 2>/dev/null </dev/null &
child $!
sleep 0.4
: >"$N/dns.log"
(soon test -s "$T/asked"; cp "$N/dns.log" "$T/dns-before"; "$A" approve resolve "$(head -1 "$T/asked" | jq -r .id)" --allow >/dev/null) &
check "a connection waits for its approval, and then works" is "$(fetch http://ask.test/)" "$page"
check "the name was not asked upstream before" is "$(grep -c ask.test "$T/dns-before")" 0
check "but after" grep -q ask.test "$N/dns.log"
(soon test "$(wc -l <"$T/asked")" -ge 1; for _ in $(seq 100); do [ "$(wc -l <"$T/asked")" -ge 2 ] && break; sleep 0.05; done
	"$A" approve resolve "$(tail -1 "$T/asked" | jq -r .id)" --deny >/dev/null) &
fetch http://ask.test/ >/dev/null
check "refused, it fails at once" grep -qiE "refused|couldn't connect" "$T/err"
check "at a terminal, the question says kind, target, rule and message" bash -c "
	yes | head -40 | timeout 30 script -qec '$A exec $SID -- curl -4 -sS --max-time 8 http://ask.test/' /dev/null | grep -qF 'approve net ask.test:80 (rule asks)? reach ask.test? [y/N]'"
cat >"$W/many.py" <<'P'
import select, socket, time
a = socket.gethostbyname('ask.test')
def begin():
    s = socket.socket(); s.setblocking(False); s.connect_ex((a, 80)); return s
gone = [begin() for _ in range(20)]
s = [begin() for _ in range(40)]
for g in gone: g.close()
p = select.poll()
for x in s: p.register(x, select.POLLOUT)
done, end = set(), time.time() + 10
while len(done) < 40 and time.time() < end:
    for fd, _ in p.poll(1000): done.add(fd); p.unregister(fd)
print(sum(x.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 for x in s if x.fileno() in done))
P
for answer in allow deny; do
	before=$(wc -l <"$T/asked")
	(for _ in $(seq 100); do [ "$(wc -l <"$T/asked")" -gt "$before" ] && break; sleep 0.05; done
		sleep 0.5 # all have asked, and some gone
		"$A" approve resolve "$(tail -1 "$T/asked" | jq -r .id)" --$answer >/dev/null) &
	check "connections that would ask the same wait for one answer: $answer" is "$(X python3 /workspace/many.py 2>/dev/null)" "$([ $answer = allow ] && echo 40 || echo 0)"
	check "one question was asked" is "$(($(wc -l <"$T/asked") - before))" 1
done
check "control: those that were gone did no harm" is "$(fetch http://good.test/)" "$page"

# An address that a person is to be asked about, behind a name that another rule allows: nobody was asked.
first=$SID
cat >"$T/p.yaml" <<'P'
version: 1
name: net
file_rules: [{name: all, paths: ["/**"], decision: allow}]
network_rules:
  - {name: ask-range, cidrs: ["203.0.113.0/28", "2001:db8::/32"], decision: approve, timeout: 2s}
  - {name: no-range, cidrs: ["203.0.113.66/32"], decision: deny}
  - {name: raw, cidrs: ["::/0", "203.0.113.67/32", "203.0.113.20/32"], decision: allow}
  - {name: rest, domains: ["*"], decision: allow}
command_rules: [{name: all, decision: allow}]
P
SID=$("$A" session create --workspace "$W" --policy "$T/p.yaml" 2>"$T/err" | jq -r .id)
check "a name that leads to a range that asks is refused" is "$(fetch -4 http://good.test/)" ""
check "control: one that leads elsewhere is not" is "$(fetch -4 http://ask.test/)" "$page"
before=$(wc -l <"$N/http.log")
check "a translator's name for a denied address is denied" is "$(fetch -g 'http://[64:ff9b::203.0.113.66]/'; fetch -g 'http://[::ffff:203.0.113.66]/'; wc -l <"$N/http.log")" "$before"
check "a translator's name for a range that asks is refused" is "$(fetch http://nat3.test/)" ""
check "control: for an address that an allow rule has, it is not" is "$(fetch http://nat2.test/)" "$page"
check "a Host that is another address is refused" is "$(fetch -g -H 'Host: [2001:db8::11]' 'http://[64:ff9b::203.0.113.67]/')" ""
check "control: for an allowed one it leads there" is "$(fetch -g 'http://[64:ff9b::203.0.113.67]/')" "$page"
check "control: an allowed one in its mapped form, too" is "$(fetch -g 'http://[::ffff:203.0.113.20]/')" "$page"
check "and the address was why" grep -q '"rule":"no-range"' <("$A" events query --session "$SID" --decision deny)
"$A" session destroy "$SID" >/dev/null
SID=$first

# Events, and death of the gateway.
j=$(timeout 20 "$A" exec --output json --events summary "$SID" -- curl -s https://good.test)
check "events: dns_query and net_connect of the command" is "$(jq -r '[.events[] | select(.type == "dns_query" or .type == "net_connect") | .type + " " + .domain + " " + .policy.rule] | unique | join(",")' <<<"$j")" \
	"dns_query good.test good,net_connect good.test good"
for n in 1 2; do
	timeout 20 "$A" exec --output json --events full "$SID" -- sh -c "sleep 0.3; curl -s http://good.test/two$n; curl -s http://other.test/; curl -s http://203.0.113.10/; sleep 0.5" >"$T/two$n" &
	pids="${pids-} $!"
done
# shellcheck disable=SC2086
wait $pids
for n in 1 2; do
	check "two commands at once, each with its own events: $n" is \
		"$(jq -r '[.events[] | select(.source == "netd" and .type != "net_close") | .type + " " + (.domain // .remote_addr) + " " + .policy.effective_decision] | unique | join(", ")' "$T/two$n")" \
		"dns_query good.test allow, dns_query other.test deny, net_connect 203.0.113.10 deny, net_connect good.test allow"
done
: >"$N/slow.log"
"$A" exec "$SID" -- curl -s -o /dev/null http://good.test/slow 2>/dev/null &
cli=$!
check "control: a slow download runs" soon test -s "$N/slow.log"
kill -9 "$(pgrep -f "agentsh-netd|/proc/self/exe --worker $SID" | while read -r p; do
	[ "$(readlink "/proc/$p/exe")" = "$bin/agentsh-netd" ] && tr '\0' ' ' <"/proc/$p/cmdline" | grep -q -- "$SID" && echo "$p"; done)"
wait "$cli"
before=$(wc -l <"$N/slow.log")
sleep 0.5
check "kill -9 of the session's gateway ends its connections" test "$(wc -l <"$N/slow.log")" -le "$((before + 1))"
check "and the session" soon sh -c "! $A exec $SID -- true 2>$T/err"
check "and says so" grep -q 'its netd worker died' "$T/err"
the_end
