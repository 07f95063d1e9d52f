#!/bin/sh
# One agent of a tree that nests: node.sh HOW ID SECONDS. It works, then has those below it done by HOW, and waits.
sleep "$3"
case $2 in
?) below="$21 $22 $23" ;;
??) below="$21 $22" ;;
*) exit 0 ;;
esac
case $1 in
orchd) "$ORCHCTL" spawn --batch "${0%/*}/$2.jsonl" --wait ;;
parallel) "$PARALLELPROG" -j7 sh "$0" parallel '{}' "$3" ::: $below ;;
make) "$MAKEPROG" -s -r -f "${0%/*}/Makefile" $below ;;
tsp)
    ids=
    for one in $below; do ids="$ids $("$TSP" sh "$0" tsp "$one" "$3")"; done
    for id in $ids; do "$TSP" -w "$id"; done
    ;;
esac
