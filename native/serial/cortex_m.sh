#!/usr/bin/env bash
# Cross-compiles the firmware core for Cortex-M and shows what it takes; fails when a size goes over its limit.
# Needs arm-none-eabi-gcc with newlib's headers (Debian: gcc-arm-none-eabi libnewlib-arm-none-eabi); says so and ends with 77 without.
#   code   instructions and constant tables, in flash
#   state  struct vultus_head: all the memory that the core keeps, beside the frames of the caller
#   stack  the frames of all its functions together, which is more than any chain of calls can take, without the callbacks
set -euo pipefail
command -v arm-none-eabi-gcc > /dev/null || { echo "skipped: there is no arm-none-eabi-gcc"; exit 77; }
cd "$(dirname "${BASH_SOURCE[0]}")"

# Bytes. State and stack together stay below the 16 KiB that the core promises; code fits a 32 KiB part beside a firmware.
most_code=12288
most_state=12288
most_stack=4096

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf "#include \"vultus/serial_head.h\"\nstruct vultus_head head;\n" > "$work/state.c"
failed=0
printf '%-12s %8s %8s %8s\n' processor code state stack
for processor in cortex-m0plus cortex-m4; do
  flags=(-std=c11 "-mcpu=$processor" -mthumb -Os -ffunction-sections -fstack-usage -Wall -Wextra -Wshadow -Wconversion -Werror -Iinclude -Isrc)
  for source in src/*.c "$work/state.c"; do
    arm-none-eabi-gcc "${flags[@]}" -c "$source" -o "$work/$(basename "$source" .c).o"
  done
  # Of size's table: text, data, bss; the core itself may have no data of its own.
  code=0
  for source in src/*.c; do
    read -r text data bss _ < <(arm-none-eabi-size "$work/$(basename "$source" .c).o" | tail -n 1)
    code=$((code + text))
    ((data + bss == 0)) || { echo "$source keeps $((data + bss)) bytes of its own" >&2; failed=1; }
  done
  read -r _ _ state _ < <(arm-none-eabi-size "$work/state.o" | tail -n 1)
  stack=$(cat "$work"/*.su | awk -F '\t' '{ total += $2 } END { print total }')
  printf '%-12s %8d %8d %8d\n' "$processor" "$code" "$state" "$stack"
  if ((code > most_code || state > most_state || stack > most_stack)); then
    echo "over the limit: code $most_code, state $most_state, stack $most_stack bytes" >&2
    failed=1
  fi
  if grep -q dynamic "$work"/*.su; then
    echo "a function takes an unbounded stack" >&2
    failed=1
  fi
done
exit "$failed"
