#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# rsyslog.sh PORT N - rsyslogd reads N lines of a file and pushes them by omelasticsearch, a hundred at a time.
set -eu
port=$1 n=$2 dir=$PWD/rs
mkdir -p "$dir"
awk -v n="$n" 'BEGIN { for (i = 0; i < n; i++) printf "Mar  1 09:%02d:%02d mail1 postfix/smtpd[%d]: pushed number %d\n", i / 60 % 60, i % 60, 1000 + i, i }' >"$dir/lines"
cat >"$dir/conf" <<EOF
global(workDirectory="$dir")
module(load="imfile")
module(load="omelasticsearch")
input(type="imfile" file="$dir/lines" tag="file:" ruleset="send")
template(name="json" type="list") {
  constant(value="{\"@timestamp\":\"") property(name="timereported" dateFormat="rfc3339")
  constant(value="\",\"host\":{\"name\":\"mail1\"},\"message\":\"") property(name="msg" format="json") constant(value="\"}")
}
ruleset(name="send") {
  action(type="omelasticsearch" server="https://localhost:$port" uid="rsyslog" pwd="4f9c0e1b7a6d5c2e8f10" template="json"
         searchIndex="syslog" searchType="" bulkmode="on" tls.cacert="$PWD/ca.crt" errorFile="$dir/errors"
         queue.type="linkedList" queue.dequeueBatchSize="100" queue.timeoutShutdown="10000" action.resumeRetryCount="-1" action.resumeInterval="1")
}
EOF
rsyslogd -n -f "$dir/conf" -i "$dir/pid" >"$dir/said" 2>&1 &
pid=$!
sleep 3
kill "$pid"
wait "$pid" || true
cat "$dir/said"
test ! -s "$dir/errors"
