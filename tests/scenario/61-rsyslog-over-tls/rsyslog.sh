#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# rsyslog.sh CERTIFICATE PORT N FRAMING - rsyslogd reads N lines of a file and sends them over TLS with that certificate; after
# three seconds it is told to end, and has ten to empty its queue.
set -eu
name=$1 port=$2 n=$3 framing=$4
dir=$PWD/rs-$name-$framing
mkdir -p "$dir"
awk -v n="$n" -v f="$framing" 'BEGIN { for (i = 0; i < n; i++) printf "<22>Mar  1 09:%02d:%02d mail1 postfix/smtpd[%d]: number %d of %s\n", i / 60 % 60, i % 60, 1000 + i, i, f }' >"$dir/lines"
# imfile gives the line as a message; it is parsed anew, so that omfwd sends what a server would
cat >"$dir/conf" <<EOF
global(workDirectory="$dir" defaultNetstreamDriverCAFile="$PWD/ca.crt"
       defaultNetstreamDriverCertFile="$PWD/$name.crt" defaultNetstreamDriverKeyFile="$PWD/$name.key")
module(load="imfile" mode="inotify")
input(type="imfile" file="$dir/lines" tag="file:" ruleset="send")
template(name="whole" type="string" string="%rawmsg%")
ruleset(name="send") {
  action(type="omfwd" target="127.0.0.1" port="$port" protocol="tcp" tcp_framing="$framing" template="whole"
         streamDriver="gtls" streamDriverMode="1" streamDriverAuthMode="x509/name" streamDriverPermittedPeers="localhost"
         action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="linkedList" queue.timeoutShutdown="10000")
}
EOF
rsyslogd -n -f "$dir/conf" -i "$dir/pid" >"$dir/said" 2>&1 &
pid=$!
sleep 3
kill "$pid"
wait "$pid" || true
cat "$dir/said"
