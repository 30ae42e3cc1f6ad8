#!/bin/sh
# Runs jai-server in the background: ops/jai.sh start | stop | restart | status | logs [-f]
#
# Settings come from the environment and, where that is silent, from ops/jai.env (see ops/jai.env.example). A relative
# JAI_MODEL is taken from the package's folder. Process id and log lie in .run/ there.
#
# An installed package is replaced by its next version. So in node_modules/ the folder where the script is called stands
# for the package's: settings come from jai.env there, and .run/ is there.
#
# Exit status: 0 done, or running; 1 failed; 2 wrong usage; 3 not running (of `status`).
set -eu

fail() {
  echo "jai-server: $*" >&2
  exit 1
}

usage() {
  echo "usage: $0 start | stop | restart | status | logs [-f]" >&2
  exit 2
}

# The script may be called by a link to it, from any folder; `readlink -f` is not everywhere.
script=$0
while [ -L "$script" ]; do
  target=$(readlink "$script")
  case $target in
    /*) script=$target ;;
    *) script=$(dirname "$script")/$target ;;
  esac
done
root=$(CDPATH='' cd -- "$(dirname "$script")/.." && pwd -P)
case $root in
  */node_modules/*) home=$(pwd -P) env_file=jai.env ;;
  *) home=$root env_file=ops/jai.env ;;
esac
cd "$home"

run_dir=$home/.run
pid_file=$run_dir/jai-server.pid
log_file=$run_dir/jai-server.log
lock=$run_dir/lock

START_SECONDS=600
KILL_SECONDS=10

# Lines of NAME=VALUE, as systemd reads them too; read, not run, and what the environment says already stays. Editors on
# Windows begin the file with a byte order mark, and end its lines with a carriage return.
load_settings() {
  [ -f "$env_file" ] || return 0
  lines=$(LC_ALL=C sed -e "1s/^$(printf '\357\273\277')//" -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' \
    -e 's/^\([A-Z0-9_]*\)[[:space:]]*=[[:space:]]*/\1=/' "$env_file")
  while IFS= read -r line; do
    case $line in
      '' | '#'* | ';'*) continue ;;
      [A-Z]*=*) ;;
      *) fail "$env_file: expected NAME=VALUE, got: $line" ;;
    esac
    name=${line%%=*}
    value=${line#*=}
    case $name in *[!A-Z0-9_]*) fail "$env_file: expected NAME=VALUE, got: $line" ;; esac
    case $value in
      \"*\" | \'*\')
        value=${value#?}
        value=${value%?}
        ;;
    esac
    if eval "[ -z \"\${$name+set}\" ]"; then export "$name=$value"; fi
  done <<EOF
$lines
EOF
}

# When the process started, which no other process with the same number shares; nothing if it is gone or a zombie.
started_at() {
  if [ -r "/proc/$1/stat" ]; then
    # The second field is the command's name, which may hold anything, brackets and blanks too.
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'
  else
    ps -o stat=,lstart= -p "$1" 2>/dev/null | awk '$1 !~ /^Z/ { $1 = ""; sub(/^ /, ""); print }'
  fi
}

# The pid file outlives a crash or a reboot, after which its number may be another program's.
running() {
  pid='' started='' url='' drain=''
  [ -f "$pid_file" ] || return 1
  { read -r pid && read -r started && read -r url && { read -r drain || true; }; } <"$pid_file" || return 1
  [ -n "$started" ] && [ "$(started_at "$pid")" = "$started" ]
}

# Prints what /health says; fails if nobody answers.
health() {
  node -e '
    const signal = AbortSignal.timeout(2000);
    fetch(`${process.argv[1]}/health`, { signal })
      .then((response) => response.text())
      .then((text) => console.log(text.replace(/\s+/g, " ")), () => process.exit(1));
  ' "$1"
}

brief_pause() {
  sleep 0.2 2>/dev/null || sleep 1
}

require_node() {
  command -v node >/dev/null || fail "expected node on the PATH ($PATH), found none"
}

# The lock is a link that leads nowhere: it comes into being with its owner's name in it, at once.
try_lock() {
  me=$$:$(started_at $$)
  ln -s "$me" "$lock" 2>/dev/null && return
  owner=$(readlink "$lock") || return 1
  [ "$(started_at "${owner%%:*}")" != "${owner#*:}" ] || return 1
  # Of several who find the owner dead, one at a time may look again and remove it: else a slow one would remove the
  # lock that a fast one has taken since.
  mkdir "$lock.dead" 2>/dev/null || return 1
  if [ "$(readlink "$lock")" = "$owner" ]; then rm -f "$lock"; fi
  rmdir "$lock.dead"
  ln -s "$me" "$lock" 2>/dev/null
}

drop_lock() {
  if [ "$(readlink "$lock")" = "$me" ]; then rm -f "$lock"; fi
}

take_lock() {
  if ! mkdir -p "$run_dir" 2>/dev/null || [ ! -w "$run_dir" ]; then
    fail "$run_dir cannot be written: run this as a user who may, or \`npm start\` or ops/jai-server.service as this one"
  fi
  try_lock || fail "another $0 is at work here; if not, remove $lock"
  trap drop_lock EXIT
  trap 'exit 1' HUP INT TERM
}

base_url() {
  host=${JAI_HOST:-127.0.0.1}
  port=${JAI_PORT:-8000}
  case $host in
    0.0.0.0) host=127.0.0.1 ;;
    ::) host=[::1] ;;
    *:*) host=[$host] ;;
  esac
  [ "$port" != 0 ] || fail "JAI_PORT: expected a port of your choice, got 0, which is another at each start"
  echo "http://$host:$port"
}

start() {
  if running; then
    echo "jai-server runs already (pid $pid, $url)"
    return 0
  fi
  new_url=$(base_url)
  # Else its answers would be taken for those of the server that is about to fail.
  if health "$new_url" >/dev/null; then fail "something else answers at $new_url already"; fi
  # A package has no sources, and is built.
  if [ -f "$root/ops/prepare.mjs" ]; then node "$root/ops/prepare.mjs" || exit 1; fi

  if [ -f "$log_file" ]; then mv "$log_file" "$log_file.1"; fi
  # Below npm the server would end with npm's shell, and it is to outlive that.
  unset npm_lifecycle_event
  nohup node "$root/dist/server/cli.js" serve >"$log_file" 2>&1 </dev/null &
  pid=$!
  # With all that `stop` and `status` need: what the settings say by then is nothing to them.
  printf '%s\n%s\n%s\n%s\n' "$pid" "$(started_at "$pid")" "$new_url" "${JAI_DRAIN_SECONDS:-30}" >"$pid_file"
  # From here `stop` knows what to end; a model may take minutes to load.
  started=$(sed -n 2p "$pid_file")
  drop_lock

  end=$(($(date +%s) + START_SECONDS))
  until health "$new_url" 2>/dev/null | grep -q '"model_loaded": *true'; do
    if [ -z "$started" ] || [ "$(started_at "$pid")" != "$started" ]; then
      # Another start may have written the file anew.
      if try_lock && ! running; then rm -f "$pid_file"; fi
      echo "jai-server: did not start; the end of $log_file:" >&2
      tail -n 20 "$log_file" >&2
      exit 1
    fi
    [ "$(date +%s)" -le "$end" ] || fail "not ready after $START_SECONDS s; see $log_file"
    brief_pause
  done
  echo "jai-server runs (pid $pid, $new_url)"
}

stop() {
  if ! running; then
    rm -f "$pid_file"
    echo "jai-server does not run"
    return 0
  fi
  case $drain in '' | *[!0-9]*) drain=30 ;; esac
  kill -TERM "$pid" 2>/dev/null || true
  echo "jai-server finishes what it has begun (pid $pid, $drain s at most)"
  if ! gone_within $((drain + KILL_SECONDS)); then
    echo "jai-server: still there; killing it" >&2
    kill -KILL "$pid" 2>/dev/null || true
    gone_within "$KILL_SECONDS" || fail "pid $pid does not end"
  fi
  rm -f "$pid_file"
  echo "jai-server has stopped"
}

gone_within() {
  end=$(($(date +%s) + $1))
  while running; do
    [ "$(date +%s)" -le "$end" ] || return 1
    brief_pause
  done
}

status() {
  if ! running; then
    echo "jai-server does not run"
    exit 3
  fi
  echo "jai-server runs (pid $pid, $url)"
  health "$url" || echo "jai-server: no answer from $url/health" >&2
}

logs() {
  [ -f "$log_file" ] || fail "expected $log_file, which \`$0 start\` writes; got none"
  case ${1-} in
    '') tail -n 100 "$log_file" ;;
    -f) exec tail -n 100 -f "$log_file" ;;
    *) usage ;;
  esac
}

command=${1-}
[ $# -eq 0 ] || shift
case $command in
  logs) [ $# -le 1 ] || usage ;;
  *) [ $# -eq 0 ] || usage ;;
esac
case $command in
  start | stop | restart)
    require_node
    # Before anything is stopped: a server that runs is better than none.
    if [ "$command" != stop ]; then load_settings; fi
    take_lock
    case $command in
      start) start ;;
      stop) stop ;;
      restart) stop && start ;;
    esac
    ;;
  status)
    require_node
    status
    ;;
  logs) logs "$@" ;;
  *) usage ;;
esac
