/*
 * What runs on a server's host, each in one round trip. `pg_ctl -w` looks ten times a second whether it is so; that is
 * looked at here every 10 ms, and then pg_ctl is let go, which does nothing but wait by then. Its own end counts when
 * it comes first, also for the time limit.
 */

/** `sh -c SCRIPT sh OWNER PROGRAM …`: runs a program as the owner of the data. */
export const asOwnerScript = `
owner=$1
shift
test "$(id -un)" = "$owner" && exec "$@"
# Without a login: no shell and no password are needed, which server accounts often lack.
exec runuser -u "$owner" -- "$@"
`;

const look = `
"$programs/pg_ctl" status -D "$data" > /dev/null 2>&1
echo "status: $?"
exec "$programs/pg_controldata" -D "$data"
`;

const head = `
programs=$1
data=$2
# Where sleep knows no fractions, pg_ctl ends first.
moment() { sleep 0.01 2> /dev/null || sleep 1; }
`;

const letGo = `
kill "$ctl" 2> /dev/null
wait "$ctl" 2> /dev/null
`;

/** `PROGRAMS DATA`: prints pg_ctl's status and what pg_controldata says. */
export const lookScript = `${head}${look}`;

/** `PROGRAMS DATA MODE SECONDS`: stops it, and looks. A server that has closed its port takes its file away (pg_ctl). */
export const stopScript = `${head}
"$programs/pg_ctl" stop -m "$3" -D "$data" -w -s -t "$4" >&2 &
ctl=$!
while kill -0 "$ctl" 2> /dev/null && test -e "$data/postmaster.pid"; do moment; done
test -e "$data/postmaster.pid" || {${letGo}}
${look}`;

/**
 * `PROGRAMS DATA OPTIONS LOG SECONDS`: starts it unless it is found running, and looks. The eighth line of its file tells when it
 * takes connections; a file that was left behind by a killed server tells nothing.
 */
export const startScript = `${head}
is_ready() {
  state=
  { for _ in 1 2 3 4 5 6 7; do read -r state; done; state=; read -r state; } 2> /dev/null < "$data/postmaster.pid"
  case $state in
    ready* | standby*) return 0 ;;
  esac
  return 1
}
if ! "$programs/pg_ctl" status -D "$data" > /dev/null 2>&1; then
  test -e "$data/postmaster.pid" && is_left=yes
  "$programs/pg_ctl" start -o "$3" -l "$4" -D "$data" -w -s -t "$5" >&2 &
  ctl=$!
  while kill -0 "$ctl" 2> /dev/null; do
    if test -z "$is_left" && is_ready; then
      ${letGo}
      break
    fi
    moment
  done
else
  echo 'found: running'
fi
${look}`;
