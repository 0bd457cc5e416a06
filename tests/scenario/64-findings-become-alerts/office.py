# SPDX-License-Identifier: Apache-2.0
"""office.py PORT DATA ROOT - a person's way through an alert, over the real API: every line printed was seen to be true."""
import glob
import http.cookiejar
import json
import os
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request

port, data, root = int(sys.argv[1]), sys.argv[2], sys.argv[3]
BASE = f"https://127.0.0.1:{port}/api/v1"
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
jar = http.cookiejar.CookieJar()
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=tls), urllib.request.HTTPCookieProcessor(jar))
csrf = ""


def call(method, path, body=None, version=None, raw=False):
    headers = {"X-CSRF-Token": csrf}
    if version is not None:
        headers["If-Match"] = f'"{version}"'
    payload = None
    if isinstance(body, bytes):
        headers["Content-Type"], payload = "application/octet-stream", body
    elif body is not None:
        headers["Content-Type"], payload = "application/json", json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data=payload, method=method, headers=headers)
    try:
        with opener.open(request, timeout=30) as reply:
            text, status = reply.read(), reply.status
    except urllib.error.HTTPError as e:
        text, status = e.read(), e.code
        assert json.loads(text)["status"] == status, text  # RFC 9457, whatever went wrong
    return status, text.decode() if raw else json.loads(text) if text else None


def until(what, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        got = what()
        if got:
            return got
        time.sleep(0.1)
    raise SystemExit("did not come: " + what.__name__)


def session():
    global csrf
    csrf = call("GET", "/session")[1]["csrf"]


with open(os.path.join(data, "office/first-password")) as f:
    first = f.read().strip()
assert call("POST", "/session", {"login": "admin", "password": first})[0] == 200
session()
assert call("GET", "/alerts")[0] == 403  # not before the first password is replaced
assert call("POST", "/settings/password", {"before": first, "after": "x9-Trang-Nguyen-77"})[0] == 204
session()
print("the first password lets in once")

people = {p["login"]: p["id"] for p in call("GET", "/users")[1]["items"]}
given = [call("POST", f"/users/{people[who]}/roles", {"role": "analyst"})[0] for who in ("ca.truc", "admin")]
assert given == [201, 403], given  # the administrator sets others up; himself he gives nothing he has not
now = time.time()
day = lambda s: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(s))
shift = {"place": "shift", "person": people["ca.truc"], "from": day(now - 60), "to": day(now + 3600)}
assert call("POST", "/duty/shifts", shift)[0] == 201
assert call("POST", "/duty/shifts", shift)[0] == 409  # nobody stands twice in one place
assert call("PUT", "/duty/shifts", shift)[0] == 405 and call("POST", "/duty/none", shift)[0] == 404
print("somebody stands in the shift")

began = time.time()
with open(os.path.join(root, "tests/scenario/70-serve-netflow5/one.dat"), "rb") as f:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(f.read(), ("127.0.0.1", port))


def alert_is_there():
    return call("GET", "/alerts")[1]["items"]


alert = until(alert_is_there)[0]
assert alert["severity"] == "critical" and alert["entity"] == {"kind": "ip", "value": "192.0.2.1"}, alert
assert alert["list"] == "c2" and alert["state"] == "new" and alert["count"] == 1, alert
assert alert["unit_name"] == "Phòng Tin học", alert
machines = call("GET", "/machines")[1]["items"]
assert [(m["unit_name"], m["is_managed"]) for m in machines] == [("Phòng Tin học", False)], machines
assert alert["machine"]["id"] == machines[0]["id"], alert  # nobody manages it, but it is one of ours
print("a flow to a listed address is an alert of its unit")


def message_is_there():
    return glob.glob(os.path.join(os.path.dirname(data), "spool/vonggac-*"))


with open(until(message_is_there)[0]) as f:
    sms = f.read()
assert sms.startswith("To: 84912345671\n\nVONG GAC critical: ") and "192.0.2.1" in sms and len(sms.split("\n")[2]) <= 160, sms
print("who is on duty was called")

path = f"/alerts/{alert['id']}"
whole = call("GET", path)[1]
assert whole["remotes"][0]["ip"] == "198.51.100.2", whole
assert call("PATCH", path, {"state": "resolved"}, whole["version"])[0] == 422  # closed without a word
assert call("PATCH", path, {"verdict": "false"}, whole["version"])[0] == 422  # without a reason
assert call("PATCH", path, {"assignee": people["ca.truc"]}, None)[0] == 428
status, taken = call("PATCH", path, {"assignee": people["ca.truc"]}, whole["version"])
assert status == 200 and taken["state"] == "assigned" and taken["assignee"]["name"] == "Ca trực", taken
assert call("PATCH", path, {"state": "open"}, whole["version"])[0] == 412  # somebody changed it first
assert call("POST", path + "/notes", {"text": "Đã gọi điện cho đơn vị."})[0] == 201
story = call("GET", path + "/story")[1]["items"]
assert {e["kind"] for e in story} == {"finding", "decision", "note"}, story
print("one takes it, the second is told, the story says who did what")


def wake_is_over():
    wake = call("GET", "/duty/wakes")[1]["items"][0]
    return wake["state"] == "acknowledged" and wake


wake = until(wake_is_over)
assert [m["state"] for m in wake["messages"]] == ["sent"] and wake["messages"][0]["proof"].startswith("spool"), wake
print("the call ends, its proof stands")

assert "critical" in call("GET", "/alerts?format=csv", raw=True)[1]
job = call("POST", "/queries", {"query": "source.ip : 192.0.2.1"})[1]


def job_is_done():
    return call("GET", f"/jobs/{job['id']}")[1]["state"] == "done"


until(job_is_done)
rows = call("GET", f"/jobs/{job['id']}/rows")[1]["items"]
assert len(rows) == 1 and rows[0]["destination.ip"] == "198.51.100.2", rows
assert call("GET", "/list-check?address=198.51.100.2")[1]["is_listed"] is True
assert [s["state"] for s in call("GET", "/sources")[1]["items"]] == ["ok"]
status, muted = call("POST", "/suppressions", {"cause": "list:c2", "entity": "192.0.2.0/24", "reason": "tập huấn", "until": day(now + 3600)})
assert status == 201 and muted["alerts"] == 1, muted
assert call("GET", "/alerts")[1]["items"] == [] and len(call("GET", "/alerts?suppressed=any")[1]["items"]) == 1
overview = call("GET", "/overview")[1]
assert not [n for n in overview["needs_person"] if n["kind"] == "alert"], overview
assert overview["duty"][0]["person_name"] == "Ca trực", overview
print("rows, lists, sources, suppression and the first look agree")

# two officers of units: one of the unit the alert is of, one of its neighbour; neither sees the other's, by no way
assert call("DELETE", f"/suppressions/{muted['id']}", None, 1)[0] == 204
units = {u["name"]: u["id"] for u in call("GET", "/units")[1]["items"]}
first_of = {}
for login, unit in (("tinhoc", "Phòng Tin học"), ("ketoan", "Phòng Kế toán")):
    made = call("POST", "/users", {"login": login, "name": login, "unit": units[unit]})[1]
    first_of[login] = made["first_password"]
    assert call("POST", f"/users/{made['id']}/roles", {"role": "analyst", "unit": units[unit], "is_below": True})[0] == 201
seen = {}
for login in first_of:
    jar.clear()
    assert call("POST", "/session", {"login": login, "password": first_of[login]})[0] == 200
    session()
    assert call("POST", "/settings/password", {"before": first_of[login], "after": "bay-Xuan-9-la-tre"})[0] == 204
    session()
    job = call("POST", "/queries", {"query": "* or not source.ip : 192.0.2.1 | count"})[1]
    until(job_is_done)
    seen[login] = (len(call("GET", "/alerts?suppressed=any&state=any")[1]["items"]), call("GET", path)[0], call("GET", path + "/story")[0],
                   call("PATCH", path, {"state": "open"}, 1)[0], len(call("GET", "/machines")[1]["items"]),
                   call("GET", f"/jobs/{job['id']}/rows")[1]["items"][0]["count"], len(call("GET", "/sources")[1]["items"]),
                   call("GET", "/node-status")[0], call("GET", "/blind-spots")[1]["items"], call("GET", "/lists/c2/entries")[0],
                   call("GET", "/list-check?address=192.0.2.1")[0], call("GET", "/list-check?address=203.0.113.1")[0])
assert seen["tinhoc"] == (1, 200, 200, 412, 1, 2, 0, 404, [], 404, 200, 403), seen
assert seen["ketoan"] == (0, 404, 404, 404, 0, 0, 0, 404, [], 404, 403, 403), seen
print("a neighbour sees nothing of it, and nothing tells that there is something")
