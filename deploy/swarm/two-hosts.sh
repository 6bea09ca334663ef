#!/usr/bin/env bash
# A swarm of several hosts on one machine, for trying deploy/swarm/stack.yml: each host is a Docker engine of its own, in a network, process, mount
# and name space of its own, with its own run and data folders; a bridge in another network space is the wire between them.
#
#   two-hosts.sh check                 says what this machine lacks; exit status 1 if anything
#   two-hosts.sh up IMAGE [HOSTS]      make the hosts (2), join them to a swarm, load IMAGE from this machine's engine into each
#   two-hosts.sh docker HOST ARG…      docker on a host: a, b, …; the manager is a
#   two-hosts.sh deploy [ARG…]         docker stack deploy of stack.yml on a, with the variables of this shell, and a fresh secret
#   two-hosts.sh kill HOST             kills the host at once, with everything on it
#   two-hosts.sh start HOST            brings it back, as the same node of the swarm
#   two-hosts.sh down                  ends every host and removes what `up` made; nothing is left, also after a failed `up`
#
# Needs root, dockerd, iproute2, util-linux, and a kernel with vxlan. Folder: MK_SWARM_DIR (/var/tmp/mk-swarm). Names of network spaces
# begin with MK_SWARM_NAME (mk), so that two of these can run.
set -euo pipefail

dir=${MK_SWARM_DIR:-/var/tmp/mk-swarm}
name=${MK_SWARM_NAME:-mk}
net=10.231.77
here=$(cd "$(dirname "$0")" && pwd)
letters=(a b c d e f g h)

say() { echo "two-hosts: $*" >&2; }
die() { say "$*"; exit 1; }
help() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }
number() {
  local i
  for i in "${!letters[@]}"; do [ "${letters[$i]}" = "$1" ] && { echo "$((i + 1))"; return; }; done
  die "no host ${1:-''}; hosts are ${letters[*]}"
}
on() { docker -H "unix://$dir/$1/docker.sock" "${@:2}"; }

# The engine is process 1 of its namespace: when it ends, the kernel ends everything that it started and removes its mounts.
engine() {
  local host=$1 i
  mkdir -p "$dir/$host/data"
  rm -rf "$dir/$host/exec" "$dir/$host/docker.pid" "$dir/$host/docker.sock"
  setsid nsenter --net="/run/netns/$name-$host" unshare --uts --mount --pid --fork --kill-child --mount-proc bash -c '
    hostname "$1"
    # There is no name server here: one that refuses at once saves each pull ten seconds.
    echo "nameserver 127.0.0.1" >"$2/resolv.conf" && mount --bind "$2/resolv.conf" "$(readlink -f /etc/resolv.conf)"
    exec dockerd --data-root "$2/data" --exec-root "$2/exec" --pidfile "$2/docker.pid" -H "unix://$2/docker.sock" \
      --cgroup-parent "/$1" --log-level warn' engine "$name-$host" "$dir/$host" </dev/null >"$dir/$host/log" 2>&1 &
  echo $! >"$dir/$host/space.pid"
  for ((i = 0; i < 240; i++)); do
    on "$host" info >/dev/null 2>&1 && return
    kill -0 "$(cat "$dir/$host/space.pid")" 2>/dev/null || break
    sleep 0.5
  done
  tail -5 "$dir/$host/log" >&2
  die "the engine of host $host did not start; its log is $dir/$host/log"
}

wire() {
  local host=$1
  ip netns add "$name-$host"
  ip -n "$name-$host" link set lo up
  ip link add eth0 netns "$name-$host" type veth peer name "to-$host" netns "$name-wire"
  ip -n "$name-wire" link set "to-$host" master wire up
  ip -n "$name-$host" address add "$net.$(number "$host")/24" dev eth0
  ip -n "$name-$host" link set eth0 up
  ip -n "$name-$host" route add default dev eth0
}

check() {
  local tool
  [ "$(id -u)" = 0 ] || die "needs root: it makes network spaces and starts engines"
  for tool in docker dockerd ip nsenter unshare; do command -v "$tool" >/dev/null || die "$tool is not installed"; done
  # In its own network namespace: several of these may ask at once.
  unshare --net ip link add try type vxlan id 231 dstport 4789 local 127.0.0.1 2>/dev/null || die "this kernel has no vxlan, which overlay networks need"
}

up() {
  local image=${1:-} hosts=${2:-2} host token
  [ -n "$image" ] || die "which image? two-hosts.sh up IMAGE, built with: docker build --tag IMAGE ."
  [[ $hosts =~ ^[1-8]$ ]] || die "HOSTS must be from 1 to 8"
  docker image inspect "$image" >/dev/null 2>&1 || die "this machine's engine has no image $image; build it with: docker build --tag $image ."
  [ ! -e "/run/netns/$name-wire" ] || die "it is up already, or was not taken down; two-hosts.sh down"
  mkdir -p "$dir"
  ip netns add "$name-wire"
  ip -n "$name-wire" link add wire type bridge
  ip -n "$name-wire" link set wire up
  docker save "$image" --output "$dir/image.tar"
  for host in "${letters[@]:0:hosts}"; do
    wire "$host"
    engine "$host"
    on "$host" load --quiet --input "$dir/image.tar" >/dev/null
  done
  rm "$dir/image.tar"
  # An engine waits 20 s for a swarm and then continues in the background: wait for slow ones, so that none gets work before all can take it.
  on a swarm init --advertise-addr "$net.1" >/dev/null || true
  ready 1
  token=$(on a swarm join-token --quiet worker)
  for host in "${letters[@]:1:hosts-1}"; do on "$host" swarm join --token "$token" "$net.1:2377" >/dev/null || true; done
  ready "$hosts"
  say "$hosts hosts are up: $(on a node ls --format '{{.Hostname}}' | sort | tr '\n' ' ')"
}

# Waits until the given number of hosts of the swarm are ready.
ready() {
  local i
  for ((i = 0; i < 600; i++)); do
    [ "$(on a node ls --format '{{.Status}}' 2>/dev/null | grep -c '^Ready$')" != "$1" ] || return 0
    sleep 0.5
  done
  die "not $1 hosts of the swarm are ready; docker on a says: $(on a node ls 2>&1)"
}

deploy() {
  on a secret inspect mk-secret >/dev/null 2>&1 || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' | on a secret create mk-secret - >/dev/null
  on a stack deploy --resolve-image never --compose-file "$here/stack.yml" "$@" mk
}

# A namespace's process 1 is the child of unshare, which dies with it.
end() {
  local pid
  pid=$(cat "$dir/$1/space.pid" 2>/dev/null) || return 0
  ! grep -qs unshare "/proc/$pid/cmdline" || kill -KILL "$pid" 2>/dev/null || true
}

# Wait for the end: what comes next may need its name or its files.
stop() {
  local host=$1 pid i
  [ -e "$dir/$host/space.pid" ] || return 0
  pid=$(cat "$dir/$host/space.pid")
  end "$host"
  if grep -qs unshare "/proc/$pid/cmdline"; then
    # A zombie counts as gone.
    for ((i = 0; i < 600; i++)); do grep -qs '^State:[[:space:]]*[^Z]' "/proc/$pid/status" || break; sleep 0.1; done
  fi
  for ((i = 0; i < 600; i++)); do [ -z "$(ip netns pids "$name-$host" 2>/dev/null)" ] && break; sleep 0.1; done
  rm -f "$dir/$host/space.pid"
}

down() {
  local host folder
  # All at once: their kernel takes some seconds for each, and longer on a busy machine.
  for host in "${letters[@]}"; do end "$host"; done
  for host in "${letters[@]}"; do
    stop "$host"
    [ ! -e "/run/netns/$name-$host" ] || ip netns delete "$name-$host"
    for folder in "/sys/fs/cgroup/$name-$host" /sys/fs/cgroup/*/"$name-$host"; do
      [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
  done
  [ ! -e "/run/netns/$name-wire" ] || ip netns delete "$name-wire"
  rm -rf "$dir"
}

case ${1:-} in '' | help | -h | --help) help; exit 0 ;; esac
check
command=$1
shift
case $command in
  check) ;;
  up) up "$@" ;;
  docker) number "${1:-}" >/dev/null; on "$@" ;;
  deploy) deploy "$@" ;;
  kill) number "${1:-}" >/dev/null; stop "$1" ;;
  start) number "${1:-}" >/dev/null; [ -d "$dir/$1" ] || die "host $1 was never up"; engine "$1" ;;
  down) down ;;
  *) die "no command $command; two-hosts.sh --help" ;;
esac
