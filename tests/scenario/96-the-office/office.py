# SPDX-License-Identifier: Apache-2.0
"""A client of the office for scenarios: office.py STEP PORT [ARGUMENT...]; state between steps lies in client.json."""
import http.client
import json
import random
import re
import ssl
import sys
import time
from urllib.parse import quote

STATE = "client.json"
COOKIE = "__Host-vonggac"


class Office:
    def __init__(self, port):
        self.port = int(port)
        self.context = ssl._create_unverified_context()
        self.connection = None
        try:
            with open(STATE, encoding="utf-8") as f:
                self.kept = json.load(f)
        except FileNotFoundError:
            self.kept = {}

    def keep(self, **values):
        self.kept.update(values)
        with open(STATE, "w", encoding="utf-8") as f:
            json.dump(self.kept, f)

    def ask(self, method, path, body=None, headers=None, with_cookie=True, with_csrf=True):
        """(status, headers, JSON or bytes)"""
        h = {"Accept-Language": "en"}
        if with_cookie and "cookie" in self.kept:
            h["Cookie"] = f"{COOKIE}={self.kept['cookie']}"
            if with_csrf:
                h["X-CSRF-Token"] = self.kept["csrf"]
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            h["Content-Type"] = "application/json"
        h.update(headers or {})
        for attempt in (1, 2):
            try:
                if not self.connection:
                    self.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=60)
                self.connection.request(method, path, body=body, headers=h)
                r = self.connection.getresponse()
                content = r.read()
                break
            except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
                self.connection = None
                if attempt == 2:
                    raise
        kind = r.headers.get("Content-Type", "")
        return r.status, r.headers, json.loads(content) if "json" in kind and content else content

    def log_in(self, login, password):
        status, headers, reply = self.ask("POST", "/api/v1/session", {"login": login, "password": password}, with_cookie=False)
        if status == 200:
            cookie = headers["Set-Cookie"]
            assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/")), cookie
            self.keep(cookie=re.match(COOKIE + r"=([^;]+)", cookie)[1], csrf=reply["csrf"])
        return status


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r}, expected {wanted!r}")
    print(f"{what}: {got}")


def first(o, password_file):
    with open(password_file, encoding="utf-8") as f:
        password = f.read().strip()
    expect("wrong password", o.log_in("admin", "not the password"), 401)
    expect("first password", o.log_in("admin", password), 200)
    expect("nothing else before a new one", o.ask("GET", "/api/v1/users")[0], 403)
    expect("too easy", o.ask("POST", "/api/v1/settings/password", {"before": password, "after": "password1234"})[0], 422)
    expect("a new one", o.ask("POST", "/api/v1/settings/password", {"before": password, "after": "tram-gac-dem-khong-ngu"})[0], 204)
    expect("log in again", o.log_in("admin", "tram-gac-dem-khong-ngu"), 200)
    expect("users", o.ask("GET", "/api/v1/users")[0], 200)


def rules(o):
    person = {"login": "truc.ban", "name": "Trực ban"}
    expect("no session", o.ask("GET", "/api/v1/users", with_cookie=False)[0], 401)
    expect("write without the page's token", o.ask("POST", "/api/v1/users", person, with_csrf=False)[0], 403)
    expect("write from another site", o.ask("POST", "/api/v1/users", person, {"Sec-Fetch-Site": "cross-site"})[0], 403)
    status, _, made = o.ask("POST", "/api/v1/users", person)
    expect("a person", status, 201)
    expect("the same again", o.ask("POST", "/api/v1/users", person)[0], 422)
    other = Office(o.port)
    other.kept = {}
    other.keep = lambda **v: other.kept.update(v)
    expect("he logs in", other.log_in("truc.ban", made["first_password"]), 200)
    change = {"before": made["first_password"], "after": "ca-truc-dem-thu-bay"}
    expect("his own password", other.ask("POST", "/api/v1/settings/password", change)[0], 204)
    other.log_in("truc.ban", change["after"])
    expect("he may not see people", other.ask("GET", "/api/v1/users")[0], 403)
    a, b = other.ask("GET", f"/api/v1/users/{made['id']}"), other.ask("GET", "/api/v1/users/999999")
    expect("nor whether one exists", (a[0], b[0]), (403, 403))
    expect("nor the trail", other.ask("GET", "/api/v1/audit")[0], 403)
    expect("what is not there", o.ask("GET", "/api/v1/users/999999")[0], 404)
    role = {"role": "duty_officer", "unit": 0, "is_below": True}
    status, _, binding = o.ask("POST", f"/api/v1/users/{made['id']}/roles", role)
    expect("a role", status, 201)
    expect("a change of roles ends sessions", other.ask("GET", "/api/v1/session")[0], 401)
    other.log_in("truc.ban", change["after"])
    expect("now he sees people", other.ask("GET", "/api/v1/users")[0], 200)
    expect("but makes none", other.ask("POST", "/api/v1/users", {"login": "x.y", "name": "x"})[0], 403)
    expect("nor a grant", other.ask("POST", "/api/v1/grants", {})[0], 403)
    expect("the last administrator stays", o.ask("POST", "/api/v1/users/1/disable", {"reason": "x"})[0], 409)
    for i in range(5):
        expect("another person", o.ask("POST", "/api/v1/users", {"login": f"can.bo.{i}", "name": f"=Cán bộ {i}"})[0], 201)
    seen, target = [], "/api/v1/users?limit=3"
    while target:
        status, _, page = o.ask("GET", target)
        expect("a page", status, 200)
        seen += [p["login"] for p in page["items"]]
        target = page["next"] and f"/api/v1/users?limit=3&cursor={page['next']}"
    expect("everybody once, in order", seen, sorted(set(seen)))
    expect("how many", len(seen), 7)
    status, headers, table = o.ask("GET", "/api/v1/users?format=csv")
    expect("as CSV", (status, headers["Content-Type"]), (200, "text/csv; charset=utf-8"))
    assert b"\"'=C\xc3\xa1n b\xe1\xbb\x99 0\"" in table and b"\r\n" in table, table
    status, headers, table = o.ask("GET", "/api/v1/users?format=xlsx")
    expect("as XLSX", (status, table[:2]), (200, b"PK"))
    status, headers, _ = o.ask("GET", "/api/v1/users/1")
    tag = headers["ETag"]
    expect("two people edit: the first", o.ask("PATCH", "/api/v1/users/1", {"phone": "1"}, {"If-Match": tag})[0], 200)
    expect("the second is told", o.ask("PATCH", "/api/v1/users/1", {"phone": "2"}, {"If-Match": tag})[0], 412)
    expect("who says no version", o.ask("PATCH", "/api/v1/users/1", {"phone": "2"})[0], 428)
    status, headers, _ = o.ask("GET", "/api/v1/nothing")
    wanted = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
              "Content-Type": "application/problem+json", "Referrer-Policy": "no-referrer"}
    expect("headers", {k: headers[k] for k in wanted}, wanted)
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"] and headers["Strict-Transport-Security"]
    status, headers, page = o.ask("GET", "/")
    expect("the console", (status, headers["Content-Type"], headers["Cache-Control"]), (200, "text/html; charset=utf-8", "no-cache"))
    assert "default-src 'self'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
    expect("an address of the console", o.ask("GET", "/alerts/17")[2], page)
    status, headers, _ = o.ask("GET", "/app-3f2a9c1d.js", headers={"Accept-Encoding": "gzip"})
    expect("a hashed name, packed", (headers["Cache-Control"], headers["Content-Encoding"]), ("public, max-age=31536000, immutable", "gzip"))
    for path in ("/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2foffice/key", "/app.js%00.html", "/office/state.db"):
        status, _, content = o.ask("GET", path)
        assert status in (400, 404) or content == page, (path, status)
    expect("the trail holds", o.ask("GET", "/api/v1/audit/verify")[2]["is_whole"], True)
    o.keep(other=other.kept, user=made["id"])


def stream_of(o, kept, seconds, act):
    """Opens /events as somebody, calls act() once it is open, returns the text that came within so many seconds."""
    c = http.client.HTTPSConnection("127.0.0.1", o.port, context=o.context, timeout=seconds)
    c.request("GET", "/api/v1/events", headers={"Cookie": f"{COOKIE}={kept['cookie']}"})
    r = c.getresponse()
    assert r.status == 200 and r.headers["Content-Type"] == "text/event-stream", (r.status, r.headers)
    text, until = r.readline(), time.monotonic() + seconds
    act()
    try:
        while time.monotonic() < until:
            line = r.readline()
            if not line:
                return text.decode(), True
            text += line
    except TimeoutError:
        pass
    return text.decode(), False


def stream(o):
    other = Office(o.port)
    other.kept = o.kept["other"]
    disable = lambda: o.ask("POST", f"/api/v1/users/{o.kept['user']}/disable", {"reason": "hết nhiệm vụ"})
    text, is_over = stream_of(o, other.kept, 20, disable)
    assert "event: session" in text and is_over, (text, is_over)
    print("a session that ended ends its stream")
    expect("and lets nobody in", other.ask("GET", "/api/v1/session")[0], 401)


def still(o):
    expect("the session of before", o.ask("GET", "/api/v1/session")[0], 200)


def lock(o):
    statuses = {o.log_in("admin", f"guess {i}") for i in range(7)}
    expect("who guesses is locked out", 429 in statuses and 401 in statuses, True)
    expect("even with the right password", o.log_in("admin", "tram-gac-dem-khong-ngu"), 429)
    expect("whoever is in stays in", o.ask("GET", "/api/v1/session")[0], 200)


# --- the description, and requests drawn from it -------------------------------------------------------------------

ODD_TEXTS = ["", " ", "a", "\u0000", "\u0007", "'", "\"; DROP TABLE person; --", "<script>", "../../etc/passwd", "%00", "ệ" * 300, "=1+1",
             "x" * 70000, "\ud83d\ude00", "2026-02-17T03:00:00Z", "9999-12-31T23:59:59Z", "0000-00-00T00:00:00Z", "NaN", "-1", "1e99"]
ODD_NUMBERS = [0, -1, 1, 2, 2**31, 2**53, 2**63 - 1, -2**63, 2**63, 10**30, 0.5, -0.0, 1e300]
ODD = [None, True, False, [], {}, [[[]]], {"a": {"b": 1}}] + ODD_TEXTS[:10] + ODD_NUMBERS


class Schemas:
    def __init__(self, document):
        self.document = document

    def plain(self, s):
        while "$ref" in s:
            at = self.document
            for part in s["$ref"][2:].split("/"):
                at = at[part]
            s = at
        return s

    def draw(self, s, r, depth=0):
        s = self.plain(s)
        if r.random() < 0.15 or depth > 5:
            return r.choice(ODD)
        if "enum" in s:
            return r.choice(s["enum"])
        if "const" in s:
            return s["const"]
        for many in ("oneOf", "anyOf"):
            if many in s:
                return self.draw(r.choice(s[many]), r, depth + 1)
        kind = s.get("type", "object" if "properties" in s else "string")
        kind = r.choice(kind) if isinstance(kind, list) else kind
        if kind == "object":
            return {k: self.draw(v, r, depth + 1) for k, v in s.get("properties", {}).items()
                    if k in s.get("required", ()) and r.random() < 0.95 or r.random() < 0.5}
        if kind == "array":
            return [self.draw(s.get("items", {}), r, depth + 1) for _ in range(r.randint(0, 3))]
        if kind == "integer" or kind == "number":
            return r.choice(ODD_NUMBERS) if r.random() < 0.3 else r.randint(s.get("minimum", 0), min(s.get("maximum", 20), 1000))
        if kind == "boolean":
            return r.random() < 0.5
        if kind == "null":
            return None
        if s.get("format") == "date-time":
            return r.choice(ODD_TEXTS[-6:-2])
        return r.choice(ODD_TEXTS) if r.random() < 0.4 else "".join(r.choice("abcăđ012 .-") for _ in range(r.randint(1, 12)))

    def faults(self, s, v, at="$"):
        s = self.plain(s)
        for many in ("oneOf", "anyOf"):
            if many in s and all(list(self.faults(one, v, at)) for one in s[many]):
                yield f"{at}: none of {many}"
        for one in s.get("allOf", ()):
            yield from self.faults(one, v, at)
        if "enum" in s and v not in s["enum"]:
            yield f"{at}: {v!r} is not in {s['enum']}"
        kinds = s.get("type")
        if kinds:
            kinds = kinds if isinstance(kinds, list) else [kinds]
            is_ok = {"object": isinstance(v, dict), "array": isinstance(v, list), "string": isinstance(v, str), "null": v is None,
                     "boolean": isinstance(v, bool), "integer": isinstance(v, int) and not isinstance(v, bool),
                     "number": isinstance(v, (int, float)) and not isinstance(v, bool)}
            if not any(is_ok[k] for k in kinds):
                yield f"{at}: {v!r} is no {kinds}"
        if isinstance(v, dict):
            for k in s.get("required", ()):
                if k not in v:
                    yield f"{at}: lacks {k}"
            for k, one in v.items():
                if k in s.get("properties", {}):
                    yield from self.faults(s["properties"][k], one, f"{at}.{k}")
        if isinstance(v, list) and "items" in s:
            for i, one in enumerate(v[:20]):
                yield from self.faults(s["items"], one, f"{at}[{i}]")


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                yield path, method.upper(), operation, item.get("parameters", []) + operation.get("parameters", [])


# what would take the ground from under the client itself, or hold a connection
NOT_DRAWN = {"events", "session_close", "settings_password", "session_open", "session_second_factor"}


def request_of(schemas, r, path, operation, parameters, own_token):
    headers, query = {}, []
    for p in parameters:
        p = schemas.plain(p)
        value = schemas.draw(p.get("schema", {}), r)
        text = value if isinstance(value, str) else json.dumps(value)
        text = text[:500]
        if p["in"] == "path":
            if operation["operationId"] == "token_end" and text == own_token:
                text = "999999"
            path = path.replace("{" + p["name"] + "}", quote(text, safe="", errors="surrogatepass") or "0")
        elif p["in"] == "query" and r.random() < 0.6:
            query.append(quote(p["name"]) + "=" + quote(text, safe="", errors="surrogatepass"))
        elif p["in"] == "header" and r.random() < 0.8:
            headers[p["name"]] = r.choice(['"1"', '"2"', "*", '"x"', "1"]) if p["name"] == "If-Match" else "1"
    body, content = None, operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        body = json.dumps(schemas.draw(content["application/json"]["schema"], r)).encode()
        headers["Content-Type"] = "application/json"
        if r.random() < 0.05:
            body = body[:r.randint(0, len(body))]
    elif content:
        headers["Content-Type"] = r.choice(list(content))
        body = r.randbytes(r.randint(0, 300)) if r.random() < 0.5 else b"a,b\r\n1,2\r\n"
    return path + ("?" + "&".join(query) if query else ""), body, headers


def draw(o, seconds, seed):
    document = o.ask("GET", "/api/v1/openapi.json")[2]
    schemas, r = Schemas(document), random.Random(int(seed))
    assert document["openapi"].startswith("3.1") and document["info"]["title"] and document["paths"]
    ids = [op["operationId"] for _, _, op, _ in operations(document)]
    expect("every operation has its own name", len(ids), len(set(ids)))
    scopes = o.ask("GET", "/api/v1/session")[2]["permissions"]
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 9000))
    status, _, token = o.ask("POST", "/api/v1/tokens", {"name": "draw", "scopes": scopes, "expires_at": end})
    expect("a token", status, 201)
    o.keep(token=token["token"])
    wanted, count, by_status, faults = [x for x in operations(document) if x[2]["operationId"] not in NOT_DRAWN], 0, {}, []
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until and len(faults) < 20:
        path, method, operation, parameters = wanted[count % len(wanted)]
        target, body, headers = request_of(schemas, r, path, operation, parameters, str(token["id"]))
        headers["Authorization"] = f"Bearer {token['token']}"
        status, got, reply = o.ask(method, target, body, headers, with_cookie=False)
        count += 1
        by_status[status] = by_status.get(status, 0) + 1
        where = f"{method} {target[:200]} {body[:200] if body else ''} -> {status}"
        kind = got.get("Content-Type", "")
        if status >= 500 and not (status == 503 and operation["operationId"] == "ready"):
            faults.append(f"{where} {reply!r:.300}")
        elif status >= 400:
            if kind != "application/problem+json" or reply.get("status") != status or not reply.get("title"):
                faults.append(f"{where}: no problem document: {kind} {reply!r:.200}")
        elif kind == "application/json":
            described = operation["responses"].get(str(status)) or operation["responses"].get("default")
            schema = schemas.plain(described).get("content", {}).get("application/json", {}).get("schema", {})
            faults += [f"{where}: {f}" for f in schemas.faults(schema, reply)][:2]
    print(f"{count} requests of {len(wanted)} operations: {dict(sorted(by_status.items()))}")
    if faults:
        sys.exit(f"seed {seed}\n" + "\n".join(faults))
    expect("alive", o.ask("GET", "/api/v1/ready")[0], 200)
    verified = o.ask("GET", "/api/v1/audit/verify", headers={"Authorization": f"Bearer {token['token']}"}, with_cookie=False)[2]
    expect("the trail holds", verified["is_whole"], True)


def metrics(o):
    text = o.ask("GET", "/api/v1/metrics", headers={"Authorization": f"Bearer {o.kept['token']}"}, with_cookie=False)[2].decode()
    for name in ("requests_total", "answers_total", "denied_total", "streams"):
        assert f"vonggac_office_{name}" in text, name
    assert re.search(r"^vonggac_is_running 1$", text, re.M) and len(re.findall(r"^vonggac_(?!office)", text, re.M)) > 10, text[-3000:]
    assert re.search(r'answers_total\{class="5xx"\} 0\b', text), text
    print("metrics: nothing failed")


def main():
    step, port, *rest = sys.argv[1:]
    {"first": first, "rules": rules, "stream": stream, "still": still, "lock": lock, "draw": draw, "metrics": metrics}[step](Office(port), *rest)
    print(f"done: {step}")


main()
