#!/usr/bin/env bash
# Builds the native core by itself and runs it: native/tests/run.sh [sanitize|plain|bench|neon]
#   sanitize  tests and fuzz driver under AddressSanitizer and UndefinedBehaviorSanitizer (the default)
#   plain     the same as shipped, without sanitizers
#   bench     time of every kernel
#   neon      the tests for 64-bit Arm, cross-compiled and run by qemu-user; says so and ends when the tools are missing
#             (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
# Needs gcc, and cmake >= 3.26 with ninja or make; both come with `pip install "vultus[test]"`.
set -euo pipefail

mode=${1:-sanitize}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${VULTUS_NATIVE_BUILD:-$root/build/native-$mode}
case $mode in
  sanitize) sanitize=ON ;;
  plain | bench | neon) sanitize=OFF ;;
  *) echo "unknown mode '$mode'; use sanitize, plain, bench or neon" >&2; exit 2 ;;
esac

cross=()
emulator=()
if [[ $mode == neon ]]; then
  for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v "$tool" > /dev/null || { echo "skipped: there is no $tool"; exit 77; }
  done
  # Linked statically, so that no Arm libraries need to be found.
  cross=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_EXE_LINKER_FLAGS=-static)
  emulator=(qemu-aarch64)
fi
mkdir -p "$(dirname "$build")"
generator=()
command -v ninja > /dev/null && generator=(-G Ninja)
cmake -S "$root" -B "$build" "${generator[@]}" -DVULTUS_PYTHON=OFF -DVULTUS_TESTS=ON "-DVULTUS_SANITIZE=$sanitize" "${cross[@]}" > "$build.log" 2>&1 \
  || { cat "$build.log" >&2; exit 1; }
cmake --build "$build" >> "$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }

bin=$build/native
if [[ $mode == bench ]]; then
  "$bin/vultus_bench"
else
  "${emulator[@]}" "$bin/vultus_tests"
  "${emulator[@]}" "$bin/vultus_fuzz" "$([[ $mode == neon ]] && echo 500 || echo 20000)" 1
fi
