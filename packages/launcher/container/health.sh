#!/bin/bash
# `mk-node health` for a container's health check, which runs again and again: starting Node costs thirty
# times as much as this. Asks /healthz at MK_LISTEN_HOST and MK_PORT; exit status 0 when the process is well,
# and with `alive` when it answers at all.
host=${MK_LISTEN_HOST:-127.0.0.1} port=${MK_PORT:-7000}
case $host in
  0.0.0.0) host=127.0.0.1 ;;
  :: | '[::]') host=::1 ;;
  '['*']') host=${host:1:-1} ;;
esac
case $port in *://*) port=7000 ;; esac # what Kubernetes sets for a Service named mk

# A shell has no TLS.
[ -z "$MK_TLS_DIR$MK_TLS_CA$MK_TLS_CERT" ] || exec mk-node health "$@"

exec 3<>"/dev/tcp/$host/$port" || exit 1
printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n' "$MK_METRICS_TOKEN" >&3
read -r -t 3 _ status _ <&3
while read -r -t 3 line <&3; do [[ $line == '{'* ]] && echo "$line"; done
[ "$status" = 200 ] || { [ "$1" = alive ] && [ -n "$status" ]; }
