#!/usr/bin/env bash
# Builds the native core by itself and runs it: native/tests/run.sh [sanitize|plain|bench]
#   sanitize  tests and fuzz driver under AddressSanitizer and UndefinedBehaviorSanitizer (the default)
#   plain     the same as shipped, without sanitizers
#   bench     time of every kernel
# Needs gcc, and cmake >= 3.26 with ninja or make; both come with `pip install "vultus[test]"`.
set -euo pipefail

mode=${1:-sanitize}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${VULTUS_NATIVE_BUILD:-$root/build/native-$mode}
case $mode in
  sanitize) sanitize=ON ;;
  plain | bench) sanitize=OFF ;;
  *) echo "unknown mode '$mode'; use sanitize, plain or bench" >&2; exit 2 ;;
esac

mkdir -p "$(dirname "$build")"
generator=()
command -v ninja > /dev/null && generator=(-G Ninja)
cmake -S "$root" -B "$build" "${generator[@]}" -DVULTUS_PYTHON=OFF -DVULTUS_TESTS=ON "-DVULTUS_SANITIZE=$sanitize" > "$build.log" 2>&1 \
  || { cat "$build.log" >&2; exit 1; }
cmake --build "$build" >> "$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }

bin=$build/native
if [[ $mode == bench ]]; then
  "$bin/vultus_bench"
else
  "$bin/vultus_tests"
  "$bin/vultus_fuzz" 20000 1
fi
