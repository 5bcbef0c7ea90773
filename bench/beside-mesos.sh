#!/bin/sh
# One run of every figure that docs/performance.md shows of a whole master beside a real one.
#
#   bench/beside-mesos.sh 'COMMAND that starts a real master at $PORT' [DIRECTORY of tepui and tepui-bench]
#
# Nothing else should run on the machine. Build first: cargo build --release -p tepui -p tepui-bench
set -eu
oracle=${1:?"a command that starts a real master at \$PORT"}
bench=${2:-target/release}/tepui-bench

beside() {
    echo "### $*"
    "$bench" cluster "$@" --oracle "$oracle"
}

date
beside --agents 2000 --tasks 20000 --poll-secs 2
beside --agents 1000 --tasks 0 --poll-secs 4
beside --agents 5000 --tasks 0 --poll-secs 4
beside --agents 2000 --ports --tasks 20000 --poll-secs 0
beside --agents 10000 --frameworks 500 --decline-secs 20 --tasks 0 --poll-secs 0 --settle 1
for size in "10000 500" "20000 2000"; do
    echo "### allocator $size"
    "$bench" allocator --agents "${size% *}" --frameworks "${size#* }"
done
date
