#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""beat.py VERSION PORT - sends as Filebeat and Winlogbeat do.

VERSION 7 and 8 are the Beats' Elasticsearch output as its public source has it (elastic/beats, libbeat/esleg, licenser, template,
idxmgmt; Apache-2.0): the questions in their order, one connection kept open, bodies packed; each answer is judged as the Beats
judge it, and where one stops so do we. `logstash` asks as its output plugin does. The token stands where each of them puts it.
"""
import base64
import gzip
import http.client
import json
import ssl
import sys

VERSION, PORT, TOKEN = sys.argv[1], int(sys.argv[2]), "4f9c0e1b7a6d5c2e8f10"
NAME = {"7": "filebeat-7.17.18", "8": "winlogbeat-8.15.3", "logstash": "ecs-logstash"}[VERSION]
AUTHORIZATION = {
    "7": "Basic " + base64.b64encode(b"beats:" + TOKEN.encode()).decode(),                # username, password
    "8": "ApiKey " + base64.b64encode(b"winlogbeat:" + TOKEN.encode()).decode(),          # api_key: "winlogbeat:TOKEN"
    "logstash": "Basic " + base64.b64encode(b"logstash:" + TOKEN.encode()).decode(),
}[VERSION]
connection = http.client.HTTPSConnection("localhost", PORT, context=ssl.create_default_context(cafile="ca.crt"), timeout=30)


def ask(method, path, body=None, packed=False, kind="application/json"):
    headers = {"Accept": "application/json", "Authorization": AUTHORIZATION, "User-Agent": f"Elastic-{NAME}",
               "X-Elastic-Product-Origin": "beats"}
    if body is not None:
        body = body.encode()
        headers["Content-Type"] = kind
    if packed:
        body = gzip.compress(body)
        headers["Content-Encoding"] = "gzip"
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    print(method, path, answer.status)
    assert answer.getheader("X-Elastic-Product") == "Elasticsearch", "not Elasticsearch"
    return answer.status, text


def greet():
    status, text = ask("GET", "/")
    version = json.loads(text)["version"]
    assert status == 200 and tuple(map(int, version["number"].split("."))) >= (8, 15, 3), "older than the Beat"
    assert version["build_flavor"] == "default"
    status, text = ask("GET", "/_license?human=false")
    licence = json.loads(text)["license"]
    assert status == 200 and licence["status"] == "active" and licence["type"] == "basic"


def set_up_7():
    status, text = ask("GET", "/_xpack")
    ilm = json.loads(text)["features"]["ilm"]
    assert status == 200 and not (ilm["available"] and ilm["enabled"])  # setup.ilm.enabled: auto goes on without
    status, _ = ask("HEAD", f"/_index_template/{NAME}")
    assert status in (200, 404)
    if status == 404:
        assert ask("PUT", f"/_index_template/{NAME}", json.dumps({"index_patterns": [NAME + "-*"]}))[0] < 300


def set_up_8():
    assert ask("GET", f"/_ilm/policy/{NAME[:10]}")[0] in (200, 404)
    # setup.ilm.overwrite, setup.template.overwrite: what is there is put all the same, and it is large
    assert ask("PUT", f"/_ilm/policy/{NAME[:10]}", '{"policy":{"phases":{"hot":{"actions":{}}}}}')[0] < 300
    assert ask("GET", f"/_index_template/{NAME}")[0] in (200, 404)
    fields = {f"field{i}": {"type": "keyword", "ignore_above": 1024} for i in range(20000)}
    body = {"index_patterns": [NAME], "data_stream": {}, "template": {"mappings": {"properties": fields}}}
    assert ask("PUT", f"/_index_template/{NAME}", json.dumps(body))[0] < 300
    status, _ = ask("GET", f"/_data_stream/{NAME}")
    if status == 404:
        assert ask("PUT", f"/_data_stream/{NAME}")[0] < 300
    # a module's pipelines
    assert json.loads(ask("GET", "/_nodes/ingest")[1]) is not None
    for pipeline in ("winlogbeat-8.15.3-security", "winlogbeat-8.15.3-routing"):
        if ask("GET", f"/_ingest/pipeline/{pipeline}")[0] != 200:
            assert ask("PUT", f"/_ingest/pipeline/{pipeline}", "{}")[0] < 300


def set_up_logstash():
    assert ask("HEAD", "/")[0] == 200
    assert ask("HEAD", f"/_index_template/{NAME}")[0] in (200, 404)
    assert ask("PUT", f"/_index_template/{NAME}", '{"index_patterns":["ecs-logstash-*"]}')[0] < 300


def documents():
    agent = {"type": NAME.split("-")[0], "version": NAME.split("-")[1], "ephemeral_id": "0f1e", "id": "a1", "name": "web1"}
    if VERSION == "8":
        return [{"@timestamp": f"2024-03-01T02:03:0{i}.123Z", "agent": agent, "ecs": {"version": "8.0.0"}, "host": {"name": "pc1"},
                 "event": {"code": "4625", "kind": "event", "provider": "Microsoft-Windows-Security-Auditing", "outcome": "failure"},
                 "log": {"level": "information"}, "message": "An account failed to log on.",
                 "winlog": {"channel": "Security", "computer_name": "pc1.so.example.vn", "event_id": "4625", "record_id": 100 + i,
                            "provider_name": "Microsoft-Windows-Security-Auditing",
                            "event_data": {"TargetUserName": "quản trị", "IpAddress": "203.0.113.9", "LogonType": "3"}}}
                for i in range(5)]
    return [{"@timestamp": f"2024-03-01T02:03:0{i}.123Z", "agent": agent, "ecs": {"version": "1.12.0"}, "input": {"type": "log"},
             "host": {"name": "web1"}, "log": {"file": {"path": "/var/log/auth.log"}, "offset": 4096 + 100 * i},
             "message": f"Mar  1 09:03:0{i} web1 sshd[811]: Failed password for root from 203.0.113.{i + 1} port 4711 ssh2"}
            for i in range(4)]


def publish():
    action = {"7": {"index": {"_index": f"{NAME}-2024.03.01", "_type": "_doc", "pipeline": "filebeat-7.17.18-system-auth"}},
              "8": {"create": {"_index": NAME, "pipeline": "winlogbeat-8.15.3-routing"}},
              "logstash": {"index": {"_id": None, "_index": "logs", "routing": None}}}[VERSION]
    all = documents()
    body = "".join(json.dumps(action) + "\n" + json.dumps(d, ensure_ascii=False) + "\n" for d in all)
    path = "/_bulk" if VERSION == "logstash" else "/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status"
    kind = "application/vnd.elasticsearch+x-ndjson; compatible-with=8" if VERSION == "8" else "application/json; charset=UTF-8"
    status, text = ask("POST", path, body, True, kind)
    answer = json.loads(text)
    assert status == 200 and answer["errors"] is False, text
    assert [next(iter(item.values()))["status"] for item in answer["items"]] == [201] * len(all), text


greet()
{"7": set_up_7, "8": set_up_8, "logstash": set_up_logstash}[VERSION]()
publish()
publish()
print("published twice")
