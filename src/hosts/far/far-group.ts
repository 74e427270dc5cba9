/**
 * Ends a process group: SIGTERM, SIGKILL for who is still there two seconds later, and a second for the kernel.
 * Zombies count as gone. Arguments: group, boot id (empty: not known). Exit code: 0 gone, 1 somebody is left.
 * A machine that has been booted since runs nothing of it.
 */
export const endGroupScript = `
group=$1
[ "$group" -gt 1 ] || exit 2
if [ -n "$2" ]; then
  IFS= read -r boot < /proc/sys/kernel/random/boot_id
  [ "$boot" = "$2" ] || exit 0
fi
live() {
  states=$(cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/.*) \\([A-Za-z]\\) [0-9]* $group .*/\\1/p")
  if [ -n "$states" ]; then
    printf '%s' "$states" | grep -q '[^ZXx]'
  else
    kill -s 0 -- "-$group" 2>/dev/null
  fi
}
gone() {
  left=$1
  while live; do
    [ "$left" -gt 0 ] || return 1
    left=$((left - 1))
    sleep "$pause"
  done
}
if sleep 0.02 2>/dev/null; then pause=0.05 second=20; else pause=1 second=1; fi
kill -s TERM -- "-$group" 2>/dev/null
gone $((2 * second)) && exit 0
kill -s KILL -- "-$group" 2>/dev/null
gone "$second" && exit 0
exit 1
`;
